// Reverse-mode differentiation of an objective.

#ifndef ALIDADE_COMPILER_TRANSFORMS_DIFFERENTIATE_DIFFERENTIATE_H_
#define ALIDADE_COMPILER_TRANSFORMS_DIFFERENTIATE_DIFFERENTIATE_H_

#include "mlir/Pass/Pass.h"

#include "compiler/dialect/pref/Pref.h"

namespace alidade::pref {

#define GEN_PASS_DECL_DIFFERENTIATE
#include "compiler/transforms/Differentiate/Differentiate.h.inc"

// What the pass does, as a function. Fails with a diagnostic; an objective that has cotangents
// already is an error.
mlir::LogicalResult differentiate(ObjectiveOp objective);

#define GEN_PASS_REGISTRATION
#include "compiler/transforms/Differentiate/Differentiate.h.inc"

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TRANSFORMS_DIFFERENTIATE_DIFFERENTIATE_H_
