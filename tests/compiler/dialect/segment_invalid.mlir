// RUN: pref-opt %s --split-input-file --verify-diagnostics

pref.objective @segment_sum_c1 {
  // expected-note @+1 {{this value has axes [row, member, token(member)]}}
  %x = pref.logprob policy(member)
  // expected-error @+1 {{'pref.segment_sum' op (C1) operand: expected axes [row, token(R)], got [row, member, token(member)]}}
  %y = pref.segment_sum %x by %x to segment(phrase)
  pref.yield %y
}

// -----

pref.objective @segment_sum_c2 {
  %x = pref.logprob policy(chosen)
  // expected-note @+1 {{this value has axes [row, token(rejected)]}}
  %z = pref.logprob policy(rejected)
  // expected-error @+1 {{'pref.segment_sum' op (C2) ids: expected axes [row, token(chosen)], got [row, token(rejected)]}}
  %y = pref.segment_sum %x by %z to segment(phrase)
  pref.yield %y
}

// -----

pref.objective @segment_sum_c3 {
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.segment_sum' op (C3) expected an axis segment(S), got token(rejected)}}
  %y = pref.segment_sum %x by %x to token(rejected)
  pref.yield %y
}

// -----

pref.objective @segment_gather_c1 {
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.segment_gather' op (C1) operand: expected axes [row, segment(S)], got [row, token(chosen)]}}
  %y = pref.segment_gather %x by %x
  pref.yield %y
}

// -----

pref.objective @segment_gather_c2 {
  %x = pref.logprob policy(chosen)
  // expected-note @+1 {{this value has axes [row, segment(phrase)]}}
  %s = pref.segment_sum %x by %x to segment(phrase)
  // expected-error @+1 {{'pref.segment_gather' op (C2) ids: expected axes [row, token(R)], got [row, segment(phrase)]}}
  %y = pref.segment_gather %s by %s
  pref.yield %y
}

// -----

pref.objective @pair_gather_c1 {
  %x = pref.logprob policy(chosen)
  // expected-note @+1 {{this value has axes [row]}}
  %s = pref.sum %x over token
  // expected-error @+1 {{'pref.pair_gather' op (C1) operand: expected axes [row, member], got [row]}}
  %y = pref.pair_gather %s first
  pref.yield %y
}

// -----

pref.objective @pair_scatter_c1 {
  %x = pref.logprob policy(member)
  // expected-note @+1 {{this value has axes [row, member]}}
  %s = pref.sum %x over token
  // expected-error @+1 {{'pref.pair_scatter' op (C1) operand: expected axes [row, pair], got [row, member]}}
  %y = pref.pair_scatter %s first
  pref.yield %y
}

// -----

pref.objective @side_name {
  %x = pref.logprob policy(member)
  %s = pref.sum %x over token
  // expected-error @+1 {{expected a member of a pair, one of first, second; got 'fist'; did you mean 'first'?}}
  %y = pref.pair_gather %s fist
}

// -----

pref.objective @sum_first_c1 {
  %n = pref.constant 1
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.sum_first' op (C1) cannot reduce row of a value with axes [row, token(chosen)]}}
  %y = pref.sum_first %x, %n over row
  pref.yield %y
}

// -----

pref.objective @sum_first_c2 {
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.sum_first' op (C2) n: expected axes [row] or fewer, got [row, token(chosen)]}}
  %y = pref.sum_first %x, %x over token
  pref.yield %y
}

// -----

pref.objective @sum_after_c1 {
  %n = pref.constant 1
  // expected-note @+1 {{this value has axes []}}
  %x = pref.constant 2
  // expected-error @+1 {{'pref.sum_after' op (C1) cannot reduce row of a value with axes []}}
  %y = pref.sum_after %x, %n over row
  pref.yield %y
}

// -----

pref.objective @sum_after_c2 {
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %x = pref.logprob policy(chosen)
  %s = pref.sum %x over token
  // expected-error @+1 {{'pref.sum_after' op (C2) n: expected axes [], got [row, token(chosen)]}}
  %y = pref.sum_after %s, %x over row
  pref.yield %y
}

// -----

pref.objective @scatter_at_c1 {
  %n = pref.constant 1
  // expected-error @+1 {{'pref.scatter_at' op (C1) expected an axis below row, such as token(chosen), got row}}
  %y = pref.scatter_at %n, %n over row
  pref.yield %y
}

// -----

pref.objective @scatter_at_c2_operand {
  %n = pref.constant 1
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.scatter_at' op (C2) operand: expected axes [row] or fewer, got [row, token(chosen)]}}
  %y = pref.scatter_at %x, %n over token(chosen)
  pref.yield %y
}

// -----

pref.objective @scatter_at_c2_position {
  %n = pref.constant 1
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.scatter_at' op (C2) position: expected axes [row] or fewer, got [row, token(chosen)]}}
  %y = pref.scatter_at %n, %x over token(chosen)
  pref.yield %y
}

// -----

pref.objective @quantile_c1 {
  %q = pref.constant 0.5
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.quantile' op (C1) cannot sort row of a value with axes [row, token(chosen)]}}
  %y = pref.quantile %x at %q over row
  pref.yield %y
}

// -----

pref.objective @quantile_c2 {
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.quantile' op (C2) q: expected axes [row] or fewer, got [row, token(chosen)]}}
  %y = pref.quantile %x at %x over token
  pref.yield %y
}

// -----

pref.objective @random_subset_c1 {
  %q = pref.constant 0.5
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %x = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.random_subset' op (C1) weights: expected axes [row], got [row, token(chosen)]}}
  %y = pref.random_subset %x, %q, %q over row
  pref.yield %y
}

// -----

pref.objective @random_subset_c2_fraction {
  %q = pref.constant 0.5
  %x = pref.logprob policy(chosen)
  // expected-note @+1 {{this value has axes [row]}}
  %s = pref.sum %x over token
  // expected-error @+1 {{'pref.random_subset' op (C2) fraction: expected axes [], got [row]}}
  %y = pref.random_subset %s, %s, %q over row
  pref.yield %y
}

// -----

pref.objective @random_subset_c2_seed {
  %q = pref.constant 0.5
  %x = pref.logprob policy(chosen)
  // expected-note @+1 {{this value has axes [row]}}
  %s = pref.sum %x over token
  // expected-error @+1 {{'pref.random_subset' op (C2) seed: expected axes [], got [row]}}
  %y = pref.random_subset %s, %q, %s over row
  pref.yield %y
}
