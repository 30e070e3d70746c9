// Which scores decide the token cotangents of an objective, and at which granularity.

#ifndef ALIDADE_COMPILER_TRANSFORMS_ANALYZECOUPLING_ANALYZECOUPLING_H_
#define ALIDADE_COMPILER_TRANSFORMS_ANALYZECOUPLING_ANALYZECOUPLING_H_

#include "mlir/Pass/Pass.h"

#include "compiler/dialect/pref/Pref.h"
#include "compiler/schedule/signature.h"

namespace alidade::pref {

// The coupling of a distribution with gradient in a differentiated objective: of the cotangents of
// all its reads. Canonicalise before: the rank counts the unknown scalars that enter the token
// arithmetic as written.
schedule::Coupling analyzeCoupling(ObjectiveOp objective, DistributionAttr distribution);

// "row, rank 1, sparse, uniform: ..."
std::string describe(const schedule::Coupling& coupling);

#define GEN_PASS_DECL_ANALYZECOUPLING
#include "compiler/transforms/AnalyzeCoupling/AnalyzeCoupling.h.inc"

#define GEN_PASS_REGISTRATION
#include "compiler/transforms/AnalyzeCoupling/AnalyzeCoupling.h.inc"

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TRANSFORMS_ANALYZECOUPLING_ANALYZECOUPLING_H_
