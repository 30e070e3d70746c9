// Operations along the points of one row: scans, spans, pairs, and sums of parts.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_PREFTOKENOPS_TD_
#define ALIDADE_COMPILER_DIALECT_PREF_PREFTOKENOPS_TD_

include "compiler/dialect/pref/PrefOpBase.td"

//===--- native ---===//

def Pref_ScanOp : Pref_TermOp<"scan", [
    Pure, DeclareOpInterfaceMethods<Pref_TermOpInterface, ["whyNoGradient", "getCrossedAxis"]>]> {
  let summary = "discounted running sum along tokens or members";
  let description = [{
    `y_t = x_t + decay * y_(t-1)`, or with `reverse` `y_t = x_t + decay * y_(t+1)`; the sum starts anew in every row.
    The derivative is the scan in the other direction. Targets accumulate in f64.

    ```mlir
    %advantage = pref.scan %delta, %decay over token reverse
    ```

    - (C1) the axis is the last axis of the operand, and `token` or `member`
    - (C2) the decay is `[]` or `[row]`
    - (C3) no gradient passes to the decay
  }];
  let arguments = (ins Pref_Value:$x, Pref_Value:$decay, Pref_AxisKindAttr:$axis, UnitAttr:$reverse);
  let assemblyFormat = [{
    $x `,` $decay `over` custom<AxisKind>($axis) (`reverse` $reverse^)? attr-dict ``
    custom<Inferred>(type($x), type($decay), type($result))
  }];
  let hasFolder = 1;
}

def Pref_SegmentSumOp : Pref_TermOp<"segment_sum", [
    Pure, DeclareOpInterfaceMethods<Pref_TermOpInterface, ["getCrossedAxis"]>]> {
  let summary = "sum over the tokens of every labelled span";
  let description = [{
    `y_s = sum over tokens t with ids_t = s of x_t`. `ids` counts the segments of a row from 0; a token whose id is
    negative, or not smaller than the number of segments of the row, is in none. No gradient passes to `ids`.

    ```mlir
    %phrase = pref.segment_sum %score by %ids to segment(phrase)     // [row, segment(phrase)]
    ```

    - (C1) the operand has axes `[row, token(R)]`
    - (C2) `ids` has the axes of the operand
    - (C3) the result's axis is a segment
  }];
  let arguments = (ins Pref_Value:$x, Pref_Value:$ids, Pref_AxisAttr:$segment);
  let assemblyFormat = [{
    $x `by` $ids `to` custom<Axis>($segment) attr-dict `` custom<Inferred>(type($x), type($ids), type($result))
  }];
}

def Pref_SegmentGatherOp : Pref_TermOp<"segment_gather", [
    Pure, DeclareOpInterfaceMethods<Pref_TermOpInterface, ["getCrossedAxis"]>]> {
  let summary = "the value of the span that a token is in";
  let description = [{
    `y_t = x_(ids_t)`, and 0 for a token in no segment: the adjoint of `pref.segment_sum`. No gradient passes to `ids`.

    ```mlir
    %weight = pref.segment_gather %phrase_weight by %ids             // [row, token(chosen)]
    ```

    - (C1) the operand has axes `[row, segment(S)]`
    - (C2) `ids` has axes `[row, token(R)]`
  }];
  let arguments = (ins Pref_Value:$x, Pref_Value:$ids);
  let assemblyFormat = [{
    $x `by` $ids attr-dict `` custom<Inferred>(type($x), type($ids), type($result))
  }];
}

def Pref_PairGatherOp : Pref_TermOp<"pair_gather", [
    Pure, DeclareOpInterfaceMethods<Pref_TermOpInterface, ["getCrossedAxis"]>]> {
  let summary = "the value of the first or second member of every pair";
  let description = [{
    A row of K members has the pairs (i, j), i < j, in the order (0, 1), (0, 2), ... (0, K-1), (1, 2), ...:
    `y_(i, j) = x_i` for `first`, `x_j` for `second`.

    ```mlir
    %better = pref.pair_gather %member_score first                   // [row, pair]
    %worse = pref.pair_gather %member_score second
    %margin = pref.sub %better, %worse
    ```

    - (C1) the operand has axes `[row, member]`
  }];
  let arguments = (ins Pref_Value:$x, Pref_PairSideAttr:$side);
  let assemblyFormat = "$x custom<PairSide>($side) attr-dict `` custom<Inferred>(type($x), type($result))";
}

def Pref_PairScatterOp : Pref_TermOp<"pair_scatter", [
    Pure, DeclareOpInterfaceMethods<Pref_TermOpInterface, ["getCrossedAxis"]>]> {
  let summary = "sum over the pairs of which a member is the first or second";
  let description = [{
    `y_i = sum over pairs (i, j) of x_(i, j)` for `first`, over pairs `(j, i)` for `second`: the adjoint of
    `pref.pair_gather`.

    ```mlir
    %wins = pref.pair_scatter %pair_margin first                     // [row, member]
    ```

    - (C1) the operand has axes `[row, pair]`
  }];
  let arguments = (ins Pref_Value:$x, Pref_PairSideAttr:$side);
  let assemblyFormat = "$x custom<PairSide>($side) attr-dict `` custom<Inferred>(type($x), type($result))";
}

//===--- composites ---===//

def Pref_WeightedSumOp : Pref_CompositeOp<"weighted_sum", "getAxis()"> {
  let summary = "weighted sum over one axis";
  let description = [{
    `sum_i w_i x_i`; with `normalized` divided by `sum_i w_i` where that is not 0, so that the result is 0 where all
    weights are.

    ```mlir
    %s = pref.weighted_sum %log_ratio, %weight over token normalized
    ```

    - (C1) the axis is the last axis of the operand
    - (C2) the weights have the axes of the operand
  }];
  let arguments = (ins Pref_Value:$x, Pref_Value:$weight, Pref_AxisKindAttr:$axis, UnitAttr:$normalized);
  let assemblyFormat = [{
    $x `,` $weight `over` custom<AxisKind>($axis) (`normalized` $normalized^)? attr-dict ``
    custom<Inferred>(type($x), type($weight), type($result))
  }];
}

class Pref_PartialSumOp<string mnemonic, string what, string formula> : Pref_CompositeOp<mnemonic, "getAxis()"> {
  let summary = what;
  let description = "\n    `" # formula # [{`, with points counted from 0. No gradient passes to `n`.

    ```mlir
    %shorter = pref.min %chosen_length, %rejected_length             // [row]
    %head = pref.sum_first %score, %shorter over token
    %tail = pref.sum_after %score, %shorter over token
    ```

    - (C1) the axis is the last axis of the operand
    - (C2) the axes of `n` are a prefix of the result's
  }];
  let arguments = (ins Pref_Value:$x, Pref_Value:$n, Pref_AxisKindAttr:$axis);
  let assemblyFormat = [{
    $x `,` $n `over` custom<AxisKind>($axis) attr-dict `` custom<Inferred>(type($x), type($n), type($result))
  }];
}
def Pref_SumFirstOp : Pref_PartialSumOp<"sum_first", "sum of the first n points of an axis", "sum_(i < n) x_i">;
def Pref_SumAfterOp : Pref_PartialSumOp<"sum_after", "sum of all but the first n points of an axis",
                                        "sum_(i >= n) x_i">;

def Pref_ScatterAtOp : Pref_CompositeOp<"scatter_at", "std::nullopt"> {
  let summary = "a value at one point of a further axis, 0 at all others";
  let description = [{
    `y_t = x where t = position, else 0`, with points counted from 0; such as a reward at the last token. A position
    that is no point of the row leaves only zeros. No gradient passes to the position.

    ```mlir
    %length = pref.count over token(response)
    %one = pref.constant 1
    %last = pref.sub %length, %one
    %token_reward = pref.scatter_at %outcome, %last over token(response)    // [row, token(response)]
    ```

    - (C1) the axis is not `row`
    - (C2) the axes of the operand and of the position are a prefix of the axis' parent's
  }];
  let arguments = (ins Pref_Value:$x, Pref_Value:$position, Pref_AxisAttr:$axis);
  let assemblyFormat = [{
    $x `,` $position `over` custom<Axis>($axis) attr-dict ``
    custom<Inferred>(type($x), type($position), type($result))
  }];
}

#endif  // ALIDADE_COMPILER_DIALECT_PREF_PREFTOKENOPS_TD_
