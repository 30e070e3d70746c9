// Simple preference optimization. arXiv:2405.14734, equation 6. No reference model; log-probabilities are means over
// tokens.
pref.objective @simpo attributes {
  paper = "arXiv:2405.14734",
  doc = "Simple preference optimization: logistic loss on the difference of the averaged log-probabilities."
} {
  %beta = pref.hyper "beta" default 2 in (0, inf) doc "scale of the averaged log-probabilities"
  %gamma = pref.hyper "gamma" default 0.5 in [0, inf) doc "margin that the scaled difference should exceed"

  %pw = pref.logprob policy(chosen)
  %pl = pref.logprob policy(rejected)
  %w = pref.mean %pw over token
  %l = pref.mean %pl over token
  %chosen_reward = pref.mul %beta, %w
  %rejected_reward = pref.mul %beta, %l
  %margin = pref.sub %chosen_reward, %rejected_reward

  %u = pref.sub %margin, %gamma
  %ls = pref.log_sigmoid %u
  %nll = pref.neg %ls
  %loss = pref.mean %nll over row

  %accuracy = pref.compare gt %chosen_reward, %rejected_reward
  pref.yield %loss metrics("margin" = %margin, "chosen_reward" = %chosen_reward,
                           "rejected_reward" = %rejected_reward, "accuracy" = %accuracy)
}
