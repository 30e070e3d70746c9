// RUN: pref-opt %s | pref-opt | FileCheck %s
// RUN: pref-opt %s --mlir-print-op-generic | FileCheck %s --check-prefix=TYPES

// CHECK-LABEL: pref.objective @unary
pref.objective @unary {
  %t = pref.logprob policy(chosen)
  // CHECK: %[[X:.*]] = pref.neg %policy_chosen{{$}}
  // TYPES: "pref.neg"(%{{.*}}) : (!pref.value<row, token(chosen)>) -> !pref.value<row, token(chosen)>
  %x = pref.neg %t
  // CHECK-NEXT: pref.abs %[[X]]
  %0 = pref.abs %x
  // CHECK-NEXT: pref.square %[[X]]
  %1 = pref.square %x
  // CHECK-NEXT: pref.sqrt %[[X]]
  %2 = pref.sqrt %x
  // CHECK-NEXT: pref.exp %[[X]]
  %3 = pref.exp %x
  // CHECK-NEXT: pref.log %[[X]]
  %4 = pref.log %x
  // CHECK-NEXT: pref.log1p %[[X]]
  %5 = pref.log1p %x
  // CHECK-NEXT: pref.expm1 %[[X]]
  %6 = pref.expm1 %x
  // CHECK-NEXT: pref.sigmoid %[[X]]
  %7 = pref.sigmoid %x
  // CHECK-NEXT: pref.log_sigmoid %[[X]]
  %8 = pref.log_sigmoid %x
  // CHECK-NEXT: pref.softplus %[[X]]
  %9 = pref.softplus %x
  // CHECK-NEXT: pref.log1mexp %[[X]]
  %10 = pref.log1mexp %x
  // CHECK-NEXT: pref.relu %[[X]]
  %11 = pref.relu %x
  // CHECK-NEXT: pref.sign %[[X]]
  %12 = pref.sign %x
  // CHECK-NEXT: pref.stop_gradient %[[X]]
  %13 = pref.stop_gradient %x
  %s = pref.sum %x over token
  %l = pref.mean %s over row
  pref.yield %l
}

// Prefix broadcasting: the result has the longer axes.
// CHECK-LABEL: pref.objective @binary
pref.objective @binary {
  %h = pref.hyper "h" default 1 in (0, inf)
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  // CHECK: pref.add %h, %policy_chosen
  // TYPES: "pref.add"(%{{.*}}) : (!pref.value<>, !pref.value<row, token(chosen)>) -> !pref.value<row, token(chosen)>
  %0 = pref.add %h, %t
  // CHECK-NEXT: pref.sub
  // TYPES: "pref.sub"(%{{.*}}) : (!pref.value<row, token(chosen)>, !pref.value<row>) -> !pref.value<row, token(chosen)>
  %1 = pref.sub %t, %s
  // CHECK-NEXT: pref.mul
  // TYPES: "pref.mul"(%{{.*}}) : (!pref.value<>, !pref.value<row>) -> !pref.value<row>
  %2 = pref.mul %h, %s
  // CHECK-NEXT: pref.div
  // TYPES: "pref.div"(%{{.*}}) : (!pref.value<>, !pref.value<>) -> !pref.value<>
  %3 = pref.div %h, %h
  // CHECK-NEXT: pref.min
  %4 = pref.min %s, %h
  // CHECK-NEXT: pref.max
  %5 = pref.max %s, %h
  // CHECK-NEXT: pref.pow
  %6 = pref.pow %s, %h
  // CHECK-NEXT: pref.logaddexp
  %7 = pref.logaddexp %s, %h
  // CHECK-NEXT: %[[C:.*]] = pref.compare ge %{{.*}}, %h
  %8 = pref.compare ge %s, %h
  // CHECK-NEXT: pref.where %[[C]], %policy_chosen, %h
  // TYPES: "pref.where"{{.*}} : (!pref.value<row>, !pref.value<row, token(chosen)>, !pref.value<>) -> !pref.value<row, token(chosen)>
  %9 = pref.where %8, %t, %h
  // CHECK-NEXT: pref.clamp %policy_chosen, %h, %{{.*}}
  %10 = pref.clamp %t, %h, %s
  // CHECK-NEXT: pref.compare eq
  %11 = pref.compare eq %s, %h
  // CHECK-NEXT: pref.compare ne
  %12 = pref.compare ne %s, %h
  // CHECK-NEXT: pref.compare lt
  %13 = pref.compare lt %s, %h
  // CHECK-NEXT: pref.compare le
  %14 = pref.compare le %s, %h
  // CHECK-NEXT: pref.compare gt
  %15 = pref.compare gt %s, %h
  %l = pref.mean %s over row
  pref.yield %l
}
