// RUN: pref-opt %s --split-input-file --verify-diagnostics --pref-differentiate --canonicalize --cse --pref-analyze-coupling -o %t

// Weights that follow from lengths.
pref.objective @known {
  // expected-remark @+1 {{known, rank 0, sparse, uniform: the weights depend on no score with gradient}}
  %t = pref.logprob policy(chosen)
  %s = pref.mean %t over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

// Other models' scores and detached ones are known before.
pref.objective @known_reads {
  // expected-remark @+1 {{known, rank 0, sparse}}
  %t = pref.logprob policy(chosen)
  %r = pref.logprob reference(chosen)
  %d = pref.logprob policy(rejected) detached
  %p = pref.mul %t, %r
  %s = pref.sum %p over token
  %q = pref.sum %d over token
  %b = pref.mul %s, %q
  %m = pref.mean %b over row
  pref.yield %m
}

// -----

pref.objective @token {
  // expected-remark @+1 {{token, rank 1, sparse: the weights depend on policy.chosen}}
  %t = pref.logprob policy(chosen)
  %o = pref.logprob old_policy(chosen)
  %d = pref.sub %t, %o
  %e = pref.exp %d
  %s = pref.mean %e over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

// A detached read of a distribution with gradient is of the same forward pass, so it is not known before.
pref.objective @token_detached {
  // expected-remark @+1 {{token, rank 1, sparse: the weights depend on policy.chosen}}
  %d = pref.logprob policy(chosen) detached
  %t = pref.logprob policy(chosen)
  %p = pref.mul %d, %t
  %s = pref.sum %p over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

pref.objective @row {
  // expected-remark @+1 {{row, rank 1, sparse, uniform: the weights depend on policy.chosen, policy.rejected, reduced over token}}
  %t = pref.logprob policy(chosen)
  // expected-remark @+1 {{row, rank 1, sparse, uniform: the weights depend on policy.chosen, policy.rejected, reduced over token}}
  %u = pref.logprob policy(rejected)
  %s = pref.sum %t over token
  %v = pref.sum %u over token
  %d = pref.sub %s, %v
  %ls = pref.log_sigmoid %d
  %m = pref.mean %ls over row
  pref.yield %m
}

// -----

// Two numbers of the row enter the weight of a token.
pref.objective @row_rank_2 {
  // expected-remark @+1 {{row, rank 2, sparse}}
  %t = pref.logprob policy(chosen)
  %r = pref.logprob reference(chosen)
  %s = pref.sum %t over token
  %w = pref.mul %t, %r
  %v = pref.sum %w over token
  %a = pref.softplus %s
  %b = pref.exp %v
  %c = pref.add %a, %b
  %m = pref.mean %c over row
  pref.yield %m
}

// -----

pref.objective @batch {
  // expected-remark @+1 {{batch, rank 1, sparse, uniform: the weights depend on policy.chosen, reduced over token and row}}
  %t = pref.logprob policy(chosen)
  %s = pref.sum %t over token
  %m = pref.mean %s over row
  %a = pref.square %m
  pref.yield %a
}

// -----

// One coupling per distribution, of all that is read of it.
pref.objective @dense {
  // expected-remark @+1 {{token, rank 1, dense: the weights depend on policy.response}}
  %t = pref.logprob policy(response)
  %h = pref.entropy policy(response)
  %e = pref.exp %t
  %d = pref.sub %e, %h
  %s = pref.mean %d over token
  %m = pref.mean %s over row
  pref.yield %m
}

// -----

// What is read of a distribution with gradient is unknown, also where it has none.
pref.objective @weighted {
  // expected-remark @+1 {{row, rank 1, sparse, uniform: the weights depend on policy.chosen, policy.chosen#collision, reduced over token}}
  %t = pref.logprob policy(chosen)
  %c = pref.collision policy(chosen) detached
  %w = pref.sub %t, %c
  %a = pref.mean %w over token
  %b = pref.stop_gradient %a
  %e = pref.exp %b
  %s = pref.sum %t over token
  %p = pref.mul %e, %s
  %m = pref.mean %p over row
  pref.yield %m
}

// -----

// The weight of a member's tokens depends on the other members of its row.
pref.objective @members {
  // expected-remark @+1 {{row, rank 1, sparse, uniform: the weights depend on policy.member, reduced over token and member}}
  %t = pref.logprob policy(member)
  %s = pref.sum %t over token
  %g = pref.mean %s over member
  %d = pref.sub %s, %g
  %q = pref.square %d
  %r = pref.mean %q over member
  %m = pref.mean %r over row
  pref.yield %m
}

// -----

// The mean over rows of what no gradient reaches is known before.
pref.objective @known_mean {
  // expected-remark @+1 {{row, rank 1, sparse, uniform: the weights depend on policy.response, reduced over token}}
  %t = pref.logprob policy(response)
  %s = pref.sum %t over token
  %x = pref.logprob policy(mismatched) detached
  %y = pref.sum %x over token
  // expected-remark @+1 {{couples rows, but is known before any score with gradient}}
  %z = pref.mean %y over row
  %z0 = pref.relu %z
  %d = pref.sub %s, %z0
  %l = pref.sigmoid %d
  %m = pref.mean %l over row
  pref.yield %m
}

// -----

// A mean over rows that only the loss and a metric need is not known before: nothing waits for it.
pref.objective @known_metric {
  // expected-remark @+1 {{known, rank 0, sparse, uniform}}
  %t = pref.logprob policy(chosen)
  %r = pref.logprob reference(chosen)
  %s = pref.sum %t over token
  %q = pref.sum %r over token
  %b = pref.mean %q over row
  %m = pref.mean %s over row
  %l = pref.sub %m, %b
  pref.yield %l metrics("reference" = %b)
}

// -----

// A stopped mean over the rows of all ranks is still a mean of scores of this forward pass.
pref.objective @ranks {
  // expected-remark @+1 {{ranks, rank 1, sparse, uniform: the weights depend on policy.response, reduced over token and row and ranks}}
  %t = pref.logprob policy(response)
  %s = pref.sum %t over token
  %v = pref.stop_gradient %s
  %b = pref.mean %v over row scope ranks
  %d = pref.sub %s, %b
  %l = pref.sigmoid %d
  %m = pref.mean %l over row
  pref.yield %m
}

// -----

// Of reference scores, the mean over all ranks is known before.
pref.objective @known_ranks {
  // expected-remark @+1 {{row, rank 1, sparse, uniform: the weights depend on policy.response, reduced over token}}
  %t = pref.logprob policy(response)
  %r = pref.logprob reference(response)
  %s = pref.sum %t over token
  %q = pref.sum %r over token
  // expected-remark @+1 {{couples rows, but is known before any score with gradient}}
  %b = pref.mean %q over row scope ranks
  %d = pref.sub %s, %b
  %l = pref.sigmoid %d
  %m = pref.mean %l over row
  pref.yield %m
}

// -----

// A sorted margin is known when all rows are; the sorted reference margins before.
pref.objective @sorted {
  // expected-remark @+1 {{batch, rank 1, sparse, uniform: the weights depend on policy.response, reduced over token and row}}
  %t = pref.logprob policy(response)
  %r = pref.logprob reference(response)
  %s = pref.sum %t over token
  %q = pref.sum %r over token
  %o = pref.sort %s over row
  // expected-remark @+1 {{couples rows, but is known before any score with gradient}}
  %p = pref.sort %q over row
  %d = pref.sub %o, %p
  %l = pref.softplus %d
  %m = pref.mean %l over row
  pref.yield %m
}

// -----

// A discounted sum over the later tokens: the weight of a token is known with its row, and not the same for all.
pref.objective @scanned {
  // expected-remark @+1 {{row, rank 1, sparse: the weights depend on policy.response, reduced over token}}
  %t = pref.logprob policy(response)
  %h = pref.constant 0.5
  %y = pref.scan %t, %h over token
  %e = pref.exp %y
  %s = pref.sum %e over token
  %m = pref.mean %s over row
  pref.yield %m
}
