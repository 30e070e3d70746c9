// RUN: pref-opt %s --pref-resolve-options | FileCheck %s

// Without options nothing changes.
// CHECK-LABEL: pref.objective @none {
pref.objective @none {
  // CHECK-NEXT: pref.hyper
  %unused = pref.hyper "unused" default 1 in (0, inf)
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}
