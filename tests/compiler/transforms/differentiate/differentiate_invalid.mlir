// RUN: pref-opt %s --split-input-file --verify-diagnostics --pref-differentiate

pref.objective @value_only {
  %t = pref.logprob policy(chosen)
  // expected-note @+1 {{a gradient is wanted for this value}}
  %s = pref.sum %t over token
  %zero = pref.constant 0
  // expected-error @+1 {{'pref.compare' op is piecewise constant: no gradient passes, but the loss depends on its result; use pref.stop_gradient on the operand if that is meant}}
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
  // expected-error @+1 {{'pref.yield' op the loss does not depend on any log-probability with gradient}}
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
