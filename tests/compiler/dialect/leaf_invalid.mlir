// RUN: pref-opt %s --split-input-file --verify-diagnostics

pref.objective @input_c1 {
  // expected-error @+1 {{'pref.input' op (C1) name: expected an identifier of [a-z0-9_], got "Advantage"}}
  %a = pref.input "Advantage" over [row]
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @input_c2 {
  // expected-error @+1 {{'pref.input' op (C2) axes of a value: expected [], [row], [row, token(R)], [row, segment(S)], [row, member], [row, member, token(member)] or [row, pair], got [member]}}
  %a = pref.input "advantage" over [member]
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @segment_name {
  // expected-error @+1 {{labels of a segment: expected an identifier of [a-z0-9_], got 'Phrase'}}
  %a = pref.input "a" over [row, segment(Phrase)]
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @option_c1 {
  %a = pref.input "a" over [row, member]
  // expected-note @+1 {{this value has axes [row, member]}}
  %b = pref.neg %a
  // expected-note @+1 {{this value has axes [row, token(chosen)]}}
  %c = pref.logprob policy(chosen)
  // expected-error @+1 {{'pref.option' op (C1) cannot combine axes [row, member] with [row, token(chosen)]: one must be a prefix of the other}}
  %d = pref.option "o" default "x" of "x" = %b, "y" = %c
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @option_c2 {
  %a = pref.constant 1
  // expected-error @+1 {{'pref.option' op (C2) case: expected an identifier of [a-z0-9_], got "JS"}}
  %b = pref.option "o" default "x" of "x" = %a, "JS" = %a
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @option_c2_twice {
  %a = pref.constant 1
  // expected-error @+1 {{'pref.option' op (C2) case "x" is given twice}}
  %b = pref.option "o" default "x" of "x" = %a, "x" = %a
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @option_c3 {
  %a = pref.constant 1
  // expected-error @+1 {{'pref.option' op (C3) default: expected one of reverse_kl, js_divergence, got "revers_kl"; did you mean 'reverse_kl'?}}
  %b = pref.option "o" default "revers_kl" of "reverse_kl" = %a, "js_divergence" = %a
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @state_c1 {
  // expected-error @+1 {{'pref.state' op (C1) name: expected an identifier of [a-z0-9_], got "running mean"}}
  %a = pref.state "running mean" default 0
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @update_c1 {
  %a = pref.state "mean" default 0
  // expected-note @+1 {{the value}}
  %b = pref.input "reward" over [row]
  // expected-error @+1 {{'pref.update' op (C1) mean: expected a value of axes [], got [row]}}
  pref.update "mean" = %b
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @uniform_c1 {
  // expected-note @+1 {{this value has axes [row]}}
  %a = pref.input "seed" over [row]
  // expected-error @+1 {{'pref.uniform' op (C1) seed: expected axes [], got [row]}}
  %u = pref.uniform %a over row
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @pair_side {
  // expected-error @+1 {{expected a member of a pair, one of first, second; got 'firs'; did you mean 'first'?}}
  %a = pref.pair_index firs
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @objective_c6_input {
  // expected-note @+1 {{declared here before}}
  %a = pref.input "weight" over [row]
  // expected-error @+1 {{'pref.input' op (C6) input "weight" is declared with other axes before}}
  %b = pref.input "weight" over []
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @objective_c6_state {
  // expected-note @+1 {{declared here before}}
  %a = pref.state "mean" default 0
  // expected-error @+1 {{'pref.state' op (C6) state "mean" is declared with other default before}}
  %b = pref.state "mean" default 1
  pref.update "mean" = %a
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @objective_c6_option {
  %a = pref.constant 1
  // expected-note @+1 {{declared here before}}
  %b = pref.option "o" default "x" of "x" = %a, "y" = %a
  // expected-error @+1 {{'pref.option' op (C6) option "o" is declared with other cases before}}
  %c = pref.option "o" default "x" of "x" = %a, "z" = %a
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @objective_c7_never {
  // expected-error @+1 {{'pref.state' op (C7) state "mean" is never updated; say pref.update "mean" = %value}}
  %a = pref.state "mean" default 0
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @objective_c7_twice {
  %a = pref.state "mean" default 0
  // expected-note @+1 {{updated here before}}
  pref.update "mean" = %a
  // expected-error @+1 {{'pref.update' op (C7) state "mean" is updated twice}}
  pref.update "mean" = %a
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @objective_c7_unknown {
  %a = pref.state "mean" default 0
  pref.update "mean" = %a
  // expected-error @+1 {{'pref.update' op (C7) there is no state "mea"; did you mean 'mean'?}}
  pref.update "mea" = %a
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @objective_c9_inputs {
  %i0 = pref.input "i0" over [row]
  %i1 = pref.input "i1" over [row]
  %i2 = pref.input "i2" over [row]
  %i3 = pref.input "i3" over [row]
  %i4 = pref.input "i4" over [row]
  %i5 = pref.input "i5" over [row]
  %i6 = pref.input "i6" over [row]
  %i7 = pref.input "i7" over [row]
  %i8 = pref.input "i8" over [row]
  %i9 = pref.input "i9" over [row]
  %i10 = pref.input "i10" over [row]
  %i11 = pref.input "i11" over [row]
  %i12 = pref.input "i12" over [row]
  %i13 = pref.input "i13" over [row]
  %i14 = pref.input "i14" over [row]
  %i15 = pref.input "i15" over [row]
  // expected-error @+1 {{'pref.input' op (C9) expected at most 16 inputs, got 17}}
  %i16 = pref.input "i16" over [row]
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @objective_c9_hyperparameters {
  %h0 = pref.hyper "h0" default 1 in (0, inf)
  %h1 = pref.hyper "h1" default 1 in (0, inf)
  %h2 = pref.hyper "h2" default 1 in (0, inf)
  %h3 = pref.hyper "h3" default 1 in (0, inf)
  %h4 = pref.hyper "h4" default 1 in (0, inf)
  %h5 = pref.hyper "h5" default 1 in (0, inf)
  %h6 = pref.hyper "h6" default 1 in (0, inf)
  %h7 = pref.hyper "h7" default 1 in (0, inf)
  %h8 = pref.hyper "h8" default 1 in (0, inf)
  %h9 = pref.hyper "h9" default 1 in (0, inf)
  %h10 = pref.hyper "h10" default 1 in (0, inf)
  %h11 = pref.hyper "h11" default 1 in (0, inf)
  %h12 = pref.hyper "h12" default 1 in (0, inf)
  %h13 = pref.hyper "h13" default 1 in (0, inf)
  %h14 = pref.hyper "h14" default 1 in (0, inf)
  %h15 = pref.hyper "h15" default 1 in (0, inf)
  %h16 = pref.hyper "h16" default 1 in (0, inf)
  %h17 = pref.hyper "h17" default 1 in (0, inf)
  %h18 = pref.hyper "h18" default 1 in (0, inf)
  %h19 = pref.hyper "h19" default 1 in (0, inf)
  %h20 = pref.hyper "h20" default 1 in (0, inf)
  %h21 = pref.hyper "h21" default 1 in (0, inf)
  %h22 = pref.hyper "h22" default 1 in (0, inf)
  %h23 = pref.hyper "h23" default 1 in (0, inf)
  %h24 = pref.hyper "h24" default 1 in (0, inf)
  %h25 = pref.hyper "h25" default 1 in (0, inf)
  %h26 = pref.hyper "h26" default 1 in (0, inf)
  %h27 = pref.hyper "h27" default 1 in (0, inf)
  %h28 = pref.hyper "h28" default 1 in (0, inf)
  %h29 = pref.hyper "h29" default 1 in (0, inf)
  %h30 = pref.hyper "h30" default 1 in (0, inf)
  %h31 = pref.hyper "h31" default 1 in (0, inf)
  // expected-error @+1 {{'pref.hyper' op (C9) expected at most 32 hyperparameters, got 33}}
  %h32 = pref.hyper "h32" default 1 in (0, inf)
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

// expected-error @+1 {{'pref.objective' op (C9) expected at most 8 axes beside row, got 9}}
pref.objective @objective_c9_axes {
  %s0 = pref.count over segment(s0)
  %s1 = pref.count over segment(s1)
  %s2 = pref.count over segment(s2)
  %s3 = pref.count over segment(s3)
  %s4 = pref.count over segment(s4)
  %s5 = pref.count over segment(s5)
  %s6 = pref.count over segment(s6)
  %s7 = pref.count over segment(s7)
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

// expected-error @+1 {{'pref.objective' op (C5) attribute 'pref.options': expected what pref-resolve-options writes}}
pref.objective @objective_c5_options attributes {pref.options = [{name = "norm"}]} {
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}
