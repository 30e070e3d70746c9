// RUN: pref-opt %s --split-input-file --verify-diagnostics

pref.objective @logprob_c1 {
  // expected-error @+1 {{'pref.logprob' op (C1) detached: expected model policy, got reference, which never has a gradient}}
  %w = pref.logprob reference(chosen) detached
  %s = pref.sum %w over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @model_name {
  // expected-error @+1 {{expected a model, one of policy, reference, old_policy; got 'refrence'; did you mean 'reference'?}}
  %w = pref.logprob refrence(chosen)
}

// -----

pref.objective @response_name {
  // expected-error @+1 {{expected a response, one of chosen, rejected, response, mismatched, member; got 'rejceted'; did you mean 'rejected'?}}
  %w = pref.logprob policy(rejceted)
}

// -----

pref.objective @view_name {
  // expected-error @+1 {{expected a view, one of clean, corrupted, retrieved, blank, adversarial; got 'corupted'; did you mean 'corrupted'?}}
  %w = pref.logprob policy(chosen) on corupted("crop")
}

// -----

pref.objective @distribution_c1 {
  // expected-error @+1 {{(C1) view corrupted: expected the name of the corruption, as in corrupted("crop"), got none}}
  %w = pref.logprob policy(chosen) on corrupted
}

// -----

pref.objective @distribution_c1_argument {
  // expected-error @+1 {{(C1) view blank: expected no argument, got "crop"}}
  %w = pref.logprob policy(chosen) on blank("crop")
}

// -----

pref.objective @distribution_c2 {
  // expected-error @+1 {{(C2) view argument: expected an identifier of [a-z0-9_], got "a b"}}
  %w = pref.logprob policy(chosen) on corrupted("a b")
}

// -----

pref.objective @distribution_c3 {
  // expected-error @+1 {{(C3) index of a model: expected reference(k) with k at least 1, got policy(2)}}
  %w = pref.logprob policy(2)(chosen)
}

// -----

pref.objective @distribution_c3_zero {
  // expected-error @+1 {{(C3) index of a model: expected reference(k) with k at least 1, got reference(0)}}
  %w = pref.logprob reference(0)(chosen)
}

// -----

pref.objective @distribution_c4 {
  // expected-error @+1 {{(C4) shared: expected a view other than clean}}
  %w = pref.logprob policy(chosen) on clean shared
}

// -----

pref.objective @logprob_c2 {
  // expected-note @+1 {{the index}}
  %r = pref.logprob reference(chosen)
  // expected-error @+1 {{'pref.logprob' op (C2) index: expected the result of pref.input or pref.argmax, got that of pref.logprob}}
  %w = pref.logprob policy(chosen) at %r
  %s = pref.sum %w over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @logit_c2 {
  // expected-note @+1 {{the index}}
  %i = pref.input "token" over [row]
  // expected-error @+1 {{'pref.logit' op (C2) index: expected axes [row, token(chosen)], got [row]}}
  %w = pref.logit policy(chosen) at %i
  %s = pref.sum %w over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @logprob_c3 {
  %g = pref.hyper "gamma" default 1 in (0, inf)
  // expected-error @+1 {{'pref.logprob' op (C3) expected two distributions over one response, got policy.chosen and reference.rejected}}
  %w = pref.logprob policy(chosen) mix reference(rejected) by %g
  %s = pref.sum %w over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @logprob_c4 {
  // expected-note @+1 {{the factor}}
  %g = pref.input "gamma" over []
  // expected-error @+1 {{'pref.logprob' op (C4) factor: expected the result of pref.hyper or pref.constant, got that of pref.input}}
  %w = pref.logprob policy(chosen) mix reference(chosen) by %g
  %s = pref.sum %w over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @logprob_c5 {
  %g = pref.hyper "gamma" default 1 in (0, inf)
  %i = pref.argmax reference(chosen)
  // expected-error @+1 {{'pref.logprob' op (C5) expected either an index or a mixture, got both}}
  %w = pref.logprob policy(chosen) at %i mix reference(chosen) by %g
  %s = pref.sum %w over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @kl_c1 {
  // expected-error @+1 {{'pref.kl' op (C1) detached: expected model policy, got reference(2), which never has a gradient}}
  %k = pref.kl reference(chosen), reference(2)(chosen) detached
  %s = pref.sum %k over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @kl_c3 {
  // expected-error @+1 {{'pref.kl' op (C3) expected two distributions, got policy.chosen twice}}
  %k = pref.kl policy(chosen), policy(chosen)
  %s = pref.sum %k over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @objective_c8_partner {
  // expected-note @+1 {{read here before}}
  %k = pref.kl reference(chosen), policy(chosen)
  // expected-error @+1 {{'pref.kl' op (C8) policy.chosen: expected one partner, got reference(2).chosen after reference.chosen}}
  %l = pref.kl reference(2)(chosen), policy(chosen)
  %d = pref.add %k, %l
  %s = pref.sum %d over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @objective_c8_factor {
  %g = pref.hyper "gamma" default 1 in (0, inf)
  %two = pref.constant 2
  // expected-note @+1 {{read here before}}
  %k = pref.logprob policy(chosen) mix reference(chosen) by %g
  // expected-error @+1 {{'pref.logprob' op (C8) policy.chosen: expected one factor to mix with reference.chosen, got another}}
  %l = pref.logprob policy(chosen) mix reference(chosen) by %two
  %d = pref.add %k, %l
  %s = pref.sum %d over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @objective_c9_distribution {
  %z = pref.logprob policy(chosen)
  %i0 = pref.input "i0" over [row, token(chosen)]
  %i1 = pref.input "i1" over [row, token(chosen)]
  %i2 = pref.input "i2" over [row, token(chosen)]
  %i3 = pref.input "i3" over [row, token(chosen)]
  %i4 = pref.input "i4" over [row, token(chosen)]
  %i5 = pref.input "i5" over [row, token(chosen)]
  %i6 = pref.input "i6" over [row, token(chosen)]
  %i7 = pref.input "i7" over [row, token(chosen)]
  %t0 = pref.logprob policy(chosen) at %i0
  %t1 = pref.logprob policy(chosen) at %i1
  %t2 = pref.logprob policy(chosen) at %i2
  %t3 = pref.logprob policy(chosen) at %i3
  %t4 = pref.logprob policy(chosen) at %i4
  %t5 = pref.logprob policy(chosen) at %i5
  %t6 = pref.logprob policy(chosen) at %i6
  // expected-error @+1 {{'pref.logprob' op (C9) expected at most 8 reads of one distribution, got 9}}
  %t7 = pref.logprob policy(chosen) at %i7
  %s = pref.sum %z over token
  %m = pref.mean %s over row
  pref.yield %m
}
