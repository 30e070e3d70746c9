#include "compiler/runtime/jit/object_loader.h"

#include <memory>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"

namespace alidade::runtime {
namespace {

absl::Status FromLlvm(llvm::Error error, absl::string_view what) {
  return absl::InternalError(
      absl::StrCat("cannot load the object of ", what, ": ", llvm::toString(std::move(error))));
}

// One linker for the process: code that was handed out must never be unmapped, so it is never
// destroyed.
llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>> CreateLinker() {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  // Objects have no constructors: the platform support that would run them costs milliseconds.
  return llvm::orc::LLJITBuilder().setPlatformSetUp(llvm::orc::setUpInactivePlatform).create();
}

}  // namespace

std::vector<std::string> HostCpuLevels() {
  std::vector<std::string> levels;
  if (__builtin_cpu_supports("x86-64-v3")) levels.push_back("x86-64-v3");
  if (__builtin_cpu_supports("x86-64-v4")) levels.push_back("x86-64-v4");
  return levels;
}

absl::StatusOr<const AlidadeObjectiveTable*> LoadObject(absl::string_view bytes,
                                                        absl::string_view what) {
  static std::mutex* const mutex = new std::mutex;
  static llvm::orc::LLJIT* linker = nullptr;
  static int loaded = 0;
  const std::lock_guard<std::mutex> lock(*mutex);
  if (linker == nullptr) {
    auto created = CreateLinker();
    if (!created) return FromLlvm(created.takeError(), what);
    linker = created->release();
  }
  // A namespace per object: each defines the same symbol.
  auto library = linker->createJITDylib(absl::StrCat(what, "#", loaded++));
  if (!library) return FromLlvm(library.takeError(), what);
  auto buffer = llvm::MemoryBuffer::getMemBufferCopy(llvm::StringRef(bytes.data(), bytes.size()),
                                                     std::string(what));
  if (llvm::Error error = linker->addObjectFile(*library, std::move(buffer)))
    return FromLlvm(std::move(error), what);
  auto table = linker->lookup(*library, "alidade_objective_table");
  if (!table) return FromLlvm(table.takeError(), what);
  return table->toPtr<const AlidadeObjectiveTable*>();
}

}  // namespace alidade::runtime
