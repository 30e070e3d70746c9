#ifndef ALIDADE_COMPILER_TESTING_TORCH_EVALUATOR_H_
#define ALIDADE_COMPILER_TESTING_TORCH_EVALUATOR_H_

// An objective by LibTorch in f64: its definition is walked op by op with tensors, and the
// gradients are LibTorch's own autograd. Shares neither the derivatives nor the schedules of the
// compiler.

#include "absl/status/statusor.h"
#include "compiler/dialect/pref/Pref.h"
#include "compiler/schedule/signature.h"
#include "compiler/tools/prefc/Calls.h"

namespace alidade::testing {

// `objective` before differentiation. Takes and gives what pref::runCompiled does; the call must be
// valid.
absl::StatusOr<pref::CallResult> RunTorch(pref::ObjectiveOp objective,
                                          const schedule::Signature& signature,
                                          const pref::Call& call);

}  // namespace alidade::testing

#endif  // ALIDADE_COMPILER_TESTING_TORCH_EVALUATOR_H_
