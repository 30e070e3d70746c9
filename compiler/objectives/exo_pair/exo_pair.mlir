// Efficient exact optimization of pairs. arXiv:2402.00856, equation 16: KL of the policy's preference u =
// sigmoid(margin) from the labels (1 - e, e), u (log u - log(1 - e)) + (1 - u) (log(1 - u) - log e). Gradient flows
// through u too.
pref.objective @exo_pair attributes {
  paper = "arXiv:2402.00856",
  doc = "EXO on pairs: reverse KL divergence of the policy's preference from smoothed labels."
} {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inverse temperature of the KL constraint"
  %e = pref.hyper "label_smoothing" default 0.001 in (0, 0.5) doc "probability of the rejected response by the labels"

  %pw = pref.logprob policy(chosen)
  %pl = pref.logprob policy(rejected)
  %rw = pref.logprob reference(chosen)
  %rl = pref.logprob reference(rejected)

  // Log-ratios of the responses, and the rewards that they stand for.
  %w_t = pref.sub %pw, %rw
  %l_t = pref.sub %pl, %rl
  %w = pref.sum %w_t over token
  %l = pref.sum %l_t over token
  %chosen_reward = pref.mul %beta, %w
  %rejected_reward = pref.mul %beta, %l
  %margin = pref.sub %chosen_reward, %rejected_reward

  %minus_margin = pref.neg %margin
  %minus_e = pref.neg %e
  %u = pref.sigmoid %margin
  %v = pref.sigmoid %minus_margin
  %log_u = pref.log_sigmoid %margin
  %log_v = pref.log_sigmoid %minus_margin
  %log_chosen = pref.log1p %minus_e
  %log_rejected = pref.log %e
  %chosen_gap = pref.sub %log_u, %log_chosen
  %rejected_gap = pref.sub %log_v, %log_rejected
  %chosen_term = pref.mul %u, %chosen_gap
  %rejected_term = pref.mul %v, %rejected_gap
  %divergence = pref.add %chosen_term, %rejected_term
  %loss = pref.mean %divergence over row

  %accuracy = pref.compare gt %chosen_reward, %rejected_reward
  pref.yield %loss metrics("margin" = %margin, "chosen_reward" = %chosen_reward,
                           "rejected_reward" = %rejected_reward, "accuracy" = %accuracy)
}
