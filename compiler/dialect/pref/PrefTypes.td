// Types and attributes: values with axes, scored distributions.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_PREFTYPES_TD_
#define ALIDADE_COMPILER_DIALECT_PREF_PREFTYPES_TD_

include "mlir/IR/AttrTypeBase.td"
include "compiler/dialect/pref/PrefBase.td"

def Pref_Value : TypeDef<Pref_Dialect, "Value"> {
  let mnemonic = "value";
  let summary = "a real number for every point of its axes";
  let description = [{
    | type | meaning |
    |---|---|
    | `!pref.value<>` | one number |
    | `!pref.value<row>` | one per example |
    | `!pref.value<row, token(R)>` | one per scored token of response R; ragged |
    | `!pref.value<row, segment(S)>` | one per labelled span of label set S; ragged |
    | `!pref.value<row, member>` | one per response to the prompt of the example; ragged |
    | `!pref.value<row, member, token(member)>` | one per scored token of every member; ragged twice |
    | `!pref.value<row, pair>` | one per two members i < j of the example |

    Prompt, image and padding tokens do not exist at this level. Numbers are f32 on targets and f64 in the interpreter.

    - (C1) the axes are one of these
  }];
  let parameters = (ins ArrayRefParameter<"::alidade::pref::Axis", "outermost first">:$axes);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Pref_Unresolved : TypeDef<Pref_Dialect, "Unresolved"> {
  let mnemonic = "unresolved";
  let summary = "the type of a value whose axes are not inferred yet";
  let description = [{
    Exists only while a `pref.objective` is parsed: operations are written without types, so their operands and results
    get this type first, and the objective infers the axes in program order when its region is complete.
  }];
}

def Pref_DistributionAttr : AttrDef<Pref_Dialect, "Distribution"> {
  let mnemonic = "distribution";
  let summary = "a model's next-token distributions along one response, under one view of the visual input";
  let description = [{
    Written `policy(chosen)`, `reference(2)(chosen)` (a further reference) or `policy(chosen) on corrupted("crop") shared`
    (all models see the very same corrupted input). Its name, used wherever inputs are given, is `policy.chosen`,
    `reference(2).chosen` or `policy.chosen@corrupted(crop)+shared`.

    - (C1) `corrupted` names its corruption; no other view has an argument
    - (C2) an argument is an identifier
    - (C3) only a reference has an index, which is at least 1
    - (C4) a clean view is not `shared`
  }];
  let parameters = (ins
    EnumParameter<Pref_ModelRole>:$model,
    "unsigned":$modelIndex,
    EnumParameter<Pref_ResponseRole>:$response,
    EnumParameter<Pref_View>:$view,
    StringRefParameter<"how the view is made; empty when it has no argument">:$viewArgument,
    "bool":$shared
  );
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    // "policy", "reference", "reference(2)".
    std::string getModelName() const;
    // "policy.chosen", "policy.chosen@corrupted(crop)".
    std::string getName() const;
    // The axis of its scored tokens.
    ::alidade::pref::Axis getTokenAxis() const;
  }];
}

def Pref_AxisAttr : AttrDef<Pref_Dialect, "Axis"> {
  let mnemonic = "axis";
  let summary = "one axis: `row`, `token(R)`, `member`, `segment(S)` or `pair`";
  let parameters = (ins "::alidade::pref::Axis":$value);
  let hasCustomAssemblyFormat = 1;
}

def Pref_AxesAttr : AttrDef<Pref_Dialect, "Axes"> {
  let mnemonic = "axes";
  let summary = "a list of axes, outermost first: `[row, token(chosen)]`";
  let parameters = (ins ArrayRefParameter<"::alidade::pref::Axis", "outermost first">:$value);
  let hasCustomAssemblyFormat = 1;
}

#endif  // ALIDADE_COMPILER_DIALECT_PREF_PREFTYPES_TD_
