// The example of the dialect's README.
// RUN: pref-opt %s --pref-differentiate --canonicalize --cse | FileCheck %s

// CHECK-LABEL: pref.objective @dpo attributes {paper = "arXiv:2305.18290"} {
// CHECK:       %[[U:.*]] = pref.mul %beta, %{{.*}}
// CHECK:       %[[LOSS:.*]] = pref.mean %{{.*}} over row
// CHECK:       %[[N:.*]] = pref.max %{{.*}}, %{{.*}}
// CHECK:       %[[Q:.*]] = pref.div %{{.*}}, %[[N]]
// CHECK:       %[[V:.*]] = pref.neg %[[U]]
// CHECK:       %[[S:.*]] = pref.sigmoid %[[V]]
// CHECK:       %[[P:.*]] = pref.mul %[[Q]], %[[S]]
// CHECK:       %[[L:.*]] = pref.mul %[[P]], %beta
// CHECK:       %[[W:.*]] = pref.neg %[[L]]
// CHECK:       %[[GL:.*]] = pref.broadcast %[[L]] to [row, token(rejected)]
// CHECK:       %[[GW:.*]] = pref.broadcast %[[W]] to [row, token(chosen)]
// CHECK:       %[[M:.*]] = pref.mean %[[U]] over row
// CHECK-NEXT:  pref.yield %[[LOSS]] metrics("margin" = %[[M]]) cotangents("policy.chosen" = %[[GW]], "policy.rejected" = %[[GL]])
pref.objective @dpo attributes {paper = "arXiv:2305.18290"} {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inverse temperature"
  %pw = pref.logprob policy(chosen)
  %pl = pref.logprob policy(rejected)
  %rw = pref.logprob reference(chosen)
  %rl = pref.logprob reference(rejected)
  %w_t = pref.sub %pw, %rw
  %l_t = pref.sub %pl, %rl
  %w = pref.sum %w_t over token
  %l = pref.sum %l_t over token
  %margin = pref.sub %w, %l
  %u = pref.mul %beta, %margin
  %ls = pref.log_sigmoid %u
  %nll = pref.neg %ls
  %loss = pref.mean %nll over row
  pref.yield %loss metrics("margin" = %u)
}
