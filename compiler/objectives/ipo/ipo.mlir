// Identity preference optimization. arXiv:2310.12036, equation 17, with log-ratios averaged over tokens, as the authors
// confirmed to TRL.
pref.objective @ipo attributes {
  paper = "arXiv:2310.12036",
  doc = "Identity preference optimization: squared distance of the averaged log-ratios' difference to 1 / (2 beta)."
} {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "strength of the regularisation, tau in the paper"

  %pw = pref.logprob policy(chosen)
  %pl = pref.logprob policy(rejected)
  %rw = pref.logprob reference(chosen)
  %rl = pref.logprob reference(rejected)

  %w_t = pref.sub %pw, %rw
  %l_t = pref.sub %pl, %rl
  %w = pref.mean %w_t over token
  %l = pref.mean %l_t over token
  %h = pref.sub %w, %l

  // The difference that the loss asks for.
  %one = pref.constant 1
  %two = pref.constant 2
  %two_beta = pref.mul %two, %beta
  %target = pref.div %one, %two_beta
  %distance = pref.sub %h, %target
  %squared = pref.square %distance
  %loss = pref.mean %squared over row

  %chosen_reward = pref.mul %beta, %w
  %rejected_reward = pref.mul %beta, %l
  %margin = pref.sub %chosen_reward, %rejected_reward
  %accuracy = pref.compare gt %chosen_reward, %rejected_reward
  pref.yield %loss metrics("margin" = %margin, "chosen_reward" = %chosen_reward,
                           "rejected_reward" = %rejected_reward, "accuracy" = %accuracy)
}
