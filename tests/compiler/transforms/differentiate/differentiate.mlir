// RUN: pref-opt %s --pref-differentiate --canonicalize --cse | FileCheck %s

// No gradient through a stopped value, a detached read or another model; the value stays.
// CHECK-LABEL: pref.objective @stopped
pref.objective @stopped {
  // CHECK-NOT: pref.stop_gradient
  // CHECK: %[[P:.*]] = pref.sum %policy_chosen over token
  // CHECK: %[[R:.*]] = pref.sum %reference_chosen over token
  // CHECK: %[[W:.*]] = pref.mul %[[P]], %[[R]]
  // CHECK: %[[Q:.*]] = pref.div %{{.*}}, %{{.*}}
  // CHECK: %[[G:.*]] = pref.mul %[[Q]], %[[W]]
  // CHECK: %[[B:.*]] = pref.broadcast %[[G]] to [row, token(chosen)]
  // CHECK: cotangents("policy.chosen" = %[[B]])
  %t = pref.logprob policy(chosen)
  %r = pref.logprob reference(chosen)
  %s = pref.sum %t over token
  %q = pref.sum %r over token
  %w = pref.mul %s, %q
  %stopped = pref.stop_gradient %w
  %p = pref.mul %stopped, %s
  %m = pref.mean %p over row
  pref.yield %m
}

// The cotangents of a distribution's reads are summed; a detached one adds nothing.
// CHECK-LABEL: pref.objective @detached
pref.objective @detached {
  // CHECK: %[[D:.*]] = pref.logprob policy(chosen) detached
  // CHECK: %[[T:.*]] = pref.logprob policy(chosen){{$}}
  // CHECK: %[[Q:.*]] = pref.div %{{.*}}, %{{.*}}
  // CHECK: %[[G:.*]] = pref.mul %[[Q]], %[[D]]
  // CHECK: cotangents("policy.chosen" = %[[G]])
  %d = pref.logprob policy(chosen) detached
  %t = pref.logprob policy(chosen)
  %p = pref.mul %d, %t
  %s = pref.sum %p over token
  %m = pref.mean %s over row
  pref.yield %m
}

// A value used twice receives both cotangents; [row] metrics become means.
// CHECK-LABEL: pref.objective @twice
pref.objective @twice {
  // CHECK: %[[S:.*]] = pref.sum %policy_chosen over token
  // CHECK: %[[E:.*]] = pref.exp %[[S]]
  // CHECK: %[[Q:.*]] = pref.div %{{.*}}, %{{.*}}
  // CHECK: %[[A:.*]] = pref.mul %[[Q]], %[[E]]
  // CHECK: %[[P:.*]] = pref.sigmoid %[[S]]
  // CHECK: %[[B:.*]] = pref.mul %[[Q]], %[[P]]
  // CHECK: %[[G:.*]] = pref.add %[[A]], %[[B]]
  // CHECK: pref.broadcast %[[G]] to [row, token(chosen)]
  // CHECK: %[[M:.*]] = pref.mean %[[S]] over row
  // CHECK: pref.yield %{{.*}} metrics("s" = %[[M]])
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %a = pref.softplus %s
  %b = pref.exp %s
  %c = pref.add %a, %b
  %m = pref.mean %c over row
  pref.yield %m metrics("s" = %s)
}

// What was broadcast receives a sum: here the [row] score, from its tokens.
// CHECK-LABEL: pref.objective @broadcast
pref.objective @broadcast {
  // CHECK: %[[S:.*]] = pref.sum %policy_chosen over token
  // CHECK: %[[E:.*]] = pref.exp
  // CHECK: %[[A:.*]] = pref.mul %{{.*}}, %[[E]]
  // CHECK-NEXT: %[[P:.*]] = pref.mul %[[A]], %policy_rejected
  // CHECK: %[[B:.*]] = pref.mul %[[A]], %[[S]]
  // CHECK: %[[R:.*]] = pref.sum %[[P]] over token
  // CHECK: %[[G:.*]] = pref.broadcast %[[R]] to [row, token(chosen)]
  // CHECK: cotangents("policy.chosen" = %[[G]], "policy.rejected" = %[[B]])
  %t = pref.logprob policy(chosen)
  %u = pref.logprob policy(rejected)
  %s = pref.sum %t over token
  %p = pref.mul %s, %u
  %e = pref.exp %p
  %q = pref.sum %e over token
  %m = pref.mean %q over row
  pref.yield %m
}
