// The pass pref-inline.

#ifndef ALIDADE_COMPILER_TRANSFORMS_COMPOSE_COMPOSE_TD_
#define ALIDADE_COMPILER_TRANSFORMS_COMPOSE_COMPOSE_TD_

include "mlir/Pass/PassBase.td"

def Inline : Pass<"pref-inline", "::mlir::ModuleOp"> {
  let summary = "replaces pref.apply by the formula of the objective that it names";
  let description = [{
    The pass finds objectives in the module at hand; the library function `inlineApplies` finds them wherever its caller
    says. What happens to hyperparameters, options, inputs, states and metrics is written at `pref.apply`.

    An error, located at the `pref.apply`: an unknown objective, hyperparameter, option or case (with the nearest name); a
    hyperparameter bound to a number outside its range, or to a hyperparameter with a wider one; two declarations of one
    hyperparameter, input or option that differ; one label twice; objectives that apply each other in a circle (the circle
    is printed); more than 16 objectives inside each other.

    Example (a test: `tests/compiler/transforms/compose/doctest.mlir`):

    ```mlir
    pref.objective @nll {
      %scale = pref.hyper "scale" default 1 in (0, inf)
      %t = pref.logprob policy(chosen)
      %s = pref.sum %t over token
      %m = pref.mean %s over row
      %n = pref.neg %m
      %loss = pref.mul %scale, %n
      pref.yield %loss metrics("score" = %s)
    }
    pref.objective @twice {
      %two = pref.constant 2
      %loss = pref.apply @nll {scale = %two}
      pref.yield %loss
    }
    ```

    makes of the second

    ```mlir
    pref.objective @twice {
      %0 = pref.constant 2
      %policy_chosen = pref.logprob policy(chosen)
      %1 = pref.sum %policy_chosen over token
      %2 = pref.mean %1 over row
      %3 = pref.neg %2
      %4 = pref.mul %0, %3
      pref.yield %4 metrics("nll.score" = %1, "nll.loss" = %4)
    }
    ```
  }];
}

#endif  // ALIDADE_COMPILER_TRANSFORMS_COMPOSE_COMPOSE_TD_
