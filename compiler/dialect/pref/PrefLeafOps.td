// Operations whose results come from outside the formula: data, choices, state, positions, random numbers.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_PREFLEAFOPS_TD_
#define ALIDADE_COMPILER_DIALECT_PREF_PREFLEAFOPS_TD_

include "compiler/dialect/pref/PrefOpBase.td"

def Pref_InputOp : Pref_TermOp<"input", [Pure, DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>]> {
  let summary = "numbers that the caller gives with the batch";
  let description = [{
    One number per point of the axes, such as an advantage, a label or a token index (an exact integer). Never carries a
    gradient. Operations of one name are the same input.

    ```mlir
    %advantage = pref.input "advantage" over [row, member] doc "group-normalised reward"
    %step = pref.input "step" over []
    ```

    - (C1) the name is an identifier
    - (C2) the axes are those of a value
  }];
  let arguments = (ins StrAttr:$name, Pref_AxesAttr:$axes, OptionalAttr<StrAttr>:$doc);
  let assemblyFormat = [{
    $name `over` custom<Axes>($axes) (`doc` $doc^)? attr-dict `` custom<Inferred>(type($result))
  }];
  let hasVerifier = 1;
}

def Pref_OptionOp : Pref_TermOp<"option", [Pure]> {
  let summary = "a choice made when the objective is compiled";
  let description = [{
    The operand of the chosen case. `pref-resolve-options` puts it in place of the operation, and what only other cases need
    goes; until then the default is meant. Several operations of one name are chosen together.

    ```mlir
    %score = pref.option "f_divergence_type" default "reverse_kl" of "reverse_kl" = %a, "js_divergence" = %b
        doc "transform of the log-ratios"
    ```

    - (C1) of any two operands, the axes of one are a prefix of the axes of the other
    - (C2) the name and the cases are identifiers, and the cases are different
    - (C3) the default is one of the cases
  }];
  let arguments = (ins StrAttr:$name, StrAttr:$defaultCase, StrArrayAttr:$cases, Variadic<Pref_Value>:$values,
                       OptionalAttr<StrAttr>:$doc);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    // The operand of a case; null when there is no such case.
    ::mlir::Value getValueOf(::llvm::StringRef name);
    ::llvm::SmallVector<::llvm::StringRef> getCaseNames();
  }];
}

def Pref_StateOp : Pref_TermOp<"state", [DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>]> {
  let summary = "a number that lives from step to step";
  let description = [{
    Its value at the start of the step; `pref.update` says the value at its end. Whoever runs the objective keeps it, and
    writes it into checkpoints. f64 everywhere. Not removed when unused, as its update stays.

    ```mlir
    %mean = pref.state "mean" default 0 doc "running mean of rewards"
    %sum = pref.add %mean, %reward_mean
    %next = pref.mul %half, %sum
    pref.update "mean" = %next
    ```

    - (C1) the name is an identifier; with dots between them where `pref.apply` made it
    - (C2) the default is finite
  }];
  let arguments = (ins StrAttr:$name, F64Attr:$defaultValue, OptionalAttr<StrAttr>:$doc);
  let assemblyFormat = [{
    $name `default` custom<Number>($defaultValue) (`doc` $doc^)? attr-dict `` custom<Inferred>(type($result))
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    double getDefaultNumber() { return getDefaultValue().convertToDouble(); }
  }];
}

def Pref_UpdateOp : Pref_Op<"update", [HasParent<"ObjectiveOp">]> {
  let summary = "the value of a state at the end of the step";
  let description = [{
    No gradient passes into it.

    ```mlir
    %before = pref.state "reward" default 0
    pref.update "reward" = %reward_mean
    ```

    - (C1) the value is `[]`
  }];
  let arguments = (ins StrAttr:$name, Pref_Value:$x);
  let assemblyFormat = "$name `=` $x attr-dict `` custom<Inferred>(type($x))";
  let hasVerifier = 1;
}

def Pref_PositionOp : Pref_TermOp<"position", [Pure]> {
  let summary = "the place of a point among its siblings, from 0";
  let description = [{
    ```mlir
    %t = pref.position over token(chosen)       // [row, token(chosen)]: 0, 1, 2, ... in every row
    %row = pref.position over row               // [row]: the number of the row in the whole batch
    ```
  }];
  let arguments = (ins Pref_AxisAttr:$axis);
  let assemblyFormat = "`over` custom<Axis>($axis) attr-dict `` custom<Inferred>(type($result))";
}

def Pref_PairIndexOp : Pref_TermOp<"pair_index", [Pure]> {
  let summary = "which member is the first or second of a pair";
  let description = [{
    The pairs of a row of K members are (i, j), i < j, in the order (0, 1), (0, 2), ... (0, K-1), (1, 2), ...; `first` is
    i and `second` is j, counted from 0 within the row.

    ```mlir
    %i = pref.pair_index first                  // [row, pair]
    ```
  }];
  let arguments = (ins Pref_PairSideAttr:$side);
  let assemblyFormat = "custom<PairSide>($side) attr-dict `` custom<Inferred>(type($result))";
}

def Pref_UniformOp : Pref_TermOp<"uniform", [Pure, DeclareOpInterfaceMethods<Pref_TermOpInterface, ["isValueOnly"]>]> {
  let summary = "random numbers in (0, 1), a function of a seed";
  let description = [{
    One number per point, from the seed (truncated to an integer; at most 2^62 in size) and the position k of the point in the packed order of the
    whole batch: `(h >> 11 + 1/2) 2^-53` with h = splitmix64's finaliser of `seed * 0x9E3779B97F4A7C15 + k + 1` in 64-bit
    arithmetic. The same wherever and in whatever parts the objective is run.

    ```mlir
    %seed = pref.input "step" over []
    %u = pref.uniform %seed over row            // [row]
    ```

    - (C1) the seed is `[]`
  }];
  let arguments = (ins Pref_Value:$seed, Pref_AxisAttr:$axis);
  let assemblyFormat = "$seed `over` custom<Axis>($axis) attr-dict `` custom<Inferred>(type($seed), type($result))";
}

#endif  // ALIDADE_COMPILER_DIALECT_PREF_PREFLEAFOPS_TD_
