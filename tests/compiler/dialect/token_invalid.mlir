// RUN: pref-opt %s --split-input-file --verify-diagnostics

pref.objective @scan_c1 {
  %h = pref.constant 0.5
  %x = pref.logprob policy(chosen)
  %s = pref.sum %x over token
  // expected-error @+1 {{'pref.scan' op (C1) cannot scan row: expected one of token}}
  %y = pref.scan %s, %h over row
  pref.yield %y
}

// -----

pref.objective @scan_c1_last {
  %h = pref.constant 0.5
  %x = pref.logprob policy(chosen)
  // expected-note @+1 {{this value has axes [row]}}
  %s = pref.sum %x over token
  // expected-error @+1 {{'pref.scan' op (C1) cannot scan token of a value with axes [row]: it must be the last axis}}
  %y = pref.scan %s, %h over token
  pref.yield %y
}

// -----

pref.objective @scan_c2 {
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.scan' op (C2) decay: expected axes [row] or fewer, got [row, token(chosen)]}}
  %y = pref.scan %x, %x over token
  pref.yield %y
}

// -----

pref.objective @weighted_sum_c1 {
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.weighted_sum' op (C1) cannot reduce row of a value with axes [row, token(chosen)]}}
  %y = pref.weighted_sum %x, %x over row
  pref.yield %y
}

// -----

pref.objective @weighted_sum_c2 {
  %x = pref.logprob policy(chosen)
  // expected-note @+1 {{this value has axes [row, token(rejected)]}}
  %z = pref.logprob policy(rejected)
  // expected-error @+1 {{'pref.weighted_sum' op (C2) weights: expected axes [row, token(chosen)], got [row, token(rejected)]}}
  %y = pref.weighted_sum %x, %z over token
  pref.yield %y
}
