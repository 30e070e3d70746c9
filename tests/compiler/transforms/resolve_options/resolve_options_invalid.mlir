// RUN: pref-opt %s --split-input-file --verify-diagnostics --pref-resolve-options="options=norm=average"

pref.objective @unknown_case {
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %u = pref.mean %t over token
  // expected-error @+1 {{'pref.option' op option "norm": expected one of total, averages, got "average"; did you mean 'averages'?}}
  %x = pref.option "norm" default "total" of "total" = %s, "averages" = %u
  %m = pref.mean %x over row
  pref.yield %m
}

// -----

// expected-error @+1 {{'pref.objective' op option "norm": expected one of form; did you mean 'form'?}}
pref.objective @unknown_option {
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %u = pref.mean %t over token
  %x = pref.option "form" default "total" of "total" = %s, "average" = %u
  %m = pref.mean %x over row
  pref.yield %m
}

// -----

// expected-error @+1 {{'pref.objective' op option "norm": the objective has no options}}
pref.objective @no_option {
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  pref.yield %m
}
