// RUN: pref-opt %s --split-input-file --verify-diagnostics --pref-differentiate

pref.objective @value_only {
  %t = pref.logprob policy(chosen)
  // expected-note @+1 {{a gradient is wanted for this value}}
  %s = pref.sum %t over token
  %zero = pref.constant 0
  // expected-error @+1 {{'pref.compare' op is value-only: no gradient passes, but the loss depends on its result; use pref.stop_gradient on the operand if that is meant}}
  %c = pref.compare gt %s, %zero
  // expected-note @+1 {{the gradient arrives from here}}
  %m = pref.mean %c over row
  pref.yield %m
}

// -----

pref.objective @no_gradient {
  %t = pref.logprob reference(chosen)
  %s = pref.sum %t over token
  // expected-note @+1 {{the loss}}
  %m = pref.mean %s over row
  // expected-error @+1 {{'pref.yield' op the loss does not depend on anything read of a policy with gradient}}
  pref.yield %m
}

// -----

pref.objective @metric_only {
  %t = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.logprob' op carries a gradient, but the loss does not depend on policy.rejected; say `detached` if only its value is wanted}}
  %u = pref.logprob policy(rejected)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  %v = pref.sum %u over token
  pref.yield %m metrics("rejected" = %v)
}

// -----

// expected-error @+1 {{'pref.objective' op has cotangents already}}
pref.objective @twice {
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m cotangents("policy.chosen" = %t)
}

// -----

pref.objective @collision {
  // expected-error @+1 {{'pref.collision' op is value-only: no gradient passes, but the loss depends on its result; say `detached` if that is meant}}
  %t = pref.collision policy(chosen)
  // expected-note @+1 {{the gradient arrives from here}}
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @open_option {
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %u = pref.mean %t over token
  // expected-error @+1 {{'pref.option' op is still open; run pref-resolve-options first}}
  %x = pref.option "norm" default "sum" of "sum" = %s, "mean" = %u
  %m = pref.mean %x over row
  pref.yield %m
}

// -----

pref.objective @no_entropy {
  %t = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.entropy' op carries a gradient, but the loss does not depend on policy.chosen#entropy; say `detached` if only its value is wanted}}
  %h = pref.entropy policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  %v = pref.mean %h over token
  pref.yield %m metrics("entropy" = %v)
}

// -----

// Both neighbours on the path are named, far from the score and far from the loss.
pref.objective @value_only_on_a_path {
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  // expected-note @+1 {{a gradient is wanted for this value}}
  %e = pref.exp %s
  // expected-error @+1 {{'pref.sign' op is value-only: no gradient passes, but the loss depends on its result; use pref.stop_gradient on the operand if that is meant}}
  %a = pref.sign %e
  // expected-note @+1 {{the gradient arrives from here}}
  %b = pref.neg %a
  %m = pref.mean %b over row
  pref.yield %m
}

// -----

pref.objective @argmax_as_a_number {
  %t = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.argmax' op is value-only: no gradient passes, but the loss depends on its result; say `detached` if that is meant}}
  %y = pref.argmax policy(chosen)
  // expected-note @+1 {{the gradient arrives from here}}
  %p = pref.mul %t, %y
  %s = pref.sum %p over token
  %m = pref.mean %s over row
  pref.yield %m
}
