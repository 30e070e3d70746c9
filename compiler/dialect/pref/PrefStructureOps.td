// The objective itself, its scalars and its terminator.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_PREFSTRUCTUREOPS_TD_
#define ALIDADE_COMPILER_DIALECT_PREF_PREFSTRUCTUREOPS_TD_

include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "compiler/dialect/pref/PrefOpBase.td"

def Pref_ObjectiveOp : Pref_Op<"objective", [Symbol, IsolatedFromAbove, SingleBlock]> {
  let summary = "a preference objective";
  let description = [{
    A formula from what is read of next-token distributions to a loss. Its signature (distributions, reads, axes,
    inputs, hyperparameters, options, states, metrics) follows from its operations.

    ```mlir
    pref.objective @sft attributes {paper = "arXiv:2203.02155"} {
      %t = pref.logprob policy(chosen)
      %n = pref.neg %t
      %m = pref.mean %n over token
      %loss = pref.mean %m over row
      pref.yield %loss
    }
    ```

    - (C1) the block takes no arguments and ends in `pref.yield`
    - (C2) only operations of this dialect occur
    - (C3) hyperparameters have different names
    - (C4) a response whose tokens are counted or named as an axis is read by some vocabulary operation
    - (C5) attributes without a dialect prefix are `paper` and `doc`
    - (C6) inputs, states and options of one name agree in everything but their operands
    - (C7) a state is updated exactly once, and only a state is
    - (C8) a distribution has at most one partner, and one factor to mix with it
    - (C9) at most 32 reads (8 of one distribution), 8 axes beside row, 16 inputs and 32 hyperparameters
    - (C10) texts are UTF-8
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<StrAttr>:$paper, OptionalAttr<StrAttr>:$doc);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
}

def Pref_HyperOp : Pref_TermOp<"hyper", [DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>]> {
  let summary = "a hyperparameter: a scalar given at run time";
  let description = [{
    Not removed when unused, so that the signature does not depend on simplifications; an unused hyperparameter in a
    definition is an error of its own.

    ```mlir
    %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inverse temperature"
    %e = pref.hyper "label_smoothing" default 0 in [0, 0.5)
    ```

    - (C1) the name is an identifier
    - (C2) the default is finite and in the range
    - (C3) the range is not empty
  }];
  let arguments = (ins StrAttr:$name, F64Attr:$defaultValue, F64Attr:$low, F64Attr:$high, UnitAttr:$lowClosed,
                       UnitAttr:$highClosed, OptionalAttr<StrAttr>:$doc);
  let assemblyFormat = [{
    $name `default` custom<Number>($defaultValue) `in` custom<Range>($low, $high, $lowClosed, $highClosed)
    (`doc` $doc^)? attr-dict `` custom<Inferred>(type($result))
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    double getDefaultNumber() { return getDefaultValue().convertToDouble(); }
    double getLowNumber() { return getLow().convertToDouble(); }
    double getHighNumber() { return getHigh().convertToDouble(); }
    bool contains(double value);
    // "(0, inf)"
    std::string getRangeText();
  }];
}

def Pref_ConstantOp : Pref_TermOp<"constant", [Pure, ConstantLike]> {
  let summary = "a number";
  let description = [{
    ```mlir
    %half = pref.constant 0.5
    ```

    - (C1) the number is finite
  }];
  let arguments = (ins F64Attr:$value);
  let assemblyFormat = "custom<Number>($value) attr-dict `` custom<Inferred>(type($result))";
  let hasFolder = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    double getNumber() { return getValue().convertToDouble(); }
  }];
}

def Pref_YieldOp : Pref_Op<"yield", [Pure, Terminator, HasParent<"ObjectiveOp">, AttrSizedOperandSegments]> {
  let summary = "the results of an objective";
  let description = [{
    A metric of axes `[row]` is reported as its mean over rows. Cotangents are written by `pref-differentiate`: the
    derivative of the loss by a read, per token. A read is named as its distribution where it is the log-probability,
    else `<distribution>#<operation>`.

    ```mlir
    pref.yield %loss metrics("margin" = %u) cotangents("policy.chosen" = %g, "policy.chosen#entropy" = %h)
    ```

    - (C1) the loss is `[]`
    - (C2) a metric is `[]` or `[row]`
    - (C3) metrics have different names, which are identifiers; with dots between them where `pref.apply` made them
    - (C4) a cotangent names a read with gradient, and has its axes
    - (C5) there is no cotangent, or one per read with gradient in the order of the reads
  }];
  let arguments = (ins Pref_Value:$loss, Variadic<Pref_Value>:$metrics, Variadic<Pref_Value>:$cotangents,
                       StrArrayAttr:$metricNames, StrArrayAttr:$cotangentNames);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

#endif  // ALIDADE_COMPILER_DIALECT_PREF_PREFSTRUCTUREOPS_TD_
