// The use of one objective by another.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_PREFCOMPOSITIONOPS_TD_
#define ALIDADE_COMPILER_DIALECT_PREF_PREFCOMPOSITIONOPS_TD_

include "compiler/dialect/pref/PrefOpBase.td"

def Pref_ApplyOp : Pref_TermOp<"apply"> {
  let summary = "the loss of another objective";
  let description = [{
    `y = loss of @name`, with some of its hyperparameters bound to values and some of its options chosen. `pref-inline`
    replaces it by that objective's formula, where

    - a hyperparameter that is not bound surfaces under its own name, and so does an option that is not chosen; equal
      declarations are one, different ones are an error that says to bind one of them;
    - equal data inputs are one;
    - metrics surface as `<label>.<metric>`, the loss as the metric `<label>.loss`, a state as `<label>.<state>`. The label
      is the objective's name unless `as` gives another.

    ```mlir
    pref.objective @mixture {
      %small = pref.constant 0.05
      %half = pref.constant 0.5
      %a = pref.apply @dpo
      %b = pref.apply @dpo {beta = %small} as "soft"
      %c = pref.apply @dpo [f_divergence_type = "js_divergence"] as "js"
      %ab = pref.add %a, %b
      %scaled = pref.mul %half, %c
      %loss = pref.add %ab, %scaled
      pref.yield %loss
    }
    ```

    - (C1) a hyperparameter is bound once, to a `[]` value
    - (C2) an option is chosen once
    - (C3) the label is an identifier
  }];
  let arguments = (ins FlatSymbolRefAttr:$objective, Variadic<Pref_Value>:$values, StrArrayAttr:$hyperparameters,
                       StrArrayAttr:$options, StrArrayAttr:$cases, OptionalAttr<StrAttr>:$label);
  let assemblyFormat = [{
    $objective `` custom<Bindings>($values, type($values), $hyperparameters) `` custom<Choices>($options, $cases)
    (`as` $label^)? attr-dict `` custom<Inferred>(type($result))
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    // What its metrics and states are named after.
    ::llvm::StringRef getLabelOrName() { return getLabel().value_or(getObjective()); }
  }];
}

#endif  // ALIDADE_COMPILER_DIALECT_PREF_PREFCOMPOSITIONOPS_TD_
