// RUN: pref-opt %s --split-input-file --verify-diagnostics

pref.objective @hyper_c1 {
  // expected-error @+1 {{'pref.hyper' op (C1) name: expected an identifier of [a-z0-9_], got "Beta"}}
  %h = pref.hyper "Beta" default 1 in (0, inf)
  pref.yield %h
}

// -----

pref.objective @hyper_c2 {
  // expected-error @+1 {{'pref.hyper' op (C2) beta: expected a default in (0, inf), got 0}}
  %h = pref.hyper "beta" default 0 in (0, inf)
  pref.yield %h
}

// -----

pref.objective @hyper_c2_high {
  // expected-error @+1 {{'pref.hyper' op (C2) epsilon: expected a default in [0, 0.5), got 0.5}}
  %h = pref.hyper "epsilon" default 0.5 in [0, 0.5)
  pref.yield %h
}

// -----

pref.objective @hyper_c3 {
  // expected-error @+1 {{'pref.hyper' op (C3) beta: expected a range that contains a number and is open at infinity, got (1, 1)}}
  %h = pref.hyper "beta" default 1 in (1, 1)
  pref.yield %h
}

// -----

pref.objective @hyper_c3_infinity {
  // expected-error @+1 {{'pref.hyper' op (C3) beta: expected a range that contains a number and is open at infinity, got (0, inf]}}
  %h = pref.hyper "beta" default 1 in (0, inf]
  pref.yield %h
}

// -----

pref.objective @yield_c1 {
  %w = pref.logprob policy(chosen)
  // expected-note @+1 {{the loss}}
  %s = pref.sum %w over token
  // expected-error @+1 {{'pref.yield' op (C1) loss must be [], got [row]; reduce it with pref.mean ... over row}}
  pref.yield %s
}

// -----

pref.objective @yield_c1_token {
  // expected-note @+1 {{the loss}}
  %w = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.yield' op (C1) loss must be [], got [row, token(chosen)]; reduce it with pref.mean ... over token, then over row}}
  pref.yield %w
}

// -----

pref.objective @yield_c2 {
  // expected-note @+1 {{the metric}}
  %w = pref.logprob policy(chosen)
  %s = pref.sum %w over token
  %m = pref.mean %s over row
  // expected-error @+1 {{'pref.yield' op (C2) metric "w" must be [] or [row], got [row, token(chosen)]; reduce it with pref.sum or pref.mean ... over token}}
  pref.yield %m metrics("w" = %w)
}

// -----

pref.objective @yield_c3 {
  %w = pref.logprob policy(chosen)
  %s = pref.sum %w over token
  %m = pref.mean %s over row
  // expected-error @+1 {{'pref.yield' op (C3) metrics: "s" is given twice}}
  pref.yield %m metrics("s" = %s, "s" = %m)
}

// -----

pref.objective @yield_c3_identifier {
  %w = pref.logprob policy(chosen)
  %s = pref.sum %w over token
  %m = pref.mean %s over row
  // expected-error @+1 {{'pref.yield' op (C3) metric: expected an identifier of [a-z0-9_], got "reward margin"}}
  pref.yield %m metrics("reward margin" = %s)
}

// -----

pref.objective @yield_c4 {
  %w = pref.logprob policy(chosen)
  %s = pref.sum %w over token
  %m = pref.mean %s over row
  // expected-error @+1 {{'pref.yield' op (C4) cotangents: expected "policy.chosen", got "reference.chosen"}}
  pref.yield %m cotangents("reference.chosen" = %w)
}

// -----

pref.objective @yield_c4_axes {
  %w = pref.logprob policy(chosen)
  // expected-note @+1 {{the cotangent}}
  %s = pref.sum %w over token
  %m = pref.mean %s over row
  // expected-error @+1 {{'pref.yield' op (C4) cotangent of "policy.chosen": expected axes [row, token(chosen)], got [row]}}
  pref.yield %m cotangents("policy.chosen" = %s)
}

// -----

pref.objective @yield_c5 {
  %w = pref.logprob policy(chosen)
  %l = pref.logprob policy(rejected)
  %s = pref.sum %w over token
  %t = pref.sum %l over token
  %d = pref.sub %s, %t
  %m = pref.mean %d over row
  // expected-error @+1 {{'pref.yield' op (C5) cotangents: expected none or one for each of 2 reads with gradient, got 1}}
  pref.yield %m cotangents("policy.chosen" = %w)
}

// -----

// expected-error @+1 {{(C1) expected a body of one block that ends in pref.yield}}
pref.objective @objective_c1 {
  %w = pref.logprob policy(chosen)
}

// -----

// expected-error @+1 {{(C1) expected a body of one block that ends in pref.yield}}
pref.objective @objective_c1_empty {
}

// -----

pref.objective @objective_c2 {
  %w = pref.logprob policy(chosen)
  %s = pref.sum %w over token
  %m = pref.mean %s over row
  // expected-error @+1 {{op (C2) only operations of the pref dialect occur in a pref.objective}}
  builtin.module {
  }
  pref.yield %m
}

// -----

pref.objective @objective_c3 {
  // expected-note @+1 {{declared here before}}
  %a = pref.hyper "beta" default 1 in (0, inf)
  // expected-error @+1 {{'pref.hyper' op (C3) hyperparameter "beta" is declared twice}}
  %b = pref.hyper "beta" default 2 in (0, inf)
  %c = pref.mul %a, %b
  pref.yield %c
}

// -----

pref.objective @objective_c4 {
  %w = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.count' op (C4) token(rejected): no vocabulary operation, such as pref.logprob, reads response rejected}}
  %n = pref.count over token(rejected)
  %s = pref.sum %w over token
  %t = pref.div %s, %n
  %m = pref.mean %t over row
  pref.yield %m
}

// -----

// expected-error @+1 {{'pref.objective' op (C5) attribute 'papr': expected paper or doc; did you mean 'paper'?}}
pref.objective @objective_c5 attributes {papr = "arXiv:1"} {
  %w = pref.logprob policy(chosen)
  %s = pref.sum %w over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @yield_c1_member {
  // expected-note @+1 {{the loss}}
  %t = pref.logprob policy(member)
  // expected-error @+1 {{'pref.yield' op (C1) loss must be [], got [row, member, token(member)]; reduce it with pref.mean ... over token, then over member, then over row}}
  pref.yield %t
}

// -----

pref.objective @yield_c1_pair {
  %t = pref.logprob policy(member)
  %s = pref.sum %t over token
  // expected-note @+1 {{the loss}}
  %p = pref.pair_gather %s first
  // expected-error @+1 {{'pref.yield' op (C1) loss must be [], got [row, pair]; reduce it with pref.mean ... over pair, then over row}}
  pref.yield %p
}

// -----

pref.objective @objective_c10 {
  // expected-error @+1 {{'pref.hyper' op (C10) attribute 'doc': expected UTF-8, got bytes that are none}}
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inverse \FFtemperature"
  %w = pref.logprob policy(chosen)
  %u = pref.mul %w, %beta
  %s = pref.sum %u over token
  %m = pref.mean %s over row
  pref.yield %m
}
