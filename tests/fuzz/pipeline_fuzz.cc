// Any text through everything that is derived from it, down to machine code. What a person could
// type is refused with a message or compiled; it never reaches an assertion.

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "compiler/schedule/signature.h"
#include "compiler/target/Compile.h"
#include "compiler/transforms/Pipeline.h"
#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/StringRef.h"
#include "mlir/IR/MLIRContext.h"

namespace {

// Code generation takes a thousand times as long as everything before it: one text in so many.
constexpr uint64_t kCompileOneIn = 32;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace alidade;
  const std::string text(reinterpret_cast<const char*>(data), size);
  // The file must be called as its objective is.
  const llvm::StringRef rest = llvm::StringRef(text).split('@').second;
  const std::string name =
      rest.take_while([](char c) { return llvm::isAlnum(c) || c == '_'; }).str();
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  absl::StatusOr<pref::DerivedObjective> derived =
      pref::deriveObjectiveText(text, name + ".mlir", context);
  if (!derived.ok()) return derived.status().message().empty() ? __builtin_trap(), 0 : 0;
  if (llvm::hash_value(llvm::StringRef(text)) % kCompileOneIn != 0) return 0;
  pref::CompileOptions options;
  options.cpus = {"x86-64-v3"};
  options.ptxas = std::nullopt;
  (void)pref::compileObjective(*derived->differentiated,
                               schedule::SignatureToJson(derived->signature), options);
  return 0;
}
