// Direct preference optimization. arXiv:2305.18290, equation 7. Log-probabilities are sums over tokens.
pref.objective @dpo attributes {
  paper = "arXiv:2305.18290",
  doc = "Direct preference optimization: logistic loss on the difference of the two log-ratios to the reference."
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

  %ls = pref.log_sigmoid %margin
  %nll = pref.neg %ls
  %loss = pref.mean %nll over row

  %accuracy = pref.compare gt %chosen_reward, %rejected_reward
  pref.yield %loss metrics("margin" = %margin, "chosen_reward" = %chosen_reward,
                           "rejected_reward" = %rejected_reward, "accuracy" = %accuracy)
}
