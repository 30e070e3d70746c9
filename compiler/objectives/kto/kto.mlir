// Kahneman-Tversky optimization. arXiv:2402.01306, equation 7: single responses, each desirable or not. The baseline is
// the KL divergence from the reference, estimated on other prompts' responses over all ranks; no gradient passes
// through it. TRL averages the means of the ranks, which differs where ranks have different numbers of rows.
pref.objective @kto attributes {
  paper = "arXiv:2402.01306",
  doc = "KTO: desirable responses should gain more than the policy has drifted, undesirable ones lose."
} {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inverse temperature of the KL constraint"
  %desirable_weight = pref.hyper "desirable_weight" default 1 in [0, inf) doc "weight of desirable responses"
  %undesirable_weight = pref.hyper "undesirable_weight" default 1 in [0, inf) doc "weight of undesirable responses"
  %label = pref.input "label" over [row] doc "1: the response is desirable, 0: it is not"

  %p = pref.logprob policy(response)
  %r = pref.logprob reference(response)
  %log_ratio_t = pref.sub %p, %r
  %log_ratio = pref.sum %log_ratio_t over token

  // How far the policy is from the reference.
  %mismatched_p = pref.logprob policy(mismatched) detached
  %mismatched_r = pref.logprob reference(mismatched)
  %drift_t = pref.sub %mismatched_p, %mismatched_r
  %drift = pref.sum %drift_t over token
  %mean_drift = pref.mean %drift over row scope ranks
  %kl = pref.relu %mean_drift

  // 1 - sigmoid(x) is sigmoid(-x).
  %gain = pref.sub %log_ratio, %kl
  %loss_of_desirable = pref.sub %kl, %log_ratio
  %signed = pref.where %label, %loss_of_desirable, %gain
  %scaled = pref.mul %beta, %signed
  %regret = pref.sigmoid %scaled
  %weight = pref.where %label, %desirable_weight, %undesirable_weight
  %weighted = pref.mul %weight, %regret
  %loss = pref.mean %weighted over row

  // Rewards are averaged over the rows of their kind: their mean over all rows, times rows per row of the kind.
  %zero = pref.constant 0
  %one = pref.constant 1
  %reward = pref.mul %beta, %log_ratio
  %is_desirable = pref.compare ne %label, %zero
  %is_undesirable = pref.compare eq %label, %zero
  %rows = pref.count over row
  %desirable_count = pref.sum %is_desirable over row
  %undesirable_count = pref.sum %is_undesirable over row
  %desirable_rows = pref.max %desirable_count, %one
  %undesirable_rows = pref.max %undesirable_count, %one
  %desirable_scale = pref.div %rows, %desirable_rows
  %undesirable_scale = pref.div %rows, %undesirable_rows
  %desirable_reward = pref.mul %is_desirable, %reward
  %undesirable_reward = pref.mul %is_undesirable, %reward
  %chosen_reward = pref.mul %desirable_scale, %desirable_reward
  %rejected_reward = pref.mul %undesirable_scale, %undesirable_reward
  %margin = pref.sub %chosen_reward, %rejected_reward
  %kl_row = pref.broadcast %kl to [row]
  pref.yield %loss metrics("margin" = %margin, "chosen_reward" = %chosen_reward,
                           "rejected_reward" = %rejected_reward, "kl" = %kl_row)
}
