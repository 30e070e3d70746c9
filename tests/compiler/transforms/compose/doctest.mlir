// RUN: pref-opt %s --pref-inline | FileCheck %s

pref.objective @nll {
  %scale = pref.hyper "scale" default 1 in (0, inf)
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  %n = pref.neg %m
  %loss = pref.mul %scale, %n
  pref.yield %loss metrics("score" = %s)
}

// CHECK-LABEL: pref.objective @twice {
// CHECK-NEXT:    %[[TWO:.*]] = pref.constant 2
// CHECK-NEXT:    %policy_chosen = pref.logprob policy(chosen)
// CHECK-NEXT:    %[[S:.*]] = pref.sum %policy_chosen over token
// CHECK-NEXT:    %[[M:.*]] = pref.mean %[[S]] over row
// CHECK-NEXT:    %[[N:.*]] = pref.neg %[[M]]
// CHECK-NEXT:    %[[L:.*]] = pref.mul %[[TWO]], %[[N]]
// CHECK-NEXT:    pref.yield %[[L]] metrics("nll.score" = %[[S]], "nll.loss" = %[[L]])
pref.objective @twice {
  %two = pref.constant 2
  %loss = pref.apply @nll {scale = %two}
  pref.yield %loss
}
