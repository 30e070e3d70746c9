// RUN: pref-opt %s | pref-opt | FileCheck %s
// RUN: pref-opt %s --mlir-print-op-generic | pref-opt | FileCheck %s

// CHECK-LABEL: pref.objective @all attributes {doc = "a test", paper = "arXiv:1"} {
pref.objective @all attributes {paper = "arXiv:1", doc = "a test"} {
  // CHECK-NEXT: %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "temperature"
  %b = pref.hyper "beta" default 0.1 in (0, inf) doc "temperature"
  // CHECK-NEXT: %epsilon = pref.hyper "epsilon" default 0 in [0, 0.5)
  %e = pref.hyper "epsilon" default 0.0 in [0, 0.5)
  // CHECK-NEXT: %delta = pref.hyper "delta" default -1.5 in (-inf, 2]
  %d = pref.hyper "delta" default -1.5 in (-inf, 2]
  // CHECK-NEXT: pref.constant 1.0e-05
  %c = pref.constant 0.00001
  // CHECK-NEXT: pref.constant -3
  %m = pref.constant -3
  // CHECK-NEXT: %policy_chosen = pref.logprob policy(chosen)
  %0 = pref.logprob policy(chosen)
  // CHECK-NEXT: %old_policy_rejected = pref.logprob old_policy(rejected)
  %1 = pref.logprob old_policy(rejected)
  // CHECK-NEXT: %policy_chosen_corrupted = pref.logprob policy(chosen) on corrupted("crop")
  %2 = pref.logprob policy(chosen) on corrupted("crop")
  // CHECK-NEXT: %policy_response_blank = pref.logprob policy(response) on blank detached
  %3 = pref.logprob policy(response) on blank detached
  // CHECK-NEXT: %reference_chosen_retrieved = pref.logprob reference(chosen) on retrieved
  %4 = pref.logprob reference(chosen) on retrieved
  // CHECK-NEXT: %[[S:.*]] = pref.sum %policy_chosen over token
  %5 = pref.sum %0 over token
  // CHECK-NEXT: %[[L:.*]] = pref.mean %[[S]] over row
  %6 = pref.mean %5 over row
  // CHECK-NEXT: pref.yield %[[L]] metrics("a" = %[[S]], "b" = %beta)
  pref.yield %6 metrics("a" = %5, "b" = %b)
}

// The view `clean` is the default, and is not printed.
// CHECK-LABEL: pref.objective @clean {
pref.objective @clean {
  // CHECK-NEXT: pref.logprob policy(chosen){{$}}
  %0 = pref.logprob policy(chosen) on clean
  %1 = pref.mean %0 over token
  %2 = pref.mean %1 over row
  pref.yield %2
}
