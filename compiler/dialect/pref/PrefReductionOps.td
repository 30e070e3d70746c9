// Operations that read distributions, and those that change axes.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_PREFREDUCTIONOPS_TD_
#define ALIDADE_COMPILER_DIALECT_PREF_PREFREDUCTIONOPS_TD_

include "compiler/dialect/pref/PrefOpBase.td"

def Pref_LogProbOp : Pref_TermOp<"logprob", [
    Pure, DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>]> {
  let summary = "log-probability of every scored token of a response";
  let description = [{
    `log softmax(z)[label]` per scored token, of axes `[row, token(response)]`. A policy's log-probability carries a
    gradient unless it is `detached`; no other model's does.

    ```mlir
    %pw = pref.logprob policy(chosen)
    %pc = pref.logprob policy(chosen) on corrupted("crop") detached
    ```

    - (C1) only a policy can be `detached`
  }];
  let arguments = (ins Pref_DistributionAttr:$distribution, UnitAttr:$detached);
  let assemblyFormat = [{
    custom<Distribution>($distribution) (`detached` $detached^)? attr-dict `` custom<Inferred>(type($result))
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    // A policy read that is not detached.
    bool hasGradient();
  }];
}

class Pref_ReductionOp<string mnemonic, string what, string formula> : Pref_TermOp<mnemonic, [Pure]> {
  let summary = what;
  let description = "`" # formula # [{`. Reduces the innermost axis; targets accumulate in f64.

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
  }];
}

def Pref_SumOp : Pref_ReductionOp<"sum", "sum over one axis", "sum_i x_i"> {
  let hasCanonicalizer = 1;
}
def Pref_MeanOp : Pref_ReductionOp<"mean", "mean over one axis; 0 of nothing", "sum_i x_i / max(1, count)">;

def Pref_CountOp : Pref_TermOp<"count", [Pure]> {
  let summary = "length of an axis";
  let description = [{
    `count over row` is the number of rows of the whole batch, also when a schedule runs the objective on a part of it;
    `count over token(R)` is the number of scored tokens of each row's response R.

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

    - (C1) the axes of the operand are a proper prefix of the axes of the result
  }];
  let arguments = (ins Pref_Value:$x, Pref_AxesAttr:$axes);
  let assemblyFormat = "$x `to` custom<Axes>($axes) attr-dict `` custom<Inferred>(type($x), type($result))";
  let hasFolder = 1;
}

#endif  // ALIDADE_COMPILER_DIALECT_PREF_PREFREDUCTIONOPS_TD_
