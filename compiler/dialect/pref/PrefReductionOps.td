// Operations that change axes.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_PREFREDUCTIONOPS_TD_
#define ALIDADE_COMPILER_DIALECT_PREF_PREFREDUCTIONOPS_TD_

include "compiler/dialect/pref/PrefOpBase.td"

class Pref_ReductionOp<string mnemonic, string what, string formula, list<string> methods = []>
    : Pref_TermOp<mnemonic, [
        Pure, DeclareOpInterfaceMethods<Pref_TermOpInterface, ["getCrossedAxis"] # methods>]> {
  let summary = what;
  let description = "\n    `" # formula # [{`. Reduces the innermost axis; targets accumulate in f64.

    ```mlir
    %y = pref.}] # mnemonic # [{ %score over token
    ```

    - (C1) the axis is the last axis of the operand
  }];
  let arguments = (ins Pref_Value:$x, Pref_AxisKindAttr:$axis);
  let assemblyFormat = "$x `over` custom<AxisKind>($axis) attr-dict `` custom<Inferred>(type($x), type($result))";
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::inferReturnTypes(
        ::mlir::MLIRContext *context, std::optional<::mlir::Location> location, Adaptor adaptor,
        ::llvm::SmallVectorImpl<::mlir::Type> &inferred) {
      return inferReductionType(context, location, getOperationName(), adaptor.getX(), adaptor.getAxis(), inferred);
    }
    std::optional<AxisKind> $cppClass::getCrossedAxis() { return getAxis(); }
  }];
}

// A sum whose rows may lie on several ranks.
class Pref_SumLikeOp<string mnemonic, string what, string formula>
    : Pref_ReductionOp<mnemonic, what, formula, ["whyNoGradient", "crossesRanks"]> {
  let description = "\n    `" # formula # [{`. Reduces the innermost axis; targets accumulate in f64. With
    `scope ranks` the rows of all ranks count, else those of the batch at hand.

    ```mlir
    %of_row = pref.}] # mnemonic # [{ %score over token
    %of_all = pref.}] # mnemonic # [{ %of_row over row scope ranks
    ```

    - (C1) the axis is the last axis of the operand
    - (C2) `scope ranks` only over row
    - (C3) no gradient passes across ranks
  }];
  let arguments = (ins Pref_Value:$x, Pref_AxisKindAttr:$axis, UnitAttr:$ranks);
  let assemblyFormat = [{
    $x `over` custom<AxisKind>($axis) (`scope` `ranks` $ranks^)? attr-dict `` custom<Inferred>(type($x), type($result))
  }];
  let hasVerifier = 1;
}

def Pref_SumOp : Pref_SumLikeOp<"sum", "sum over one axis", "sum_i x_i"> {
  let hasCanonicalizer = 1;
}
def Pref_MeanOp : Pref_SumLikeOp<"mean", "mean over one axis; 0 of nothing", "sum_i x_i / max(1, count)">;

def Pref_ReduceMaxOp : Pref_ReductionOp<"reduce_max", "largest point of one axis, -inf of nothing; no gradient passes",
    "max_i x_i", ["isValueOnly"]>;

def Pref_CountOp : Pref_TermOp<"count", [Pure]> {
  let summary = "length of an axis";
  let description = [{
    `count over row` is the number of rows of the whole batch, also when a schedule runs the objective on a part of it;
    `count over token(R)` is the number of scored tokens of each row's response R, `count over token(member)` of each
    member; so for every axis: the result has the axes of the parent.

    ```mlir
    %rows = pref.count over row                 // []
    %length = pref.count over token(chosen)     // [row]
    ```
  }];
  let arguments = (ins Pref_AxisAttr:$axis);
  let assemblyFormat = "`over` custom<Axis>($axis) attr-dict `` custom<Inferred>(type($result))";
}

def Pref_BroadcastOp : Pref_TermOp<"broadcast", [Pure]> {
  let summary = "the same value at every point of more axes";
  let description = [{
    Element-wise operations broadcast by themselves; this makes the axes explicit where they matter: as a cotangent and
    below a reduction.

    ```mlir
    %wide = pref.broadcast %margin to [row, token(chosen)]
    ```

    - (C1) the axes of the operand are a proper prefix of the axes of the result
  }];
  let arguments = (ins Pref_Value:$x, Pref_AxesAttr:$axes);
  let assemblyFormat = "$x `to` custom<Axes>($axes) attr-dict `` custom<Inferred>(type($x), type($result))";
  let hasFolder = 1;
}

#endif  // ALIDADE_COMPILER_DIALECT_PREF_PREFREDUCTIONOPS_TD_
