// RUN: pref-opt %s --pref-differentiate --canonicalize --cse | FileCheck %s

// No gradient through a stopped value, a detached read or another model; the value stays.
// CHECK-LABEL: pref.objective @stopped
pref.objective @stopped {
  // CHECK-NOT: pref.stop_gradient
  // CHECK: %[[P:.*]] = pref.sum %policy_chosen over token
  // CHECK: %[[R:.*]] = pref.sum %reference_chosen over token
  // CHECK: %[[W:.*]] = pref.mul %[[P]], %[[R]]
  // CHECK: %[[Q:.*]] = pref.div %{{.*}}, %{{.*}}
  // CHECK: %[[G:.*]] = pref.mul %[[Q]], %[[W]]
  // CHECK: %[[B:.*]] = pref.broadcast %[[G]] to [row, token(chosen)]
  // CHECK: cotangents("policy.chosen" = %[[B]])
  %t = pref.logprob policy(chosen)
  %r = pref.logprob reference(chosen)
  %s = pref.sum %t over token
  %q = pref.sum %r over token
  %w = pref.mul %s, %q
  %stopped = pref.stop_gradient %w
  %p = pref.mul %stopped, %s
  %m = pref.mean %p over row
  pref.yield %m
}

// The cotangents of a distribution's reads are summed; a detached one adds nothing.
// CHECK-LABEL: pref.objective @detached
pref.objective @detached {
  // CHECK: %[[D:.*]] = pref.logprob policy(chosen) detached
  // CHECK: %[[T:.*]] = pref.logprob policy(chosen){{$}}
  // CHECK: %[[Q:.*]] = pref.div %{{.*}}, %{{.*}}
  // CHECK: %[[G:.*]] = pref.mul %[[Q]], %[[D]]
  // CHECK: cotangents("policy.chosen" = %[[G]])
  %d = pref.logprob policy(chosen) detached
  %t = pref.logprob policy(chosen)
  %p = pref.mul %d, %t
  %s = pref.sum %p over token
  %m = pref.mean %s over row
  pref.yield %m
}

// A value used twice receives both cotangents; [row] metrics become means.
// CHECK-LABEL: pref.objective @twice
pref.objective @twice {
  // CHECK: %[[S:.*]] = pref.sum %policy_chosen over token
  // CHECK: %[[E:.*]] = pref.exp %[[S]]
  // CHECK: %[[Q:.*]] = pref.div %{{.*}}, %{{.*}}
  // CHECK: %[[A:.*]] = pref.mul %[[Q]], %[[E]]
  // CHECK: %[[P:.*]] = pref.sigmoid %[[S]]
  // CHECK: %[[B:.*]] = pref.mul %[[Q]], %[[P]]
  // CHECK: %[[G:.*]] = pref.add %[[A]], %[[B]]
  // CHECK: pref.broadcast %[[G]] to [row, token(chosen)]
  // CHECK: %[[M:.*]] = pref.mean %[[S]] over row
  // CHECK: pref.yield %{{.*}} metrics("s" = %[[M]])
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %a = pref.softplus %s
  %b = pref.exp %s
  %c = pref.add %a, %b
  %m = pref.mean %c over row
  pref.yield %m metrics("s" = %s)
}

// What was broadcast receives a sum: here the [row] score, from its tokens.
// CHECK-LABEL: pref.objective @broadcast
pref.objective @broadcast {
  // CHECK: %[[S:.*]] = pref.sum %policy_chosen over token
  // CHECK: %[[E:.*]] = pref.exp
  // CHECK: %[[A:.*]] = pref.mul %{{.*}}, %[[E]]
  // CHECK-NEXT: %[[P:.*]] = pref.mul %[[A]], %policy_rejected
  // CHECK: %[[B:.*]] = pref.mul %[[A]], %[[S]]
  // CHECK: %[[R:.*]] = pref.sum %[[P]] over token
  // CHECK: %[[G:.*]] = pref.broadcast %[[R]] to [row, token(chosen)]
  // CHECK: cotangents("policy.chosen" = %[[G]], "policy.rejected" = %[[B]])
  %t = pref.logprob policy(chosen)
  %u = pref.logprob policy(rejected)
  %s = pref.sum %t over token
  %p = pref.mul %s, %u
  %e = pref.exp %p
  %q = pref.sum %e over token
  %m = pref.mean %q over row
  pref.yield %m
}

// One cotangent per read; what is read of another side of a divergence is given.
// CHECK-LABEL: pref.objective @reads
pref.objective @reads {
  // CHECK: cotangents("policy.chosen" = %{{.*}}, "policy.chosen#entropy" = %{{.*}}, "policy.chosen#kl_from" = %{{.*}}, "policy.chosen#logprob_at" = %{{.*}}, "policy.chosen#logprob_at#2" = %{{.*}})
  %i = pref.input "a" over [row, token(chosen)]
  %j = pref.input "b" over [row, token(chosen)]
  %t = pref.logprob policy(chosen)
  %h = pref.entropy policy(chosen)
  %k = pref.kl reference(chosen), policy(chosen)
  %u = pref.logprob policy(chosen) at %i
  %v = pref.logprob policy(chosen) at %j
  %c = pref.collision policy(chosen) detached
  %a = pref.add %t, %h
  %b = pref.add %a, %k
  %d = pref.add %b, %u
  %e = pref.add %d, %v
  %f = pref.mul %e, %c
  %s = pref.sum %f over token
  %m = pref.mean %s over row
  pref.yield %m
}

// CHECK-LABEL: pref.objective @members
pref.objective @members {
  // CHECK: %[[A:.*]] = pref.input "advantage" over [row, member]
  // CHECK: %[[N:.*]] = pref.count over member
  // CHECK: %[[B:.*]] = pref.broadcast %{{.*}} to [row, member, token(member)]
  // CHECK: cotangents("policy.member" = %[[B]])
  %a = pref.input "advantage" over [row, member]
  %t = pref.logprob policy(member)
  %s = pref.sum %t over token
  %w = pref.mul %s, %a
  %g = pref.mean %w over member
  %m = pref.mean %g over row
  pref.yield %m
}
