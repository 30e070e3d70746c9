// RUN: pref-opt %s --pref-expand-composites | FileCheck %s

// CHECK-LABEL: pref.objective @spread {
// CHECK-NEXT:    %policy_chosen = pref.logprob policy(chosen)
// CHECK-NEXT:    %[[S:.*]] = pref.sum %policy_chosen over token
// CHECK-NEXT:    %[[M:.*]] = pref.mean %[[S]] over row
// CHECK-NEXT:    %[[D:.*]] = pref.sub %[[S]], %[[M]]
// CHECK-NEXT:    %[[Q:.*]] = pref.square %[[D]]
// CHECK-NEXT:    %[[T:.*]] = pref.sum %[[Q]] over row
// CHECK-NEXT:    %[[N:.*]] = pref.count over row
// CHECK-NEXT:    %[[ONE:.*]] = pref.constant 1
// CHECK-NEXT:    %[[C:.*]] = pref.max %[[N]], %[[ONE]]
// CHECK-NEXT:    %[[V:.*]] = pref.div %[[T]], %[[C]]
// CHECK-NEXT:    %[[L:.*]] = pref.sqrt %[[V]]
// CHECK-NEXT:    pref.yield %[[L]]
pref.objective @spread {
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %loss = pref.std %s over row
  pref.yield %loss
}
