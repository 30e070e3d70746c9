// The pass pref-analyze-coupling.

#ifndef ALIDADE_COMPILER_TRANSFORMS_ANALYZECOUPLING_ANALYZECOUPLING_TD_
#define ALIDADE_COMPILER_TRANSFORMS_ANALYZECOUPLING_ANALYZECOUPLING_TD_

include "mlir/Pass/PassBase.td"

def AnalyzeCoupling : Pass<"pref-analyze-coupling", "::alidade::pref::ObjectiveOp"> {
  let summary = "reports which scores must be known before a token's weight is";
  let description = [{
    Prints a remark at the first read of every distribution with gradient of a differentiated objective: the granularity
    (`known`, `token`, `row`, `batch`) at which its token cotangent becomes known, the number of unknown scalars per
    granule, whether the cotangent of the logits is sparse (one-hot minus softmax) or dense, and why. Changes nothing.

    The facts come from the backward slice of the cotangent alone: a log-probability with gradient is unknown per token;
    a reduction over token makes it unknown per row, a reduction over row per batch; all else is known before.
  }];
}

#endif  // ALIDADE_COMPILER_TRANSFORMS_ANALYZECOUPLING_ANALYZECOUPLING_TD_
