// The pass pref-expand-composites.

#ifndef ALIDADE_COMPILER_TRANSFORMS_EXPANDCOMPOSITES_EXPANDCOMPOSITES_TD_
#define ALIDADE_COMPILER_TRANSFORMS_EXPANDCOMPOSITES_EXPANDCOMPOSITES_TD_

include "mlir/Pass/PassBase.td"

def ExpandComposites : Pass<"pref-expand-composites", "::alidade::pref::ObjectiveOp"> {
  let summary = "replaces operations that are formulas of others by their formulas";
  let description = [{
    Back ends know few operations across points; the others say what they are in terms of those
    (`CompositeOpInterface::expand`). A value-only one stays until the objective is differentiated, so that a gradient
    through it is an error of its own and not one of something inside its formula: the pass runs before
    `pref-differentiate` and again after it.

    Example (a test: `tests/compiler/transforms/expand_composites/doctest.mlir`):

    ```mlir
    pref.objective @spread {
      %t = pref.logprob policy(chosen)
      %s = pref.sum %t over token
      %loss = pref.std %s over row
      pref.yield %loss
    }
    ```

    becomes

    ```mlir
    pref.objective @spread {
      %policy_chosen = pref.logprob policy(chosen)
      %0 = pref.sum %policy_chosen over token
      %1 = pref.mean %0 over row
      %2 = pref.sub %0, %1
      %3 = pref.square %2
      %4 = pref.sum %3 over row
      %5 = pref.count over row
      %6 = pref.constant 1
      %7 = pref.max %5, %6
      %8 = pref.div %4, %7
      %9 = pref.sqrt %8
      pref.yield %9
    }
    ```
  }];
}

#endif  // ALIDADE_COMPILER_TRANSFORMS_EXPANDCOMPOSITES_EXPANDCOMPOSITES_TD_
