// RUN: pref-opt %s --split-input-file --verify-diagnostics --pref-differentiate

pref.objective @across_ranks {
  %t = pref.logprob policy(chosen)
  // expected-note @+1 {{a gradient is wanted for this value}}
  %s = pref.sum %t over token
  // expected-error @+1 {{'pref.mean' op (C3) no gradient passes across ranks; use pref.stop_gradient on the operand if that is meant}}
  %r = pref.mean %s over row scope ranks
  // expected-note @+1 {{the gradient arrives from here}}
  %d = pref.sub %s, %r
  %m = pref.sum %d over row
  pref.yield %m
}

// -----

pref.objective @sum_across_ranks {
  %t = pref.logprob policy(chosen)
  // expected-note @+1 {{a gradient is wanted for this value}}
  %s = pref.sum %t over token
  // expected-error @+1 {{'pref.sum' op (C3) no gradient passes across ranks}}
  %r = pref.sum %s over row scope ranks
  // expected-note @+1 {{the gradient arrives from here}}
  pref.yield %r
}

// -----

pref.objective @scan_c3 {
  %t = pref.logprob policy(chosen)
  // expected-note @+1 {{a gradient is wanted for this value}}
  %d = pref.mean %t over token
  // expected-error @+1 {{'pref.scan' op (C3) no gradient passes to the decay; use pref.stop_gradient on the operand if that is meant}}
  %y = pref.scan %t, %d over token
  // expected-note @+1 {{the gradient arrives from here}}
  %s = pref.sum %y over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @reduce_max {
  // expected-note @+1 {{a gradient is wanted for this value}}
  %t = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.reduce_max' op is value-only: no gradient passes, but the loss depends on its result}}
  %y = pref.reduce_max %t over token
  // expected-note @+1 {{the gradient arrives from here}}
  %m = pref.mean %y over row
  pref.yield %m
}

// -----

pref.objective @composite {
  %t = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.std' op is a composite; run pref-expand-composites first}}
  %y = pref.std %t over token
  %m = pref.mean %y over row
  pref.yield %m
}

// -----

// Before its expansion a gradient through a value-only composite is reported at the composite itself.
pref.objective @quantile {
  // expected-note @+1 {{a gradient is wanted for this value}}
  %t = pref.logprob policy(chosen)
  %q = pref.constant 0.5
  // expected-error @+1 {{'pref.quantile' op is value-only: no gradient passes, but the loss depends on its result}}
  %y = pref.quantile %t at %q over token
  // expected-note @+1 {{the gradient arrives from here}}
  %m = pref.mean %y over row
  pref.yield %m
}

// -----

pref.objective @random_subset {
  %t = pref.logprob policy(chosen)
  %q = pref.constant 0.5
  // expected-note @+1 {{a gradient is wanted for this value}}
  %s = pref.sum %t over token
  // expected-error @+1 {{'pref.random_subset' op is value-only: no gradient passes, but the loss depends on its result}}
  %y = pref.random_subset %s, %q, %q over row
  // expected-note @+1 {{the gradient arrives from here}}
  %m = pref.mean %y over row
  pref.yield %m
}

// -----

pref.objective @apply {
  // expected-error @+1 {{'pref.apply' op applies another objective; run pref-inline first}}
  %m = pref.apply @other
  pref.yield %m
}
