// RUN: pref-opt %s | pref-opt | FileCheck %s
// RUN: pref-opt %s --mlir-print-op-generic | FileCheck %s --check-prefix=TYPES

// CHECK-LABEL: pref.objective @order
pref.objective @order {
  %x = pref.logprob policy(chosen)
  // CHECK: %[[S:.*]] = pref.sum %policy_chosen over token
  %s = pref.sum %x over token
  // CHECK-NEXT: pref.sort %policy_chosen over token
  // TYPES: "pref.sort"{{.*}} : (!pref.value<row, token(chosen)>) -> !pref.value<row, token(chosen)>
  %a = pref.sort %x over token
  // CHECK-NEXT: %[[B:.*]] = pref.sort %[[S]] over row
  // TYPES: "pref.sort"{{.*}} : (!pref.value<row>) -> !pref.value<row>
  %b = pref.sort %s over row
  // CHECK-NEXT: pref.sort %[[B]] by %[[S]] over row
  // TYPES: "pref.sort"{{.*}} : (!pref.value<row>, !pref.value<row>) -> !pref.value<row>
  %c = pref.sort %b by %s over row
  // CHECK-NEXT: pref.unsort %[[B]] by %[[S]] over row
  %d = pref.unsort %b by %s over row
  // CHECK-NEXT: %[[M:.*]] = pref.reduce_max %policy_chosen over token
  // TYPES: "pref.reduce_max"{{.*}} : (!pref.value<row, token(chosen)>) -> !pref.value<row>
  %m = pref.reduce_max %x over token
  // CHECK-NEXT: pref.reduce_max %[[M]] over row
  %n = pref.reduce_max %m over row
  // CHECK-NEXT: pref.sum %[[M]] over row scope ranks
  %o = pref.sum %m over row scope ranks
  // CHECK-NEXT: pref.mean %[[M]] over row scope ranks
  %p = pref.mean %m over row scope ranks
  pref.yield %n
}

// CHECK-LABEL: pref.objective @statistics
pref.objective @statistics {
  // CHECK: %[[E:.*]] = pref.constant 1.0e-08
  %eps = pref.constant 1.0e-08
  %x = pref.logprob policy(chosen)
  // CHECK: %[[S:.*]] = pref.std %policy_chosen over token
  // TYPES: "pref.std"{{.*}} : (!pref.value<row, token(chosen)>) -> !pref.value<row>
  %s = pref.std %x over token
  // CHECK-NEXT: pref.std %[[S]] over row unbiased
  // TYPES: "pref.std"{{.*}} : (!pref.value<row>) -> !pref.value<>
  %l = pref.std %s over row unbiased
  // CHECK-NEXT: pref.leave_one_out %policy_chosen over token
  // TYPES: "pref.leave_one_out"{{.*}} -> !pref.value<row, token(chosen)>
  %o = pref.leave_one_out %x over token
  // CHECK-NEXT: pref.whiten %[[S]] by %[[E]] over row
  // TYPES: "pref.whiten"{{.*}} : (!pref.value<row>, !pref.value<>) -> !pref.value<row>
  %w = pref.whiten %s by %eps over row
  pref.yield %l
}
