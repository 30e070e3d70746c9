// RUN: pref-opt %s | pref-opt | FileCheck %s
// RUN: pref-opt %s --mlir-print-op-generic | pref-opt | FileCheck %s
// RUN: pref-opt %s --mlir-print-op-generic | FileCheck %s --check-prefix=TYPES

// CHECK-LABEL: pref.objective @leaves
pref.objective @leaves {
  // CHECK-NEXT: %advantage = pref.input "advantage" over [row, member] doc "group-normalised reward"
  // TYPES: "pref.input"{{.*}} -> !pref.value<row, member>
  %0 = pref.input "advantage" over [row, member] doc "group-normalised reward"
  // CHECK-NEXT: %step = pref.input "step" over []
  // TYPES: "pref.input"{{.*}} -> !pref.value<>
  %1 = pref.input "step" over []
  // CHECK-NEXT: %phrase = pref.input "phrase" over [row, segment(phrase)]
  // TYPES: "pref.input"{{.*}} -> !pref.value<row, segment(phrase)>
  %2 = pref.input "phrase" over [row, segment(phrase)]
  // CHECK-NEXT: %mean = pref.state "mean" default 0.5 doc "running mean"
  %3 = pref.state "mean" default 0.5 doc "running mean"
  // CHECK-NEXT: %[[P:.*]] = pref.position over token(member)
  // TYPES: "pref.position"{{.*}} -> !pref.value<row, member, token(member)>
  %4 = pref.position over token(member)
  // CHECK-NEXT: %[[R:.*]] = pref.position over row
  // TYPES: "pref.position"{{.*}} -> !pref.value<row>
  %5 = pref.position over row
  // CHECK-NEXT: %[[I:.*]] = pref.pair_index first
  // TYPES: "pref.pair_index"{{.*}} -> !pref.value<row, pair>
  %6 = pref.pair_index first
  // CHECK-NEXT: %[[J:.*]] = pref.pair_index second
  %7 = pref.pair_index second
  // CHECK-NEXT: %[[U:.*]] = pref.uniform %step over row
  // TYPES: "pref.uniform"{{.*}} -> !pref.value<row>
  %8 = pref.uniform %1 over row
  // CHECK-NEXT: %[[C:.*]] = pref.count over token(member)
  // TYPES: "pref.count"{{.*}} -> !pref.value<row, member>
  %9 = pref.count over token(member)
  // CHECK-NEXT: pref.count over pair
  // TYPES: "pref.count"{{.*}} -> !pref.value<row>
  %10 = pref.count over pair
  %t = pref.logprob policy(member)
  %a = pref.add %t, %4
  %b = pref.sum %a over token
  %c = pref.mul %b, %0
  %d = pref.div %c, %9
  %e = pref.sum %d over member
  %f = pref.sub %6, %7
  // TYPES: (!pref.value<row, pair>) -> !pref.value<row>
  %g = pref.sum %f over pair
  %h = pref.sum %2 over segment
  %i = pref.add %e, %g
  %j = pref.add %i, %h
  %k = pref.add %j, %5
  %l = pref.add %k, %8
  %n = pref.sub %l, %3
  %o = pref.mul %n, %10
  // CHECK: pref.option "norm" default "sum" of "sum" = %{{.*}}, "mean" = %{{.*}} doc "over rows"
  // TYPES: "pref.option"{{.*}} : (!pref.value<>, !pref.value<row>) -> !pref.value<row>
  %p = pref.option "norm" default "sum" of "sum" = %3, "mean" = %o doc "over rows"
  %q = pref.mul %p, %o
  %m = pref.mean %q over row
  // CHECK: pref.update "mean" = %{{.*}}
  pref.update "mean" = %m
  pref.yield %m
}

// An input that is named twice is one input.
// CHECK-LABEL: pref.objective @twice
pref.objective @twice {
  // CHECK: pref.input "weight" over [row]
  %v = pref.input "weight" over [row]
  // CHECK: pref.input "weight" over [row]
  %w = pref.input "weight" over [row]
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %a = pref.mul %s, %v
  %b = pref.add %a, %w
  %m = pref.mean %b over row
  pref.yield %m
}
