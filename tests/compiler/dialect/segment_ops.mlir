// RUN: pref-opt %s | pref-opt | FileCheck %s
// RUN: pref-opt %s --mlir-print-op-generic | FileCheck %s --check-prefix=TYPES

// CHECK-LABEL: pref.objective @segments
pref.objective @segments {
  %x = pref.logprob policy(chosen)
  // CHECK: %[[I:.*]] = pref.input "phrase_id" over [row, token(chosen)]
  %ids = pref.input "phrase_id" over [row, token(chosen)]
  // CHECK-NEXT: %[[S:.*]] = pref.segment_sum %policy_chosen by %[[I]] to segment(phrase)
  // TYPES: "pref.segment_sum"{{.*}} : (!pref.value<row, token(chosen)>, !pref.value<row, token(chosen)>) -> !pref.value<row, segment(phrase)>
  %s = pref.segment_sum %x by %ids to segment(phrase)
  // CHECK-NEXT: %[[G:.*]] = pref.segment_gather %[[S]] by %[[I]]
  // TYPES: "pref.segment_gather"{{.*}} : (!pref.value<row, segment(phrase)>, !pref.value<row, token(chosen)>) -> !pref.value<row, token(chosen)>
  %g = pref.segment_gather %s by %ids
  // CHECK-NEXT: pref.sum %[[S]] over segment
  // TYPES: "pref.sum"{{.*}} : (!pref.value<row, segment(phrase)>) -> !pref.value<row>
  %r = pref.sum %s over segment
  %l = pref.mean %r over row
  pref.yield %l
}

// CHECK-LABEL: pref.objective @pairs
pref.objective @pairs {
  %x = pref.logprob policy(member)
  // CHECK: %[[S:.*]] = pref.sum %policy_member over token
  // TYPES: "pref.sum"{{.*}} : (!pref.value<row, member, token(member)>) -> !pref.value<row, member>
  %s = pref.sum %x over token
  // CHECK-NEXT: %[[A:.*]] = pref.pair_gather %[[S]] first
  // TYPES: "pref.pair_gather"{{.*}} : (!pref.value<row, member>) -> !pref.value<row, pair>
  %a = pref.pair_gather %s first
  // CHECK-NEXT: pref.pair_gather %[[S]] second
  %b = pref.pair_gather %s second
  // CHECK-NEXT: pref.pair_scatter %[[A]] first
  // TYPES: "pref.pair_scatter"{{.*}} : (!pref.value<row, pair>) -> !pref.value<row, member>
  %c = pref.pair_scatter %a first
  // CHECK-NEXT: pref.pair_scatter %[[A]] second
  %d = pref.pair_scatter %a second
  %r = pref.sum %a over pair
  %l = pref.mean %r over row
  pref.yield %l
}

// CHECK-LABEL: pref.objective @places
pref.objective @places {
  // CHECK: %[[Q:.*]] = pref.constant 0.5
  %q = pref.constant 0.5
  %x = pref.logprob policy(chosen)
  // CHECK: %[[N:.*]] = pref.count over token(chosen)
  %n = pref.count over token(chosen)
  // CHECK-NEXT: pref.sum_first %policy_chosen, %[[N]] over token
  // TYPES: "pref.sum_first"{{.*}} -> !pref.value<row>
  %a = pref.sum_first %x, %n over token
  // CHECK-NEXT: pref.sum_after %policy_chosen, %[[Q]] over token
  %b = pref.sum_after %x, %q over token
  // CHECK-NEXT: pref.scatter_at %[[Q]], %[[N]] over token(chosen)
  // TYPES: "pref.scatter_at"{{.*}} : (!pref.value<>, !pref.value<row>) -> !pref.value<row, token(chosen)>
  %c = pref.scatter_at %q, %n over token(chosen)
  // CHECK-NEXT: pref.quantile %policy_chosen at %[[Q]] over token
  // TYPES: "pref.quantile"{{.*}} -> !pref.value<row>
  %d = pref.quantile %x at %q over token
  // CHECK-NEXT: pref.random_subset %[[N]], %[[Q]], %[[Q]] over row
  // TYPES: "pref.random_subset"{{.*}} -> !pref.value<row>
  %e = pref.random_subset %n, %q, %q over row
  %l = pref.mean %a over row
  pref.yield %l
}
