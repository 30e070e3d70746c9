// Alignment via optimal transport, paired. arXiv:2406.05882: the distribution of the policy's margins over the batch
// should dominate the reference's, so that the i-th smallest is compared with the i-th smallest. The sorting carries
// gradient; on more than one rank each sorts its own rows, as TRL's does. One row: DPO with label smoothing.
pref.objective @aot attributes {
  paper = "arXiv:2406.05882",
  doc = "AOT: logistic loss between the sorted margins of policy and reference."
} {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inverse temperature of the KL constraint"
  %e = pref.hyper "label_smoothing" default 0 in [0, 0.5] doc "probability that a label is flipped"

  %pw = pref.logprob policy(chosen)
  %pl = pref.logprob policy(rejected)
  %rw = pref.logprob reference(chosen)
  %rl = pref.logprob reference(rejected)
  %pw_sum = pref.sum %pw over token
  %pl_sum = pref.sum %pl over token
  %rw_sum = pref.sum %rw over token
  %rl_sum = pref.sum %rl over token

  %policy_margin = pref.sub %pw_sum, %pl_sum
  %reference_margin = pref.sub %rw_sum, %rl_sum
  %policy_sorted = pref.sort %policy_margin over row
  %reference_sorted = pref.sort %reference_margin over row
  %difference = pref.sub %policy_sorted, %reference_sorted
  %logit = pref.mul %beta, %difference

  %one = pref.constant 1
  %right = pref.sub %one, %e
  %minus_logit = pref.neg %logit
  %ls = pref.log_sigmoid %logit
  %flipped_ls = pref.log_sigmoid %minus_logit
  %clean = pref.mul %right, %ls
  %flipped = pref.mul %e, %flipped_ls
  %both = pref.add %clean, %flipped
  %nll = pref.neg %both
  %loss = pref.mean %nll over row

  %w = pref.sub %pw_sum, %rw_sum
  %l = pref.sub %pl_sum, %rl_sum
  %chosen_reward = pref.mul %beta, %w
  %rejected_reward = pref.mul %beta, %l
  %margin = pref.sub %chosen_reward, %rejected_reward
  %accuracy = pref.compare gt %chosen_reward, %rejected_reward
  pref.yield %loss metrics("margin" = %margin, "chosen_reward" = %chosen_reward,
                           "rejected_reward" = %rejected_reward, "accuracy" = %accuracy)
}
