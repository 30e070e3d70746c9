// RUN: pref-opt %s --allow-unregistered-dialect --split-input-file --verify-diagnostics

pref.objective @sum_c1 {
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %w = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.sum' op (C1) cannot reduce row of a value with axes [row, token(chosen)]: it must be the last axis; reduce it over token first}}
  %s = pref.sum %w over row
  pref.yield %s
}

// -----

pref.objective @mean_c1 {
  %w = pref.logprob policy(chosen)
  // expected-note @+1 {{this value has axes [row]}}
  %s = pref.sum %w over token
  // expected-error @+1 {{'pref.mean' op (C1) cannot reduce token of a value with axes [row]}}
  %m = pref.mean %s over token
  pref.yield %m
}

// -----

pref.objective @broadcast_c1 {
  %w = pref.logprob policy(chosen)
  // expected-note @+1 {{this value has axes [row]}}
  %s = pref.sum %w over token
  // expected-error @+1 {{'pref.broadcast' op (C1) cannot broadcast axes [row] to [row]: expected a proper prefix}}
  %b = pref.broadcast %s to [row]
  %m = pref.mean %b over row
  pref.yield %m
}

// -----

pref.objective @broadcast_c1_axes {
  %c = pref.constant 1
  // expected-error @+1 {{'pref.broadcast' op (C1) axes of a value: expected [], [row] or [row, token(R)], got [token(chosen)]}}
  %b = pref.broadcast %c to [token(chosen)]
  pref.yield %b
}

// -----

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
  // expected-error @+1 {{expected a response, one of chosen, rejected, response; got 'rejceted'; did you mean 'rejected'?}}
  %w = pref.logprob policy(rejceted)
}

// -----

pref.objective @view_name {
  // expected-error @+1 {{expected a view, one of clean, corrupted, retrieved, blank; got 'corupted'; did you mean 'corrupted'?}}
  %w = pref.logprob policy(chosen) on corupted("crop")
}

// -----

pref.objective @axis_name {
  %w = pref.logprob policy(chosen)
  // expected-error @+1 {{expected an axis, one of row, token; got 'tokens'; did you mean 'token'?}}
  %b = pref.broadcast %w to [row, tokens(chosen)]
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

// expected-error @+1 {{(C1) axes of a value: expected [], [row] or [row, token(R)], got [token(chosen)]}}
"test.op"() : () -> !pref.value<token(chosen)>

// -----

pref.objective @sum_axis_name {
  %w = pref.logprob policy(chosen)
  // expected-error @+1 {{expected an axis, one of row, token; got 'rows'; did you mean 'row'?}}
  %c = pref.sum %w over rows
}
