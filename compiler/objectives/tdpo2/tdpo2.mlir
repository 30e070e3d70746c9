// Token-level direct preference optimization, TDPO2. arXiv:2404.11999, equation 16: DPO, less alpha times the
// difference of the sequences' KL divergences of the reference from the policy; no gradient passes through the chosen
// one.
pref.objective @tdpo2 attributes {
  paper = "arXiv:2404.11999",
  doc = "TDPO2: DPO with the KL divergence at every token, which holds back the rejected response's."
} {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inverse temperature of the KL constraint"
  %alpha = pref.hyper "alpha" default 0.5 in [0, inf) doc "weight of the KL divergences"

  %pw = pref.logprob policy(chosen)
  %pl = pref.logprob policy(rejected)
  %rw = pref.logprob reference(chosen)
  %rl = pref.logprob reference(rejected)
  %w_t = pref.sub %pw, %rw
  %l_t = pref.sub %pl, %rl
  %w = pref.sum %w_t over token
  %l = pref.sum %l_t over token

  %w_kl_t = pref.kl reference(chosen), policy(chosen) detached
  %l_kl_t = pref.kl reference(rejected), policy(rejected)
  %chosen_kl = pref.sum %w_kl_t over token
  %rejected_kl = pref.sum %l_kl_t over token

  %difference = pref.sub %w, %l
  %kl_difference = pref.sub %rejected_kl, %chosen_kl
  %penalty = pref.mul %alpha, %kl_difference
  %logit = pref.sub %difference, %penalty
  %scaled = pref.mul %beta, %logit
  %ls = pref.log_sigmoid %scaled
  %nll = pref.neg %ls
  %loss = pref.mean %nll over row

  // The authors' rewards: log-ratio and KL divergence together.
  %w_value = pref.add %w, %chosen_kl
  %l_value = pref.add %l, %rejected_kl
  %chosen_reward = pref.mul %beta, %w_value
  %rejected_reward = pref.mul %beta, %l_value
  %margin = pref.sub %chosen_reward, %rejected_reward
  %accuracy = pref.compare gt %chosen_reward, %rejected_reward
  pref.yield %loss metrics("margin" = %margin, "chosen_reward" = %chosen_reward,
                           "rejected_reward" = %rejected_reward, "accuracy" = %accuracy, "chosen_kl" = %chosen_kl,
                           "rejected_kl" = %rejected_kl)
}
