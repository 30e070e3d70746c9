// RUN: pref-opt %s --canonicalize --cse | FileCheck %s

// Arithmetic happens on the fewest axes; the broadcast comes last.
// CHECK-LABEL: pref.objective @broadcast_last
pref.objective @broadcast_last {
  // CHECK: %[[S:.*]] = pref.sum %policy_chosen over token
  // CHECK-NEXT: %[[E:.*]] = pref.exp %[[S]]
  // CHECK-NEXT: %[[P:.*]] = pref.mul %[[E]], %[[S]]
  // CHECK-NEXT: %[[Q:.*]] = pref.add %policy_chosen, %[[P]]
  // CHECK-NEXT: pref.sum %[[Q]] over token
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %b = pref.broadcast %s to [row, token(chosen)]
  %e = pref.exp %b
  %p = pref.mul %e, %b
  %q = pref.add %t, %p
  %u = pref.sum %q over token
  %m = pref.mean %u over row
  pref.yield %m
}

// CHECK-LABEL: pref.objective @broadcast_twice
pref.objective @broadcast_twice {
  // CHECK: %[[G:.*]] = pref.broadcast %beta to [row, token(chosen)]
  // CHECK: pref.yield %{{.*}} cotangents("policy.chosen" = %[[G]])
  %b = pref.hyper "beta" default 1 in (0, inf)
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  %r = pref.broadcast %b to [row]
  %g = pref.broadcast %r to [row, token(chosen)]
  pref.yield %m cotangents("policy.chosen" = %g)
}

// CHECK-LABEL: pref.objective @sum_of_broadcast
pref.objective @sum_of_broadcast {
  // CHECK: %[[S:.*]] = pref.sum %policy_chosen over token
  // CHECK-NEXT: %[[N:.*]] = pref.count over token(chosen)
  // CHECK-NEXT: %[[P:.*]] = pref.mul %[[S]], %[[N]]
  // CHECK-NEXT: pref.mean %[[P]] over row
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %b = pref.broadcast %s to [row, token(chosen)]
  %u = pref.sum %b over token
  %m = pref.mean %u over row
  pref.yield %m
}

// Equal reads are one.
// CHECK-LABEL: pref.objective @equal_reads
pref.objective @equal_reads {
  // CHECK-COUNT-1: pref.logprob
  // CHECK-NOT: pref.logprob
  // CHECK: pref.yield
  %t = pref.logprob policy(chosen)
  %u = pref.logprob policy(chosen)
  %a = pref.add %t, %u
  %s = pref.sum %a over token
  %m = pref.mean %s over row
  pref.yield %m
}

// A hyperparameter is part of the signature, used or not.
// CHECK-LABEL: pref.objective @hyper
pref.objective @hyper {
  // CHECK: pref.hyper "beta"
  %b = pref.hyper "beta" default 1 in (0, inf)
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}
