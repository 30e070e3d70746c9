#include "compiler/simt/Kernel.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "compiler/simt/Machine.h"
#include "compiler/simt/Program.h"

using namespace mlir;

namespace alidade::pref::simt {
namespace {

std::string textOf(int64_t x, int64_t y, int64_t z) { return absl::StrCat(x, " x ", y, " x ", z); }

absl::Status checkShape(const Program& program, const Launch& launch) {
  const Dim& block = launch.block;
  for (const Dim& dim : {launch.grid, block}) {
    if (dim.x < 1 || dim.y < 1 || dim.z < 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          program.name, ": expected extents of at least 1, got ", textOf(dim.x, dim.y, dim.z)));
    }
  }
  if (block.count() > kMostThreads) {
    return absl::InvalidArgumentError(absl::StrCat(program.name, ": expected at most ",
                                                   kMostThreads, " threads per block, got ",
                                                   block.count()));
  }
  if (!program.blockSize) return absl::OkStatus();
  const auto [x, y, z] = *program.blockSize;
  if (x == block.x && y == block.y && z == block.z) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(program.name, ": expected blocks of ",
                                                 textOf(x, y, z), " threads, got ",
                                                 textOf(block.x, block.y, block.z)));
}

absl::Status checkArguments(const Program& program, ArrayRef<Argument> arguments) {
  if (arguments.size() != program.parameters.size()) {
    return absl::InvalidArgumentError(absl::StrCat(program.name, ": expected ",
                                                   program.parameters.size(), " arguments, got ",
                                                   arguments.size()));
  }
  for (auto [i, parameter] : llvm::enumerate(program.parameters)) {
    if (arguments[i].bytes().size() == parameter.bytes) continue;
    return absl::InvalidArgumentError(absl::StrCat(program.name, ": argument ", i, ": expected ",
                                                   parameter.bytes, " bytes, got ",
                                                   arguments[i].bytes().size()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Kernel> Kernel::compile(gpu::GPUFuncOp function) {
  ALIDADE_ASSIGN_OR_RETURN(Program program, translate(function));
  return Kernel(std::make_shared<const Program>(std::move(program)));
}

absl::Status Kernel::launch(const Launch& launch, ArrayRef<Argument> arguments,
                            Memory& memory) const {
  ALIDADE_RETURN_IF_ERROR(checkShape(*program_, launch));
  ALIDADE_RETURN_IF_ERROR(checkArguments(*program_, arguments));
  return Machine(*program_, launch, memory).run(arguments);
}

}  // namespace alidade::pref::simt
