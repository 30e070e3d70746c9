// RUN: pref-opt %s --verify-diagnostics --pref-analyze-coupling

// expected-error @+1 {{'pref.objective' op has no cotangents; run pref-differentiate first}}
pref.objective @undifferentiated {
  %t = pref.logprob policy(chosen)
  %s = pref.mean %t over token
  %m = pref.mean %s over row
  pref.yield %m
}
