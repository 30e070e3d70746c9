// Operations that relate the points of an axis to each other: order and statistics.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_PREFBATCHOPS_TD_
#define ALIDADE_COMPILER_DIALECT_PREF_PREFBATCHOPS_TD_

include "compiler/dialect/pref/PrefOpBase.td"

//===--- native ---===//

def Pref_SortOp : Pref_TermOp<"sort", [
    Pure, DeclareOpInterfaceMethods<Pref_TermOpInterface, ["getCrossedAxis"]>]> {
  let summary = "the points of an axis in ascending order";
  let description = [{
    `y_r = x_i where i is the point of rank r`; with a key, of rank r among the key's points: the operand is reordered
    as sorting the key would. Equal numbers keep their order, nan comes last. The derivative puts every cotangent back
    where its number came from (`pref.unsort`); none passes to the key.

    ```mlir
    %quantiles = pref.sort %margin over row
    %by_margin = pref.sort %length by %margin over row
    ```

    - (C1) the axis is the last axis of the operand, and `row`, `member` or `token`
    - (C2) the key has the axes of the operand
  }];
  let arguments = (ins Pref_Value:$x, Optional<Pref_Value>:$key, Pref_AxisKindAttr:$axis);
  let assemblyFormat = [{
    $x `` custom<Key>($key, type($key)) `over` custom<AxisKind>($axis) attr-dict ``
    custom<Inferred>(type($x), type($result))
  }];
  let hasFolder = 1;
  let extraClassDeclaration = [{
    // What decides the order: the key, or the operand itself.
    ::mlir::Value getOrder() { return getKey() ? getKey() : getX(); }
  }];
}

def Pref_UnsortOp : Pref_TermOp<"unsort", [
    Pure, DeclareOpInterfaceMethods<Pref_TermOpInterface, ["getCrossedAxis"]>]> {
  let summary = "the inverse of sorting by a key";
  let description = [{
    `y_i = x_r where r is the rank of point i among the key's`: `pref.unsort (pref.sort %x by %key) by %key` is `x`. No
    gradient passes to the key.

    ```mlir
    %index = pref.position over row
    %rank = pref.unsort %index by %margin over row                   // 0 for the smallest margin
    ```

    - (C1) the axis is the last axis of the operand, and `row`, `member` or `token`
    - (C2) the key has the axes of the operand
  }];
  let arguments = (ins Pref_Value:$x, Pref_Value:$key, Pref_AxisKindAttr:$axis);
  let assemblyFormat = [{
    $x `by` $key `over` custom<AxisKind>($axis) attr-dict ``
    custom<Inferred>(type($x), type($key), type($result))
  }];
  let hasFolder = 1;
}

//===--- composites ---===//

def Pref_StdOp : Pref_CompositeOp<"std", "getAxis()"> {
  let summary = "standard deviation over one axis";
  let description = [{
    `sqrt(sum_i (x_i - mean)^2 / max(1, n))`; with `unbiased` the divisor is `max(1, n - 1)`, so that one point has
    deviation 0. The derivative is infinite where all points are equal, as that of `pref.sqrt` is at 0.

    ```mlir
    %spread = pref.std %reward over member unbiased
    ```

    - (C1) the axis is the last axis of the operand
  }];
  let arguments = (ins Pref_Value:$x, Pref_AxisKindAttr:$axis, UnitAttr:$unbiased);
  let assemblyFormat = [{
    $x `over` custom<AxisKind>($axis) (`unbiased` $unbiased^)? attr-dict `` custom<Inferred>(type($x), type($result))
  }];
}

def Pref_LeaveOneOutOp : Pref_CompositeOp<"leave_one_out", "getAxis()"> {
  let summary = "mean of the other points of an axis";
  let description = [{
    `y_i = (sum_j x_j - x_i) / max(1, n - 1)`: the baseline of RLOO. 0 where there is no other point.

    ```mlir
    %baseline = pref.leave_one_out %reward over member
    ```

    - (C1) the axis is the last axis of the operand
  }];
  let arguments = (ins Pref_Value:$x, Pref_AxisKindAttr:$axis);
  let assemblyFormat = "$x `over` custom<AxisKind>($axis) attr-dict `` custom<Inferred>(type($x), type($result))";
}

def Pref_WhitenOp : Pref_CompositeOp<"whiten", "getAxis()"> {
  let summary = "points of an axis shifted and scaled to mean 0 and variance 1";
  let description = [{
    `y_i = (x_i - mean) / sqrt(v + eps)`, with the unbiased variance `v = sum_j (x_j - mean)^2 / max(1, n - 1)`.

    ```mlir
    %eps = pref.constant 1.0e-08
    %advantage = pref.whiten %raw by %eps over row
    ```

    - (C1) the axis is the last axis of the operand
    - (C2) `eps` is `[]`
  }];
  let arguments = (ins Pref_Value:$x, Pref_Value:$eps, Pref_AxisKindAttr:$axis);
  let assemblyFormat = [{
    $x `by` $eps `over` custom<AxisKind>($axis) attr-dict `` custom<Inferred>(type($x), type($eps), type($result))
  }];
}

def Pref_QuantileOp : Pref_CompositeOp<"quantile", "getAxis()", [
    DeclareOpInterfaceMethods<Pref_TermOpInterface, ["isValueOnly"]>]> {
  let summary = "quantile over one axis, interpolated; no gradient passes";
  let description = [{
    With the points in ascending order `s_0, ..., s_(n-1)`, the number at the place `q (n - 1)`: linear between the two
    points around it. 0 of nothing; `q` below 0 counts as 0, above 1 as 1.

    ```mlir
    %threshold = pref.quantile %entropy at %q over token
    ```

    - (C1) the axis is the last axis of the operand, and `row`, `member` or `token`
    - (C2) the axes of `q` are a prefix of the result's
  }];
  let arguments = (ins Pref_Value:$x, Pref_Value:$q, Pref_AxisKindAttr:$axis);
  let assemblyFormat = [{
    $x `at` $q `over` custom<AxisKind>($axis) attr-dict `` custom<Inferred>(type($x), type($q), type($result))
  }];
}

def Pref_RandomSubsetOp : Pref_CompositeOp<"random_subset", "AxisKind::Row", [
    DeclareOpInterfaceMethods<Pref_TermOpInterface, ["isValueOnly"]>]> {
  let summary = "a random subset of the rows as a mask; no gradient passes";
  let description = [{
    1 for `m = floor(fraction n + 1/2)` of the n rows and 0 for the others, drawn one after the other without
    replacement, each time with probabilities proportional to the weights. Rows of weight 0 are drawn when no others are
    left. A function of its operands: the m rows of smallest `-log(u_i) / w_i` with `u = pref.uniform %seed over row`.

    ```mlir
    %mask = pref.random_subset %row_weight, %fraction, %seed over row
    ```

    - (C1) the weights have axes `[row]`
    - (C2) `fraction` and `seed` are `[]`
  }];
  let arguments = (ins Pref_Value:$weight, Pref_Value:$fraction, Pref_Value:$seed);
  let assemblyFormat = [{
    $weight `,` $fraction `,` $seed `over` `row` attr-dict ``
    custom<Inferred>(type($weight), type($fraction), type($seed), type($result))
  }];
}

#endif  // ALIDADE_COMPILER_DIALECT_PREF_PREFBATCHOPS_TD_
