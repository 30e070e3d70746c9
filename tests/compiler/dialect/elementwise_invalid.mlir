// RUN: pref-opt %s --split-input-file --verify-diagnostics

// Tokens of different responses are different points: a published trainer added them.
pref.objective @sub_c1 {
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %w = pref.logprob policy(chosen)
  // expected-note @+1 {{this value has axes [row, token(rejected)]}}
  %l = pref.logprob policy(rejected)
  // expected-error @+1 {{'pref.sub' op (C1) cannot combine axes [row, token(chosen)] with [row, token(rejected)]: one must be a prefix of the other}}
  %d = pref.sub %w, %l
  %s = pref.mean %d over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @where_c1 {
  %w = pref.logprob policy(chosen)
  // expected-note @+1 {{this value has axes [row, token(rejected)]}}
  %l = pref.logprob policy(rejected)
  %c = pref.constant 1
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %p = pref.compare gt %w, %c
  // expected-error @+1 {{'pref.where' op (C1) cannot combine axes [row, token(chosen)] with [row, token(rejected)]}}
  %d = pref.where %p, %l, %c
  %s = pref.mean %d over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @before_definition {
  %w = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.neg' op operand #0 is used before it is defined}}
  %n = pref.neg %s
  // expected-note @+1 {{defined here}}
  %s = pref.mean %w over token
  %m = pref.mean %n over row
  pref.yield %m
}

// -----

pref.objective @predicate_name {
  %w = pref.logprob policy(chosen)
  // expected-error @+1 {{expected a predicate, one of eq, ne, lt, le, gt, ge; got 'greater'}}
  %c = pref.compare greater %w, %w
}

// -----

pref.objective @members_and_tokens {
  // expected-note @+1 {{this value has axes [row, member, token(member)]}}
  %t = pref.logprob policy(member)
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %c = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.sub' op (C1) cannot combine axes [row, member, token(member)] with [row, token(chosen)]: one must be a prefix of the other}}
  %d = pref.sub %t, %c
  %s = pref.sum %d over token
  pref.yield %s
}

// -----

pref.objective @members_and_pairs {
  %t = pref.logprob policy(member)
  // expected-note @+1 {{this value has axes [row, member]}}
  %s = pref.sum %t over token
  // expected-note @+1 {{this value has axes [row, pair]}}
  %p = pref.pair_gather %s first
  // expected-error @+1 {{'pref.sub' op (C1) cannot combine axes [row, member] with [row, pair]: one must be a prefix of the other}}
  %d = pref.sub %s, %p
  pref.yield %d
}
