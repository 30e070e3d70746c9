// Binary classifier optimization on pairs. arXiv:2404.04656, equation 12: a classifier that tells chosen from rejected
// by reward, shifted by the mean reward of the batches so far, of which no gradient is taken. So have it InternVL and
// TRL up to its version 0.2x, here with batches of all ranks together; without the shift it is TRL 1.16's.
pref.objective @bco_pair attributes {
  paper = "arXiv:2404.04656",
  doc = "BCO on pairs: rewards, shifted by their running mean, classify responses as chosen or rejected."
} {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inverse temperature of the KL constraint"
  %mean_before = pref.state "reward_mean" default 0 doc "mean over the batches so far of their mean rewards"
  %count_before = pref.state "reward_count" default 0 doc "number of batches so far"

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

  // The mean includes the present batch.
  %one = pref.constant 1
  %half = pref.constant 0.5
  %zero = pref.constant 0
  %sum = pref.add %chosen_reward, %rejected_reward
  %pair_mean = pref.mul %half, %sum
  %pair_value = pref.stop_gradient %pair_mean
  %batch_mean = pref.mean %pair_value over row scope ranks
  %count = pref.add %count_before, %one
  %surprise = pref.sub %batch_mean, %mean_before
  %step = pref.div %surprise, %count
  %mean = pref.add %mean_before, %step
  pref.update "reward_mean" = %mean
  pref.update "reward_count" = %count
  %shift = pref.option "reward_shift" default "running_mean" of "running_mean" = %mean, "zero" = %zero
      doc "what rewards are compared with"

  %chosen_logit = pref.sub %chosen_reward, %shift
  %rejected_logit = pref.sub %shift, %rejected_reward
  %chosen_ls = pref.log_sigmoid %chosen_logit
  %rejected_ls = pref.log_sigmoid %rejected_logit
  %both = pref.add %chosen_ls, %rejected_ls
  %nll = pref.neg %both
  %loss = pref.mean %nll over row

  %accuracy = pref.compare gt %chosen_reward, %rejected_reward
  pref.yield %loss metrics("margin" = %margin, "chosen_reward" = %chosen_reward,
                           "rejected_reward" = %rejected_reward, "accuracy" = %accuracy)
}
