// RUN: pref-opt %s --split-input-file --verify-diagnostics

pref.objective @sort_c1 {
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.sort' op (C1) cannot sort row of a value with axes [row, token(chosen)]: it must be the last axis}}
  %y = pref.sort %x over row
  pref.yield %y
}

// -----

pref.objective @sort_c2 {
  %x = pref.logprob policy(chosen)
  // expected-note @+1 {{this value has axes [row]}}
  %s = pref.sum %x over token
  // expected-error @+1 {{'pref.sort' op (C2) key: expected axes [row, token(chosen)], got [row]}}
  %y = pref.sort %x by %s over token
  pref.yield %y
}

// -----

pref.objective @unsort_c1 {
  // expected-note @+1 {{this value has axes []}}
  %x = pref.constant 1
  // expected-error @+1 {{'pref.unsort' op (C1) cannot sort row of a value with axes []: it must be the last axis}}
  %y = pref.unsort %x by %x over row
  pref.yield %y
}

// -----

pref.objective @unsort_c2 {
  %x = pref.logprob policy(chosen)
  // expected-note @+1 {{this value has axes [row, token(rejected)]}}
  %z = pref.logprob policy(rejected)
  // expected-error @+1 {{'pref.unsort' op (C2) key: expected axes [row, token(chosen)], got [row, token(rejected)]}}
  %y = pref.unsort %x by %z over token
  pref.yield %y
}

// -----

pref.objective @std_c1 {
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.std' op (C1) cannot reduce row of a value with axes [row, token(chosen)]}}
  %y = pref.std %x over row
  pref.yield %y
}

// -----

pref.objective @leave_one_out_c1 {
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.leave_one_out' op (C1) cannot average row of a value with axes [row, token(chosen)]}}
  %y = pref.leave_one_out %x over row
  pref.yield %y
}

// -----

pref.objective @whiten_c1 {
  %e = pref.constant 1
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.whiten' op (C1) cannot whiten row of a value with axes [row, token(chosen)]}}
  %y = pref.whiten %x by %e over row
  pref.yield %y
}

// -----

pref.objective @whiten_c2 {
  %x = pref.logprob policy(chosen)
  // expected-note @+1 {{this value has axes [row]}}
  %s = pref.sum %x over token
  // expected-error @+1 {{'pref.whiten' op (C2) eps: expected axes [], got [row]}}
  %y = pref.whiten %x by %s over token
  pref.yield %y
}

// -----

pref.objective @sum_c2 {
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.sum' op (C2) scope ranks: expected over row, got over token}}
  %s = pref.sum %x over token scope ranks
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @mean_c2 {
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.mean' op (C2) scope ranks: expected over row, got over token}}
  %s = pref.mean %x over token scope ranks
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @reduce_max_c1 {
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.reduce_max' op (C1) cannot reduce row of a value with axes [row, token(chosen)]}}
  %y = pref.reduce_max %x over row
  pref.yield %y
}

// -----

pref.objective @sort_c1_kind {
  %w = pref.input "weight" over [row, segment(phrase)]
  // expected-error @+1 {{'pref.sort' op (C1) cannot sort segment: expected one of row, member, token}}
  %y = pref.sort %w over segment
  pref.yield %y
}

// -----

pref.objective @unsort_c1_kind {
  %w = pref.input "weight" over [row, pair]
  // expected-error @+1 {{'pref.unsort' op (C1) cannot sort pair: expected one of row, member, token}}
  %y = pref.unsort %w by %w over pair
  pref.yield %y
}

// -----

pref.objective @quantile_c1_kind {
  %q = pref.constant 0.5
  %w = pref.input "weight" over [row, pair]
  // expected-error @+1 {{'pref.quantile' op (C1) cannot sort pair: expected one of row, member, token}}
  %y = pref.quantile %w at %q over pair
  pref.yield %y
}
