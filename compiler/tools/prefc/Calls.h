// One call of an objective on named arrays, by two backends: the double-precision interpreter (the
// meaning) and compiled code (CompiledCall.h). Both take the same checks and the same schedules, so
// that their results can be compared number by number.

#ifndef ALIDADE_COMPILER_TOOLS_PREFC_CALLS_H_
#define ALIDADE_COMPILER_TOOLS_PREFC_CALLS_H_

#include "absl/status/statusor.h"
#include "compiler/dialect/pref/Pref.h"
#include "compiler/schedule/signature.h"
#include "compiler/tools/prefc/CompiledCall.h"

namespace alidade::pref {

// `objective` is differentiated and belongs to `signature`.
absl::StatusOr<CallResult> runInterpreter(ObjectiveOp objective,
                                          const schedule::Signature& signature, const Call& call);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TOOLS_PREFC_CALLS_H_
