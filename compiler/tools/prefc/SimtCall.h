// The third backend of Calls.h: the schedules and GEMMs of runCompiled, but the row kernels and the
// scalar block are the objective's GPU kernels under the SIMT interpreter. For tests: a minute of
// it is a millisecond of a GPU.

#ifndef ALIDADE_COMPILER_TOOLS_PREFC_SIMTCALL_H_
#define ALIDADE_COMPILER_TOOLS_PREFC_SIMTCALL_H_

#include <memory>

#include "absl/status/statusor.h"
#include "compiler/runtime/objective.h"
#include "compiler/simt/ObjectiveKernels.h"
#include "compiler/tools/prefc/Calls.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace alidade::pref {

class SimtObjective {
 public:
  // `compiled` and `differentiated` are of the same objective; `compiled` must outlive the result,
  // of which a process may have one at a time. Errors: a kernel could not be built, or holds an
  // operation that the interpreter does not know.
  static absl::StatusOr<std::unique_ptr<SimtObjective>> create(const runtime::Objective& compiled,
                                                               mlir::ModuleOp differentiated);

  // Errors are those of runCompiled, and what the interpreter finds in a kernel (failed
  // precondition).
  absl::StatusOr<CallResult> run(const Call& call);

 private:
  explicit SimtObjective(mlir::OwningOpRef<mlir::ModuleOp> kernels)
      : kernels_(std::move(kernels)) {}

  mlir::OwningOpRef<mlir::ModuleOp> kernels_;
  std::unique_ptr<simt::InterpretedTable> table_;
  std::unique_ptr<runtime::Objective> objective_;
};

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TOOLS_PREFC_SIMTCALL_H_
