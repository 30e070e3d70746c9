#include "compiler/tools/prefc/SimtCall.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "compiler/target/Compile.h"

namespace alidade::pref {

absl::StatusOr<std::unique_ptr<SimtObjective>> SimtObjective::create(
    const runtime::Objective& compiled, mlir::ModuleOp differentiated) {
  const schedule::Signature& signature = compiled.signature();
  mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> module =
      buildGpuKernels(differentiated, schedule::SignatureToJson(signature));
  if (mlir::failed(module)) {
    return absl::InvalidArgumentError(
        absl::StrCat(signature.name, ": its GPU kernels could not be built"));
  }
  std::unique_ptr<SimtObjective> result(new SimtObjective(std::move(*module)));
  auto kernelModule = *result->kernels_->getOps<mlir::gpu::GPUModuleOp>().begin();
  ALIDADE_ASSIGN_OR_RETURN(
      simt::ObjectiveKernels kernels,
      simt::ObjectiveKernels::compile(kernelModule, signature, compiled.table()));
  result->table_ = std::make_unique<simt::InterpretedTable>(compiled.table(), std::move(kernels));
  ALIDADE_ASSIGN_OR_RETURN(result->objective_,
                           runtime::Objective::FromTable(result->table_->table()));
  return result;
}

absl::StatusOr<CallResult> SimtObjective::run(const Call& call) {
  absl::StatusOr<CallResult> result = runCompiled(*objective_, call);
  ALIDADE_RETURN_IF_ERROR(table_->takeError());
  return result;
}

}  // namespace alidade::pref
