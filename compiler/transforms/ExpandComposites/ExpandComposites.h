// Composites become formulas of native operations.

#ifndef ALIDADE_COMPILER_TRANSFORMS_EXPANDCOMPOSITES_EXPANDCOMPOSITES_H_
#define ALIDADE_COMPILER_TRANSFORMS_EXPANDCOMPOSITES_EXPANDCOMPOSITES_H_

#include "mlir/Pass/Pass.h"

#include "compiler/dialect/pref/Pref.h"

namespace alidade::pref {

#define GEN_PASS_DECL_EXPANDCOMPOSITES
#include "compiler/transforms/ExpandComposites/ExpandComposites.h.inc"

// What the pass does, as a function: value-only composites stay while the objective has no
// cotangents.
void expandComposites(ObjectiveOp objective);

// Every composite, differentiated or not.
void expandAllComposites(ObjectiveOp objective);

#define GEN_PASS_REGISTRATION
#include "compiler/transforms/ExpandComposites/ExpandComposites.h.inc"

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TRANSFORMS_EXPANDCOMPOSITES_EXPANDCOMPOSITES_H_
