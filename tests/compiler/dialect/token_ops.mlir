// RUN: pref-opt %s | pref-opt | FileCheck %s
// RUN: pref-opt %s --mlir-print-op-generic | FileCheck %s --check-prefix=TYPES

// CHECK-LABEL: pref.objective @tokens
pref.objective @tokens {
  %h = pref.hyper "h" default 0.9 in [0, 1]
  %x = pref.logprob policy(chosen)
  %z = pref.logprob reference(chosen)
  // CHECK: pref.scan %policy_chosen, %h over token{{$}}
  // TYPES: "pref.scan"{{.*}} : (!pref.value<row, token(chosen)>, !pref.value<>) -> !pref.value<row, token(chosen)>
  %a = pref.scan %x, %h over token
  // CHECK-NEXT: pref.scan %policy_chosen, %h over token reverse
  %b = pref.scan %x, %h over token reverse
  // CHECK-NEXT: pref.weighted_sum %policy_chosen, %reference_chosen over token{{$}}
  // TYPES: "pref.weighted_sum"{{.*}} -> !pref.value<row>
  %c = pref.weighted_sum %x, %z over token
  // CHECK-NEXT: pref.weighted_sum %policy_chosen, %reference_chosen over token normalized
  %d = pref.weighted_sum %x, %z over token normalized
  %l = pref.mean %d over row
  pref.yield %l
}
