// RUN: pref-opt %s --split-input-file --verify-diagnostics --pref-inline

pref.objective @inner {
  %beta = pref.hyper "beta" default 0.1 in (0, inf)
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %u = pref.mul %s, %beta
  %m = pref.mean %u over row
  pref.yield %m
}

pref.objective @unknown_objective {
  // expected-error @+1 {{no objective is named @iner: expected one of inner, unknown_objective; did you mean 'inner'?}}
  %a = pref.apply @iner
  pref.yield %a
}

// -----

// expected-note @+1 {{the objective}}
pref.objective @inner {
  %beta = pref.hyper "beta" default 0.1 in (0, inf)
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %u = pref.mul %s, %beta
  %m = pref.mean %u over row
  pref.yield %m
}

pref.objective @unknown_hyperparameter {
  %c = pref.constant 1
  // expected-error @+1 {{'pref.apply' op @inner has no hyperparameter "betta": expected one of beta; did you mean 'beta'?}}
  %a = pref.apply @inner {betta = %c}
  pref.yield %a
}

// -----

pref.objective @inner {
  // expected-note @+1 {{declared here}}
  %beta = pref.hyper "beta" default 0.1 in (0, inf)
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %u = pref.mul %s, %beta
  %m = pref.mean %u over row
  pref.yield %m
}

pref.objective @out_of_range {
  // expected-note @+1 {{bound to this}}
  %c = pref.constant -1
  // expected-error @+1 {{'pref.apply' op hyperparameter beta of @inner: expected (0, inf), got -1}}
  %a = pref.apply @inner {beta = %c}
  pref.yield %a
}

// -----

pref.objective @inner {
  // expected-note @+1 {{this declaration}}
  %beta = pref.hyper "beta" default 0.1 in (0, inf)
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %u = pref.mul %s, %beta
  %m = pref.mean %u over row
  pref.yield %m
}

pref.objective @different_hyperparameters {
  // expected-note @+1 {{the other one}}
  %beta = pref.hyper "beta" default 0.2 in (0, inf)
  // expected-error @+1 {{'pref.apply' op @inner declares hyperparameter "beta" differently from another declaration here (default 0.1 in (0, inf) and default 0.2 in (0, inf)); bind one of them, as in @inner {beta = %value}}}
  %a = pref.apply @inner
  %b = pref.mul %a, %beta
  pref.yield %b
}

// -----

pref.objective @inner {
  %t = pref.logprob policy(chosen)
  // expected-note @+1 {{this declaration}}
  %w = pref.input "weight" over [row]
  %s = pref.sum %t over token
  %u = pref.mul %s, %w
  %m = pref.mean %u over row
  pref.yield %m
}

pref.objective @different_inputs {
  // expected-note @+1 {{the other one}}
  %w = pref.input "weight" over []
  // expected-error @+1 {{'pref.apply' op @inner declares input "weight" differently from another declaration here}}
  %a = pref.apply @inner
  %b = pref.mul %a, %w
  pref.yield %b
}

// -----

pref.objective @inner {
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %e = pref.exp %s
  // expected-note @+1 {{this declaration}}
  %o = pref.option "shape" default "plain" of "plain" = %s, "steep" = %e
  %m = pref.mean %o over row
  pref.yield %m
}

pref.objective @different_options {
  %c = pref.constant 1
  %d = pref.constant 2
  // expected-note @+1 {{the other one}}
  %o = pref.option "shape" default "steep" of "plain" = %c, "steep" = %d
  // expected-error @+1 {{'pref.apply' op @inner declares option "shape" differently from another declaration here; choose its case, as in [shape = "plain"]}}
  %a = pref.apply @inner
  %b = pref.mul %a, %o
  pref.yield %b
}

// -----

pref.objective @inner {
  %t = pref.logprob policy(chosen)
  %s = pref.mean %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

pref.objective @label_twice {
  %a = pref.apply @inner
  // expected-error @+1 {{'pref.apply' op label inner: is given twice; name one of them apart, as in as "inner_2"}}
  %b = pref.apply @inner
  %c = pref.add %a, %b
  pref.yield %c
}

// -----

pref.objective @first {
  %a = pref.apply @second
  pref.yield %a
}

pref.objective @second {
  %a = pref.apply @third
  pref.yield %a
}

pref.objective @third {
  // expected-error @+1 {{'pref.apply' op objectives apply each other in a circle: first -> second -> third -> first}}
  %a = pref.apply @first
  pref.yield %a
}

// -----

pref.objective @itself {
  // expected-error @+1 {{'pref.apply' op objectives apply each other in a circle: itself -> itself}}
  %a = pref.apply @itself
  pref.yield %a
}

// -----

// expected-note @+1 {{it is differentiated already}}
pref.objective @inner {
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m cotangents("policy.chosen" = %t)
}

pref.objective @differentiated {
  // expected-error @+1 {{'pref.apply' op @inner: expected an objective without cotangents}}
  %a = pref.apply @inner
  pref.yield %a
}

// -----

pref.objective @apply_c1_twice {
  %c = pref.constant 1
  // expected-error @+1 {{'pref.apply' op (C1) binds hyperparameter "beta" twice}}
  %a = pref.apply @inner {beta = %c, beta = %c}
  pref.yield %a
}

// -----

pref.objective @apply_c1_axes {
  %t = pref.logprob policy(chosen)
  // expected-note @+1 {{this value has axes [row]}}
  %s = pref.sum %t over token
  // expected-error @+1 {{'pref.apply' op (C1) hyperparameter "beta": expected axes [], got [row]}}
  %a = pref.apply @inner {beta = %s}
  pref.yield %a
}

// -----

pref.objective @apply_c2 {
  // expected-error @+1 {{'pref.apply' op (C2) chooses option "shape" twice}}
  %a = pref.apply @inner [shape = "plain", shape = "steep"]
  pref.yield %a
}

// -----

pref.objective @apply_c3 {
  // expected-error @+1 {{'pref.apply' op (C3) label: expected an identifier of [a-z0-9_], got "a b"}}
  %a = pref.apply @inner as "a b"
  pref.yield %a
}

// -----

pref.objective @inner {
  // expected-note @+1 {{declared here}}
  %beta = pref.hyper "beta" default 0.1 in (0, 1]
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %u = pref.mul %s, %beta
  %m = pref.mean %u over row
  pref.yield %m
}

// A range within that of the inner one is fine.
pref.objective @narrower {
  %gamma = pref.hyper "gamma" default 0.5 in (0, 1]
  %a = pref.apply @inner {beta = %gamma}
  pref.yield %a
}

pref.objective @wider {
  // expected-note @+1 {{bound to this}}
  %gamma = pref.hyper "gamma" default 0.5 in [0, 1]
  // expected-error @+1 {{'pref.apply' op hyperparameter beta of @inner: expected (0, 1], got one in [0, 1]}}
  %a = pref.apply @inner {beta = %gamma}
  pref.yield %a
}

// -----

"pref.objective"() <{sym_name = "apply_c1_names"}> ({
  %c = "pref.constant"() <{value = 1.0 : f64}> : () -> !pref.value<>
  // expected-error @+1 {{'pref.apply' op (C1) expected a name for each of 1 values, got 0}}
  %a = "pref.apply"(%c) <{objective = @inner, hyperparameters = [], options = [], cases = []}> : (!pref.value<>) -> !pref.value<>
  "pref.yield"(%a) <{metricNames = [], cotangentNames = [], operandSegmentSizes = array<i32: 1, 0, 0>}> : (!pref.value<>) -> ()
}) : () -> ()

// -----

"pref.objective"() <{sym_name = "apply_c2_cases"}> ({
  // expected-error @+1 {{'pref.apply' op (C2) expected a case for each of 1 options, got 0}}
  %a = "pref.apply"() <{objective = @inner, hyperparameters = [], options = ["shape"], cases = []}> : () -> !pref.value<>
  "pref.yield"(%a) <{metricNames = [], cotangentNames = [], operandSegmentSizes = array<i32: 1, 0, 0>}> : (!pref.value<>) -> ()
}) : () -> ()

// -----

pref.objective @inner {
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %e = pref.exp %s
  // expected-note @+1 {{declared here}}
  %o = pref.option "shape" default "plain" of "plain" = %s, "steep" = %e
  %m = pref.mean %o over row
  pref.yield %m
}

pref.objective @unknown_case {
  // expected-error @+1 {{'pref.apply' op option "shape" of @inner: expected one of plain, steep, got "step"; did you mean 'steep'?}}
  %a = pref.apply @inner [shape = "step"]
  pref.yield %a
}

// -----

// expected-note @+1 {{the objective}}
pref.objective @inner {
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

pref.objective @unknown_option {
  // expected-error @+1 {{'pref.apply' op @inner has no option "shape": expected none}}
  %a = pref.apply @inner [shape = "steep"]
  pref.yield %a
}
