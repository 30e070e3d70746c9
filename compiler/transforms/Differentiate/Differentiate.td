// The pass pref-differentiate.

#ifndef ALIDADE_COMPILER_TRANSFORMS_DIFFERENTIATE_DIFFERENTIATE_TD_
#define ALIDADE_COMPILER_TRANSFORMS_DIFFERENTIATE_DIFFERENTIATE_TD_

include "mlir/Pass/PassBase.td"

def Differentiate : Pass<"pref-differentiate", "::alidade::pref::ObjectiveOp"> {
  let summary = "appends the derivative of the loss by everything read with gradient";
  let description = [{
    Reverse mode over the operations of an objective, through `TermOpInterface::buildVjp`. Afterwards the yield has one
    cotangent per read with gradient, metrics of axes `[row]` are their means over rows, and `stop_gradient` is gone: what
    remains is plain arithmetic.

    An error, with notes that name both ends, when a gradient would pass through an operation that is value-only (`compare`,
    `reduce_max`) or to an operand that takes none (the decay of `scan`); when the loss does not depend on anything read with
    gradient; and when a read that carries a gradient does not reach the loss.

    Example (a test: `tests/compiler/transforms/differentiate/doctest.mlir`):

    ```mlir
    pref.objective @nll {
      %t = pref.logprob policy(chosen)
      %s = pref.sum %t over token
      %m = pref.mean %s over row
      %loss = pref.neg %m
      pref.yield %loss
    }
    ```

    becomes, after `--canonicalize --cse`,

    ```mlir
    pref.objective @nll {
      %0 = pref.constant -1
      %1 = pref.constant 1
      %policy_chosen = pref.logprob policy(chosen)
      %2 = pref.sum %policy_chosen over token
      %3 = pref.mean %2 over row
      %4 = pref.neg %3
      %5 = pref.count over row
      %6 = pref.max %5, %1
      %7 = pref.div %0, %6
      %8 = pref.broadcast %7 to [row, token(chosen)]
      pref.yield %4 cotangents("policy.chosen" = %8)
    }
    ```
  }];
}

#endif  // ALIDADE_COMPILER_TRANSFORMS_DIFFERENTIATE_DIFFERENTIATE_TD_
