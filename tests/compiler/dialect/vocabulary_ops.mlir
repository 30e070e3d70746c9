// RUN: pref-opt %s | pref-opt | FileCheck %s
// RUN: pref-opt %s --mlir-print-op-generic | pref-opt | FileCheck %s
// RUN: pref-opt %s --mlir-print-op-generic | FileCheck %s --check-prefix=TYPES

// CHECK-LABEL: pref.objective @reads
pref.objective @reads {
  %gamma = pref.hyper "gamma" default 1.5 in (0, inf)
  // CHECK: %token = pref.input "token" over [row, token(chosen)]
  %i = pref.input "token" over [row, token(chosen)]
  // CHECK-NEXT: %reference_chosen_argmax = pref.argmax reference(chosen)
  %best = pref.argmax reference(chosen)
  // CHECK-NEXT: %policy_chosen = pref.logprob policy(chosen){{$}}
  %0 = pref.logprob policy(chosen)
  // CHECK-NEXT: %policy_chosen_logprob_at = pref.logprob policy(chosen) at %token
  %1 = pref.logprob policy(chosen) at %i
  // CHECK-NEXT: pref.logprob policy(chosen) at %reference_chosen_argmax detached
  %2 = pref.logprob policy(chosen) at %best detached
  // CHECK-NEXT: %policy_chosen_logprob_mix = pref.logprob policy(chosen) mix reference(chosen) on blank by %gamma
  %3 = pref.logprob policy(chosen) mix reference(chosen) on blank by %gamma
  // CHECK-NEXT: %policy_rejected_entropy = pref.entropy policy(rejected)
  %4 = pref.entropy policy(rejected)
  // CHECK-NEXT: %policy_rejected_collision = pref.collision policy(rejected) detached
  %5 = pref.collision policy(rejected) detached
  // CHECK-NEXT: %policy_rejected_logit = pref.logit policy(rejected)
  %6 = pref.logit policy(rejected)
  // CHECK-NEXT: pref.kl reference(rejected), policy(rejected) detached
  %7 = pref.kl reference(rejected), policy(rejected) detached
  %a = pref.add %0, %1
  %b = pref.add %a, %2
  %c = pref.add %b, %3
  %d = pref.sum %c over token
  %e = pref.add %4, %5
  %f = pref.add %e, %6
  %g = pref.add %f, %7
  %h = pref.sum %g over token
  %j = pref.add %d, %h
  %m = pref.mean %j over row
  pref.yield %m
}

// CHECK-LABEL: pref.objective @distributions
pref.objective @distributions {
  // CHECK-NEXT: %reference2_chosen = pref.logprob reference(2)(chosen)
  %0 = pref.logprob reference(2)(chosen)
  // CHECK-NEXT: %reference_chosen = pref.logprob reference(chosen)
  %1 = pref.logprob reference(1)(chosen)
  // CHECK-NEXT: pref.logprob policy(chosen) on corrupted("crop") shared detached
  %2 = pref.logprob policy(chosen) on corrupted("crop") shared detached
  // CHECK-NEXT: %policy_mismatched = pref.logprob policy(mismatched)
  %3 = pref.logprob policy(mismatched)
  // CHECK-NEXT: %policy_chosen_adversarial = pref.logprob policy(chosen) on adversarial
  %4 = pref.logprob policy(chosen) on adversarial
  // CHECK-NEXT: %policy_member = pref.logprob policy(member)
  // TYPES: distribution = #pref.distribution<policy(member)>{{.*}} -> !pref.value<row, member, token(member)>
  %5 = pref.logprob policy(member)
  %a = pref.add %0, %1
  %b = pref.add %a, %2
  %c = pref.add %b, %4
  %d = pref.sum %c over token
  %e = pref.sum %3 over token
  // TYPES: (!pref.value<row, member, token(member)>) -> !pref.value<row, member>
  %f = pref.sum %5 over token
  // TYPES: (!pref.value<row, member>) -> !pref.value<row>
  %g = pref.mean %f over member
  %h = pref.add %d, %e
  %j = pref.add %h, %g
  %m = pref.mean %j over row
  pref.yield %m
}
