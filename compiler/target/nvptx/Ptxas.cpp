#include <cstdlib>

#include "compiler/target/nvptx/NvptxTarget.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/Regex.h"

using namespace mlir;

namespace alidade::pref {
namespace {

// A file in the temporary folder that is removed at the end of its scope.
class TemporaryFile {
 public:
  static FailureOr<TemporaryFile> create(Operation* source, StringRef suffix) {
    llvm::SmallString<128> path;
    if (std::error_code error = llvm::sys::fs::createTemporaryFile("alidade", suffix, path))
      return source->emitError("cannot create a temporary file: ") << error.message();
    return TemporaryFile(path);
  }

  StringRef path() const { return name; }

  FailureOr<std::string> read(Operation* source) const {
    auto buffer = llvm::MemoryBuffer::getFile(name);
    if (!buffer)
      return source->emitError("cannot read ") << name << ": " << buffer.getError().message();
    return (*buffer)->getBuffer().str();
  }

 private:
  explicit TemporaryFile(StringRef path)
      : name(path.str()), remover(std::make_unique<llvm::FileRemover>(path)) {}

  std::string name;
  std::unique_ptr<llvm::FileRemover> remover;
};

LogicalResult writeText(Operation* source, StringRef path, StringRef text) {
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  if (!error) {
    stream << text;
    stream.close();
    error = stream.error();
    stream.clear_error();
  }
  if (error) return source->emitError("cannot write ") << path << ": " << error.message();
  return success();
}

unsigned numberIn(StringRef text) {
  unsigned number = 0;
  text.getAsInteger(10, number);
  return number;
}

}  // namespace

std::optional<std::string> findPtxas() {
  if (auto found = llvm::sys::findProgramByName("ptxas")) return *found;
  llvm::SmallVector<std::string> folders;
  if (const char* home = std::getenv("CUDA_HOME")) folders.push_back(std::string(home) + "/bin");
  folders.push_back("/usr/local/cuda/bin");
  for (const std::string& folder : folders)
    if (auto found = llvm::sys::findProgramByName("ptxas", {folder})) return *found;
  return std::nullopt;
}

std::vector<GpuKernelResources> parsePtxasReport(StringRef report) {
  std::vector<GpuKernelResources> resources;
  llvm::Regex entry("Compiling entry function '([^']+)'");
  llvm::Regex spills("([0-9]+) bytes spill stores, ([0-9]+) bytes spill loads");
  llvm::Regex registers("Used ([0-9]+) registers");
  llvm::Regex shared("([0-9]+) bytes smem");
  llvm::SmallVector<StringRef> lines, found;
  report.split(lines, '\n');
  for (StringRef line : lines) {
    if (entry.match(line, &found)) resources.push_back({found[1].str()});
    if (resources.empty()) continue;
    GpuKernelResources& kernel = resources.back();
    if (spills.match(line, &found)) kernel.spillBytes = numberIn(found[1]) + numberIn(found[2]);
    if (registers.match(line, &found)) kernel.registers = numberIn(found[1]);
    if (shared.match(line, &found)) kernel.sharedBytes = numberIn(found[1]);
  }
  return resources;
}

FailureOr<Cubin> assemblePtx(Operation* source, StringRef ptxas, StringRef ptx, StringRef chip) {
  FailureOr<TemporaryFile> input = TemporaryFile::create(source, "ptx");
  FailureOr<TemporaryFile> output = TemporaryFile::create(source, "cubin");
  FailureOr<TemporaryFile> report = TemporaryFile::create(source, "log");
  if (failed(input) || failed(output) || failed(report)) return failure();
  if (failed(writeText(source, input->path(), ptx))) return failure();

  std::string architecture = ("-arch=" + chip).str();
  StringRef arguments[] = {ptxas, "--verbose", architecture, input->path(), "-o", output->path()};
  std::optional<StringRef> redirects[] = {StringRef(), report->path(), report->path()};
  std::string error;
  int status = llvm::sys::ExecuteAndWait(ptxas, arguments, std::nullopt, redirects, 0, 0, &error);
  FailureOr<std::string> said = report->read(source);
  if (failed(said)) return failure();
  if (status != 0) {
    return source->emitError("ptxas failed for ")
           << chip << " with status " << status << ": " << (error.empty() ? *said : error);
  }
  Cubin cubin;
  cubin.resources = parsePtxasReport(*said);
  for (const GpuKernelResources& kernel : cubin.resources) {
    if (kernel.spillBytes == 0) continue;
    return source->emitError("kernel ") << kernel.kernel << " spills " << kernel.spillBytes
                                        << " bytes on " << chip << ", expected none";
  }
  FailureOr<std::string> bytes = output->read(source);
  if (failed(bytes)) return failure();
  cubin.bytes = *bytes;
  return cubin;
}

}  // namespace alidade::pref
