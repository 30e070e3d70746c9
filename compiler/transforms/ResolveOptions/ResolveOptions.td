// The pass pref-resolve-options.

#ifndef ALIDADE_COMPILER_TRANSFORMS_RESOLVEOPTIONS_RESOLVEOPTIONS_TD_
#define ALIDADE_COMPILER_TRANSFORMS_RESOLVEOPTIONS_RESOLVEOPTIONS_TD_

include "mlir/Pass/PassBase.td"

def ResolveOptions : Pass<"pref-resolve-options", "::alidade::pref::ObjectiveOp"> {
  let summary = "puts the operand of the chosen case in place of every option";
  let description = [{
    Options that are not named take their default. What only other cases need goes: operations, hyperparameters and states
    with their updates. The attribute `pref.options` of the objective says afterwards what was chosen.

    An error when an option or a case is not known, with the nearest name.

    Example (a test: `tests/compiler/transforms/resolve_options/doctest.mlir`), with
    `--pref-resolve-options="options=norm=mean"`:

    ```mlir
    pref.objective @nll {
      %t = pref.logprob policy(chosen)
      %s = pref.sum %t over token
      %m = pref.mean %t over token
      %x = pref.option "norm" default "sum" of "sum" = %s, "mean" = %m
      %a = pref.mean %x over row
      %loss = pref.neg %a
      pref.yield %loss
    }
    ```

    becomes

    ```mlir
    pref.objective @nll attributes {pref.options = [
        {cases = ["sum", "mean"], chosen = "mean", default = "sum", doc = "", name = "norm"} ]} {
      %policy_chosen = pref.logprob policy(chosen)
      %0 = pref.mean %policy_chosen over token
      %1 = pref.mean %0 over row
      %2 = pref.neg %1
      pref.yield %2
    }
    ```
  }];
  let options = [
    ListOption<"choices", "options", "std::string", "choices that differ from the defaults, as name=case">,
  ];
}

#endif  // ALIDADE_COMPILER_TRANSFORMS_RESOLVEOPTIONS_RESOLVEOPTIONS_TD_
