// The pass pref-analyze-coupling.

#ifndef ALIDADE_COMPILER_TRANSFORMS_ANALYZECOUPLING_ANALYZECOUPLING_TD_
#define ALIDADE_COMPILER_TRANSFORMS_ANALYZECOUPLING_ANALYZECOUPLING_TD_

include "mlir/Pass/PassBase.td"

def AnalyzeCoupling : Pass<"pref-analyze-coupling", "::alidade::pref::ObjectiveOp"> {
  let summary = "reports which scores must be known before a token's weight is";
  let description = [{
    Prints a remark at the first read of every distribution with gradient of a differentiated objective: the granularity
    (`known`, `token`, `row`, `batch`, `ranks`) at which its token cotangents become known, the number of unknown scalars
    per granule, whether the cotangent of the logits is sparse (one-hot minus softmax) or dense, whether the weight is the
    same for all tokens of a row (`uniform`), and why; and one at every operation whose result couples rows but can be
    computed before any score with gradient is known. Changes nothing.

    The facts come from the backward slices of the cotangents alone: what is read of a distribution with gradient is
    unknown per token; where tokens, members, segments or pairs meet, it becomes unknown per row, where rows meet per batch
    (`TermOpInterface::getCrossedAxis`); all else is known before.
  }];
}

#endif  // ALIDADE_COMPILER_TRANSFORMS_ANALYZECOUPLING_ANALYZECOUPLING_TD_
