// RUN: pref-opt %s | pref-opt | FileCheck %s
// RUN: pref-opt %s --mlir-print-op-generic | FileCheck %s --check-prefix=TYPES

// CHECK-LABEL: pref.objective @axes
pref.objective @axes {
  // TYPES: "pref.logprob"{{.*}} -> !pref.value<row, token(chosen)>
  %t = pref.logprob policy(chosen)
  // CHECK: %[[S:.*]] = pref.sum %policy_chosen over token
  // TYPES: "pref.sum"{{.*}} : (!pref.value<row, token(chosen)>) -> !pref.value<row>
  %s = pref.sum %t over token
  // CHECK-NEXT: pref.mean %policy_chosen over token
  %m = pref.mean %t over token
  // CHECK-NEXT: pref.count over token(chosen)
  // TYPES: "pref.count"{{.*}} -> !pref.value<row>
  %n = pref.count over token(chosen)
  // CHECK-NEXT: pref.count over row
  // TYPES: "pref.count"{{.*}} -> !pref.value<>
  %r = pref.count over row
  // CHECK-NEXT: pref.broadcast %[[S]] to [row, token(chosen)]
  // TYPES: "pref.broadcast"{{.*}} : (!pref.value<row>) -> !pref.value<row, token(chosen)>
  %b = pref.broadcast %s to [row, token(chosen)]
  // CHECK-NEXT: pref.broadcast %{{.*}} to [row]
  %c = pref.broadcast %r to [row]
  // CHECK-NEXT: pref.sum %[[S]] over row
  // TYPES: "pref.sum"{{.*}} : (!pref.value<row>) -> !pref.value<>
  %l = pref.sum %s over row
  pref.yield %l
}
