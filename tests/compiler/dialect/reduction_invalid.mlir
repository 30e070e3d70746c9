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
  // expected-error @+1 {{'pref.broadcast' op (C1) axes of a value: expected [], [row], [row, token(R)], [row, segment(S)], [row, member], [row, member, token(member)] or [row, pair], got [token(chosen)]}}
  %b = pref.broadcast %c to [token(chosen)]
  pref.yield %b
}

// -----

pref.objective @axis_name {
  %w = pref.logprob policy(chosen)
  // expected-error @+1 {{expected an axis, one of row, token, member, segment, pair; got 'tokens'; did you mean 'token'?}}
  %b = pref.broadcast %w to [row, tokens(chosen)]
}

// -----

// expected-error @+1 {{(C1) axes of a value: expected [], [row], [row, token(R)], [row, segment(S)], [row, member], [row, member, token(member)] or [row, pair], got [token(chosen)]}}
"test.op"() : () -> !pref.value<token(chosen)>

// -----

pref.objective @sum_axis_name {
  %w = pref.logprob policy(chosen)
  // expected-error @+1 {{expected an axis, one of row, token, member, segment, pair; got 'rows'; did you mean 'row'?}}
  %c = pref.sum %w over rows
}
