// Robust DPO. arXiv:2403.00409, equation 11: DPO's loss, unbiased under labels that are flipped at a known rate.
// Unbounded below: far beyond a margin of 0 it falls as -e margin / (1 - 2e).
pref.objective @robust attributes {
  paper = "arXiv:2403.00409",
  doc = "Robust DPO: the logistic loss, unbiased under labels that are flipped at a known rate."
} {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inverse temperature of the KL constraint"
  %e = pref.hyper "label_smoothing" default 0.1 in [0, 0.5) doc "how many of the labels are flipped"

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

  %one = pref.constant 1
  %two = pref.constant 2
  %flipped_margin = pref.neg %margin
  %ls = pref.log_sigmoid %margin
  %flipped_ls = pref.log_sigmoid %flipped_margin
  %right = pref.sub %one, %e
  %clean = pref.mul %right, %ls
  %flipped = pref.mul %e, %flipped_ls
  %difference = pref.sub %flipped, %clean
  %two_e = pref.mul %two, %e
  %scale = pref.sub %one, %two_e
  %unbiased = pref.div %difference, %scale
  %loss = pref.mean %unbiased over row

  %accuracy = pref.compare gt %chosen_reward, %rejected_reward
  pref.yield %loss metrics("margin" = %margin, "chosen_reward" = %chosen_reward,
                           "rejected_reward" = %rejected_reward, "accuracy" = %accuracy)
}
