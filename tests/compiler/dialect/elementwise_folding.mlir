// RUN: pref-opt %s --canonicalize --cse | FileCheck %s

// CHECK-LABEL: pref.objective @constants
pref.objective @constants {
  // CHECK-NEXT: %[[C:.*]] = pref.constant 0.625
  // CHECK-NEXT: %policy_chosen = pref.logprob policy(chosen)
  // CHECK-NEXT: %[[S:.*]] = pref.sum %policy_chosen over token
  // CHECK-NEXT: %[[M:.*]] = pref.mean %[[S]] over row
  // CHECK-NEXT: %[[L:.*]] = pref.mul %[[M]], %[[C]]
  // CHECK-NEXT: pref.yield %[[L]]
  %one = pref.constant 1
  %two = pref.constant 2
  %half = pref.div %one, %two
  %four = pref.square %two
  %c = pref.logaddexp %four, %four
  %d = pref.sub %c, %c
  %e = pref.where %d, %four, %half
  %f = pref.clamp %four, %one, %e
  %g = pref.compare le %f, %half
  %h = pref.div %half, %four
  %i = pref.mul %g, %h
  %j = pref.add %e, %i
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  %l = pref.mul %j, %m
  pref.yield %l
}

// A constant is finite: log(0) stays an operation.
// CHECK-LABEL: pref.objective @infinite
pref.objective @infinite {
  // CHECK: pref.log %
  %zero = pref.constant 0
  %i = pref.log %zero
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  %l = pref.mul %i, %m
  pref.yield %l
}

// CHECK-LABEL: pref.objective @identities
pref.objective @identities {
  // CHECK-NEXT: pref.logprob
  // CHECK-NEXT: %[[S:.*]] = pref.sum %policy_chosen over token
  // CHECK-NEXT: %[[M:.*]] = pref.mean %[[S]] over row
  // CHECK-NEXT: pref.yield %[[M]]
  %zero = pref.constant 0
  %one = pref.constant 1
  %t = pref.logprob policy(chosen)
  %a = pref.add %t, %zero
  %b = pref.mul %one, %a
  %c = pref.sub %b, %zero
  %d = pref.div %c, %one
  %e = pref.neg %d
  %f = pref.neg %e
  %g = pref.pow %f, %one
  %h = pref.where %one, %g, %zero
  %s = pref.sum %h over token
  %m = pref.mean %s over row
  pref.yield %m
}

// An identity that would change the axes is kept.
// CHECK-LABEL: pref.objective @axes
pref.objective @axes {
  // CHECK: pref.where %{{.*}}, %beta, %{{.*}}
  %b = pref.hyper "beta" default 1 in (0, inf)
  %one = pref.constant 1
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %w = pref.where %one, %b, %s
  %m = pref.mean %w over row
  pref.yield %m
}

// CHECK-LABEL: pref.objective @signs
pref.objective @signs {
  // CHECK-NEXT: %beta = pref.hyper
  // CHECK-NEXT: %policy_chosen = pref.logprob
  // CHECK-NEXT: %[[S:.*]] = pref.sum %policy_chosen over token
  // CHECK-NEXT: %[[P:.*]] = pref.mul %[[S]], %beta
  // CHECK-NEXT: %[[Q:.*]] = pref.div %[[P]], %[[S]]
  // CHECK-NEXT: %[[R:.*]] = pref.add %[[S]], %[[Q]]
  // CHECK-NEXT: %[[M:.*]] = pref.mean %[[R]] over row
  // CHECK-NEXT: pref.yield %[[M]]
  %b = pref.hyper "beta" default 1 in (0, inf)
  %minus = pref.constant -1
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %n = pref.mul %s, %minus
  %p = pref.mul %n, %b
  %q = pref.div %p, %s
  %r = pref.sub %s, %q
  %m = pref.mean %r over row
  pref.yield %m
}

// A stopped gradient is not folded away: differentiation needs to see it.
// CHECK-LABEL: pref.objective @stop
pref.objective @stop {
  // CHECK: pref.stop_gradient
  %c = pref.constant 2
  %d = pref.stop_gradient %c
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  %l = pref.mul %d, %m
  pref.yield %l
}
