// RUN: pref-opt %s --pref-expand-composites | FileCheck %s --check-prefixes=CHECK,BEFORE
// RUN: pref-opt %s --pref-expand-composites --pref-differentiate --pref-expand-composites | FileCheck %s --check-prefixes=CHECK,AFTER

// A value-only composite stays until the objective is differentiated.
// CHECK-LABEL: pref.objective @value_only
pref.objective @value_only {
  // BEFORE: pref.quantile
  // AFTER-NOT: pref.quantile
  // AFTER: pref.position over token(chosen)
  // AFTER: pref.sort %reference_chosen over token
  // BEFORE: pref.random_subset
  // AFTER-NOT: pref.random_subset
  // AFTER: pref.uniform %{{.*}} over row
  // AFTER: pref.unsort %{{.*}} by %{{.*}} over row
  // AFTER: pref.compare le
  %q = pref.constant 0.5
  %t = pref.logprob policy(chosen)
  %r = pref.logprob reference(chosen)
  %e = pref.quantile %r at %q over token
  %w = pref.exp %e
  %m = pref.random_subset %w, %q, %q over row
  %s = pref.sum %t over token
  %p = pref.mul %s, %m
  %l = pref.mean %p over row
  pref.yield %l
}

// What carries a gradient is expanded at once.
// CHECK-LABEL: pref.objective @partial_sums
pref.objective @partial_sums {
  // CHECK: %[[I:.*]] = pref.position over token(chosen)
  // CHECK-NEXT: %[[H:.*]] = pref.compare lt %[[I]], %[[N:.*]]
  // CHECK-NEXT: %[[Z:.*]] = pref.constant 0
  // CHECK-NEXT: %[[X:.*]] = pref.where %[[H]], %policy_chosen, %[[Z]]
  // CHECK-NEXT: pref.sum %[[X]] over token
  // CHECK: %[[J:.*]] = pref.position over token(chosen)
  // CHECK-NEXT: %[[K:.*]] = pref.compare lt %[[J]], %[[N]]
  // CHECK-NEXT: %[[Y:.*]] = pref.constant 0
  // CHECK-NEXT: %[[T:.*]] = pref.where %[[K]], %[[Y]], %policy_chosen
  // CHECK-NEXT: pref.sum %[[T]] over token
  %n = pref.count over token(rejected)
  %t = pref.logprob policy(chosen)
  %u = pref.logprob reference(rejected)
  %a = pref.sum_first %t, %n over token
  %b = pref.sum_after %t, %n over token
  %v = pref.sum %u over token
  %c = pref.mul %a, %b
  %d = pref.mul %c, %v
  %l = pref.mean %d over row
  pref.yield %l
}

// CHECK-LABEL: pref.objective @weighted
pref.objective @weighted {
  // CHECK: %[[P:.*]] = pref.mul %policy_chosen, %reference_chosen
  // CHECK-NEXT: %[[S:.*]] = pref.sum %[[P]] over token
  // CHECK-NEXT: %[[W:.*]] = pref.sum %reference_chosen over token
  // CHECK-NEXT: %[[Z:.*]] = pref.constant 0
  // CHECK-NEXT: %[[E:.*]] = pref.compare eq %[[W]], %[[Z]]
  // CHECK-NEXT: %[[O:.*]] = pref.constant 1
  // CHECK-NEXT: %[[D:.*]] = pref.where %[[E]], %[[O]], %[[W]]
  // CHECK-NEXT: pref.div %[[S]], %[[D]]
  %t = pref.logprob policy(chosen)
  %r = pref.logprob reference(chosen)
  %s = pref.weighted_sum %t, %r over token normalized
  %l = pref.mean %s over row
  pref.yield %l
}
