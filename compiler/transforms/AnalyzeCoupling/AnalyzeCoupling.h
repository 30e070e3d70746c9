// Which log-probabilities decide the token cotangents of an objective, and at which granularity.

#ifndef ALIDADE_COMPILER_TRANSFORMS_ANALYZECOUPLING_ANALYZECOUPLING_H_
#define ALIDADE_COMPILER_TRANSFORMS_ANALYZECOUPLING_ANALYZECOUPLING_H_

#include "mlir/Pass/Pass.h"

#include "compiler/dialect/pref/Pref.h"
#include "compiler/schedule/signature.h"

namespace alidade::pref {

// The coupling of one cotangent, a value of axes [row, token(R)] in a differentiated objective.
// Canonicalise before: the rank counts the unknown scalars that enter the token arithmetic as
// written.
schedule::Coupling analyzeCoupling(mlir::Value cotangent);

// "row, rank 1, sparse: ..."
std::string describe(const schedule::Coupling& coupling);

#define GEN_PASS_DECL_ANALYZECOUPLING
#include "compiler/transforms/AnalyzeCoupling/AnalyzeCoupling.h.inc"

#define GEN_PASS_REGISTRATION
#include "compiler/transforms/AnalyzeCoupling/AnalyzeCoupling.h.inc"

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TRANSFORMS_ANALYZECOUPLING_ANALYZECOUPLING_H_
