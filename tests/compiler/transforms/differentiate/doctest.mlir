// RUN: pref-opt %s --pref-differentiate --canonicalize --cse | FileCheck %s

// CHECK-LABEL: pref.objective @nll {
// CHECK-DAG:     %[[ONE:.*]] = pref.constant 1
// CHECK-DAG:     %[[MINUS:.*]] = pref.constant -1
// CHECK-DAG:     %[[T:.*]] = pref.logprob policy(chosen)
// CHECK:         %[[S:.*]] = pref.sum %[[T]] over token
// CHECK-NEXT:    %[[M:.*]] = pref.mean %[[S]] over row
// CHECK-NEXT:    %[[LOSS:.*]] = pref.neg %[[M]]
// CHECK-NEXT:    %[[ROWS:.*]] = pref.count over row
// CHECK-NEXT:    %[[N:.*]] = pref.max %[[ROWS]], %[[ONE]]
// CHECK-NEXT:    %[[G:.*]] = pref.div %[[MINUS]], %[[N]]
// CHECK-NEXT:    %[[W:.*]] = pref.broadcast %[[G]] to [row, token(chosen)]
// CHECK-NEXT:    pref.yield %[[LOSS]] cotangents("policy.chosen" = %[[W]])
pref.objective @nll {
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  %loss = pref.neg %m
  pref.yield %loss
}
