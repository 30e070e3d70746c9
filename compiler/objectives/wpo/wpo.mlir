// Weighted preference optimization. arXiv:2406.11827, equation 2: DPO, with each pair weighted by how likely the policy
// is to write it, exp of the mean over tokens of log p(label) - log sum_v p(v)^2 for both responses. No gradient passes
// through the weight. It is not clamped at 1, as in TRL 1.16 (use_weighting); the authors clamp the product.
pref.objective @wpo attributes {
  paper = "arXiv:2406.11827",
  doc = "WPO: DPO on pairs weighted by how likely the policy is to write them."
} {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inverse temperature of the KL constraint"

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

  %pw_value = pref.logprob policy(chosen) detached
  %pl_value = pref.logprob policy(rejected) detached
  %w_collision = pref.collision policy(chosen) detached
  %l_collision = pref.collision policy(rejected) detached
  %w_aligned = pref.sub %pw_value, %w_collision
  %l_aligned = pref.sub %pl_value, %l_collision
  %w_log_weight = pref.mean %w_aligned over token
  %l_log_weight = pref.mean %l_aligned over token
  %log_weight = pref.add %w_log_weight, %l_log_weight
  %weight = pref.exp %log_weight

  %ls = pref.log_sigmoid %margin
  %weighted = pref.mul %weight, %ls
  %nll = pref.neg %weighted
  %loss = pref.mean %nll over row

  %accuracy = pref.compare gt %chosen_reward, %rejected_reward
  pref.yield %loss metrics("margin" = %margin, "chosen_reward" = %chosen_reward,
                           "rejected_reward" = %rejected_reward, "accuracy" = %accuracy, "weight" = %weight)
}
