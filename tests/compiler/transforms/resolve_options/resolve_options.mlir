// RUN: pref-opt %s --pref-resolve-options="options=shape=exp,shift=none" | FileCheck %s --check-prefixes=CHECK,CHOSEN
// RUN: pref-opt %s --pref-resolve-options | FileCheck %s --check-prefixes=CHECK,DEFAULT

// What only another case needs goes, with its hyperparameter and its state; an operand of fewer axes is broadcast.
// CHECK-LABEL: pref.objective @all
// CHOSEN-SAME: chosen = "exp"
// CHOSEN-SAME: chosen = "none"
// DEFAULT-SAME: chosen = "linear"
// DEFAULT-SAME: chosen = "running"
pref.objective @all {
  // CHOSEN-NOT: pref.hyper
  // DEFAULT: pref.hyper "beta"
  %beta = pref.hyper "beta" default 1 in (0, inf)
  // CHOSEN-NOT: pref.state
  // DEFAULT: pref.state "mean"
  %mean = pref.state "mean" default 0
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  // DEFAULT: pref.mul
  %a = pref.mul %beta, %s
  // CHOSEN: %[[E:.*]] = pref.exp
  // DEFAULT-NOT: pref.exp
  %b = pref.exp %s
  %x = pref.option "shape" default "linear" of "linear" = %a, "exp" = %b
  %zero = pref.constant 0
  %row = pref.mul %zero, %s
  // CHECK: %[[B:.*]] = pref.broadcast %{{.*}} to [row]
  %shift = pref.option "shift" default "running" of "running" = %mean, "none" = %zero, "own" = %row
  // CHOSEN: pref.sub %[[E]], %[[B]]
  %d = pref.sub %x, %shift
  %y = pref.option "shape" default "linear" of "linear" = %d, "exp" = %x
  // CHOSEN: pref.mean %[[E]] over row
  %m = pref.mean %y over row
  // CHOSEN-NOT: pref.update
  // DEFAULT: pref.update "mean"
  pref.update "mean" = %m
  // CHECK: pref.yield
  pref.yield %m metrics("shifted" = %d)
}
