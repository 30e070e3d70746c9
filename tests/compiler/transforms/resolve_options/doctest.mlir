// RUN: pref-opt %s --pref-resolve-options="options=norm=mean" | FileCheck %s

// CHECK: pref.objective @nll attributes {pref.options = [{cases = ["sum", "mean"], chosen = "mean", default = "sum", doc = "", name = "norm"}]} {
pref.objective @nll {
  // CHECK-NEXT: %policy_chosen = pref.logprob policy(chosen)
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  // CHECK-NEXT: %0 = pref.mean %policy_chosen over token
  %m = pref.mean %t over token
  %x = pref.option "norm" default "sum" of "sum" = %s, "mean" = %m
  // CHECK-NEXT: %1 = pref.mean %0 over row
  %a = pref.mean %x over row
  // CHECK-NEXT: %2 = pref.neg %1
  %loss = pref.neg %a
  // CHECK-NEXT: pref.yield %2
  pref.yield %loss
}
