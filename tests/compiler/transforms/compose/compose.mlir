// RUN: pref-opt %s --pref-inline --canonicalize --cse | FileCheck %s
// RUN: pref-opt %s | pref-opt | FileCheck %s --check-prefix=ROUNDTRIP

pref.objective @inner {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inner"
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %u = pref.mul %beta, %s
  %m = pref.mean %u over row
  pref.yield %m metrics("u" = %u)
}

// What is not bound surfaces; equal declarations and equal reads are one. A declaration may follow its use.
// CHECK-LABEL: pref.objective @merged
// ROUNDTRIP-LABEL: pref.objective @merged
pref.objective @merged {
  // CHECK-COUNT-1: pref.hyper "beta" default 0.1 in (0, inf) doc "outer"
  // CHECK-NOT: pref.hyper
  // CHECK-COUNT-1: pref.logprob policy(chosen)
  // CHECK-NOT: pref.logprob
  // CHECK: pref.yield %{{.*}} metrics("own" = %{{.*}}, "inner.u" = %[[U:.*]], "inner.loss" = %[[L:.*]], "other.u" = %[[U]], "other.loss" = %[[L]])
  // ROUNDTRIP: pref.apply @inner{{$}}
  %a = pref.apply @inner
  // ROUNDTRIP: pref.apply @inner as "other"
  %b = pref.apply @inner as "other"
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "outer"
  %c = pref.add %a, %b
  %d = pref.mul %c, %beta
  pref.yield %d metrics("own" = %d)
}

// Objectives inside objectives report under all their labels.
// CHECK-LABEL: pref.objective @middle
// ROUNDTRIP-LABEL: pref.objective @middle
pref.objective @middle {
  // CHECK: metrics("inner.u" = %{{.*}}, "inner.loss" = %{{.*}})
  // ROUNDTRIP: %[[G:.*]] = pref.hyper "gamma"
  %gamma = pref.hyper "gamma" default 2 in (0, 8)
  // ROUNDTRIP-NEXT: pref.apply @inner {beta = %[[G]]}
  %a = pref.apply @inner {beta = %gamma}
  pref.yield %a
}

// CHECK-LABEL: pref.objective @outer
pref.objective @outer {
  // CHECK: pref.hyper "gamma" default 2 in (0, 8)
  // CHECK-NOT: pref.hyper
  // CHECK: metrics("middle.inner.u" = %{{.*}}, "middle.inner.loss" = %[[L:.*]], "middle.loss" = %[[L]])
  %a = pref.apply @middle
  pref.yield %a
}

// CHECK-LABEL: pref.objective @option_inner
// ROUNDTRIP-LABEL: pref.objective @option_inner
pref.objective @option_inner {
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %e = pref.exp %s
  %o = pref.option "shape" default "plain" of "plain" = %s, "steep" = %e
  %m = pref.mean %o over row
  pref.yield %m
}

// CHECK-LABEL: pref.objective @chosen
// ROUNDTRIP-LABEL: pref.objective @chosen
pref.objective @chosen {
  // CHECK-NOT: pref.option
  // CHECK: pref.exp
  // ROUNDTRIP: pref.apply @option_inner [shape = "steep"]
  %a = pref.apply @option_inner [shape = "steep"]
  pref.yield %a
}

// CHECK-LABEL: pref.objective @not_chosen
pref.objective @not_chosen {
  // CHECK: pref.option "shape" default "plain"
  %a = pref.apply @option_inner
  pref.yield %a
}

pref.objective @stateful {
  %t = pref.logprob policy(chosen)
  %w = pref.input "weight" over [row]
  %s = pref.sum %t over token
  %d = pref.state "mean" default 0
  %p = pref.mul %s, %w
  %c = pref.sub %p, %d
  %m = pref.mean %c over row
  %x = pref.stop_gradient %m
  pref.update "mean" = %x
  pref.yield %m
}

// States belong to their label, equal inputs are one.
// CHECK-LABEL: pref.objective @states
pref.objective @states {
  // CHECK-COUNT-1: pref.input "weight" over [row]
  // CHECK: pref.state "stateful.mean" default 0
  // CHECK: pref.update "stateful.mean"
  // CHECK-NOT: pref.input
  // CHECK: pref.state "again.mean" default 0
  // CHECK: pref.update "again.mean"
  %a = pref.apply @stateful
  %b = pref.apply @stateful as "again"
  %c = pref.add %a, %b
  pref.yield %c
}
