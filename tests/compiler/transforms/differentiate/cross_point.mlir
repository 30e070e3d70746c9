// RUN: pref-opt %s --pref-differentiate --canonicalize --cse | FileCheck %s

// Sorting is undone in reverse; a second sort by the same key is one permutation.
// CHECK-LABEL: pref.objective @sorted
pref.objective @sorted {
  // CHECK: %[[S:.*]] = pref.sum %policy_chosen over token
  // CHECK: %[[O:.*]] = pref.sort %[[S]] over row
  // CHECK: %[[E:.*]] = pref.exp %[[O]]
  // CHECK: %[[G:.*]] = pref.mul %{{.*}}, %[[E]]
  // CHECK: %[[U:.*]] = pref.unsort %[[G]] by %[[S]] over row
  // CHECK: %[[B:.*]] = pref.broadcast %[[U]] to [row, token(chosen)]
  // CHECK: cotangents("policy.chosen" = %[[B]])
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %o = pref.sort %s over row
  %e = pref.exp %o
  %m = pref.mean %e over row
  pref.yield %m
}

// CHECK-LABEL: pref.objective @unsorted
pref.objective @unsorted {
  // CHECK: %[[U:.*]] = pref.unsort %policy_chosen by %reference_chosen over token
  // CHECK: %[[E:.*]] = pref.exp %[[U]]
  // CHECK: %[[G:.*]] = pref.mul %{{.*}}, %[[E]]
  // CHECK: %[[O:.*]] = pref.sort %[[G]] by %reference_chosen over token
  // CHECK: cotangents("policy.chosen" = %[[O]])
  %t = pref.logprob policy(chosen)
  %r = pref.logprob reference(chosen)
  %u = pref.unsort %t by %r over token
  %e = pref.exp %u
  %s = pref.sum %e over token
  %m = pref.mean %s over row
  pref.yield %m
}

// A scan is differentiated by the scan in the other direction.
// CHECK-LABEL: pref.objective @scanned
pref.objective @scanned {
  // CHECK: %[[Y:.*]] = pref.scan %policy_chosen, %h over token{{$}}
  // CHECK: %[[E:.*]] = pref.exp %[[Y]]
  // CHECK: %[[G:.*]] = pref.mul %{{.*}}, %[[E]]
  // CHECK: %[[R:.*]] = pref.scan %[[G]], %h over token reverse
  // CHECK: cotangents("policy.chosen" = %[[R]])
  %h = pref.hyper "h" default 0.9 in [0, 1]
  %t = pref.logprob policy(chosen)
  %y = pref.scan %t, %h over token
  %e = pref.exp %y
  %s = pref.sum %e over token
  %m = pref.mean %s over row
  pref.yield %m
}
