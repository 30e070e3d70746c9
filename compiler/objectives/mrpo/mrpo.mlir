// Multi-reference preference optimization. arXiv:2405.16388, as its authors' MRefDPOTrainer computes it: DPO against
// the weighted harmonic mean of two references. reference(2) is the anchor, the policy's own start; reference is the
// further one, clipped to a trust region around the anchor. In this code alpha weights the inverse of the anchor's
// probability (in its multi-DPO branch the further reference's loss). Floors of 1e-30 stand where the authors' divide
// by 0.
pref.objective @mrpo attributes {
  paper = "arXiv:2405.16388",
  doc = "MRPO: DPO against the harmonic mean of two references, one clipped to a trust region around the other."
} {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inverse temperature of the KL constraint"
  %eta = pref.hyper "eta" default 0.1 in (-1, 1) doc "size of the trust region; negative: fixed at its negative"
  %alpha_given = pref.hyper "alpha" default -1 in [-1, 1] doc "weight in the harmonic mean; negative: by confidence"
  %ftx_gamma = pref.hyper "ftx_gamma" default 0 in [0, inf) doc "weight of fine-tuning on the chosen response"

  %pw = pref.logprob policy(chosen)
  %pl = pref.logprob policy(rejected)
  %r1w = pref.logprob reference(chosen)
  %r1l = pref.logprob reference(rejected)
  %r2w = pref.logprob reference(2)(chosen)
  %r2l = pref.logprob reference(2)(rejected)
  %w_policy = pref.sum %pw over token
  %l_policy = pref.sum %pl over token
  %w_1 = pref.sum %r1w over token
  %l_1 = pref.sum %r1l over token
  %w_2 = pref.sum %r2w over token
  %l_2 = pref.sum %r2l over token

  // Weight of each reference: by how clearly they tell the responses apart.
  %zero = pref.constant 0
  %one = pref.constant 1
  %small = pref.constant 1.0e-06
  %tiny = pref.constant 1.0e-30
  %never = pref.constant -1.0e+30
  %margin_1 = pref.sub %w_1, %l_1
  %margin_2 = pref.sub %w_2, %l_2
  %size_1 = pref.abs %margin_1
  %size_2 = pref.abs %margin_2
  %sizes = pref.add %size_1, %size_2
  %confidence = pref.add %sizes, %small
  %alpha_adaptive = pref.div %size_1, %confidence
  %is_adaptive = pref.compare lt %alpha_given, %zero
  %alpha = pref.where %is_adaptive, %alpha_adaptive, %alpha_given
  %rest = pref.sub %one, %alpha
  %alpha_positive = pref.max %alpha, %tiny
  %rest_positive = pref.max %rest, %tiny
  %log_alpha_positive = pref.log %alpha_positive
  %log_rest_positive = pref.log %rest_positive
  %has_alpha = pref.compare gt %alpha, %zero
  %has_rest = pref.compare gt %rest, %zero
  %log_alpha = pref.where %has_alpha, %log_alpha_positive, %never
  %log_rest = pref.where %has_rest, %log_rest_positive, %never

  // Trust region: eta, shared between the responses by their log-probabilities.
  %w_sum = pref.add %w_1, %w_2
  %l_sum = pref.add %l_1, %l_2
  %w_size = pref.abs %w_sum
  %l_size = pref.abs %l_sum
  %size = pref.add %w_size, %l_size
  %size_positive = pref.max %size, %tiny
  %w_share = pref.div %w_size, %size_positive
  %l_share = pref.sub %one, %w_share
  %w_eta_shared = pref.mul %eta, %w_share
  %l_eta_shared = pref.mul %eta, %l_share
  %eta_fixed = pref.neg %eta
  %is_fixed = pref.compare lt %eta, %zero
  %w_eta = pref.where %is_fixed, %eta_fixed, %w_eta_shared
  %l_eta = pref.where %is_fixed, %eta_fixed, %l_eta_shared

  %w_up = pref.add %one, %w_eta
  %w_down = pref.sub %one, %w_eta
  %w_low = pref.mul %w_2, %w_up
  %w_high = pref.mul %w_2, %w_down
  %w_above = pref.max %w_1, %w_low
  %w_clipped = pref.min %w_above, %w_high
  %w_first = pref.add %w_clipped, %log_alpha
  %w_second = pref.add %w_2, %log_rest
  %w_mixture = pref.logaddexp %w_first, %w_second
  %w_both = pref.add %w_clipped, %w_2
  %w_reference = pref.sub %w_both, %w_mixture

  %l_up = pref.add %one, %l_eta
  %l_down = pref.sub %one, %l_eta
  %l_low = pref.mul %l_2, %l_up
  %l_high = pref.mul %l_2, %l_down
  %l_above = pref.max %l_1, %l_low
  %l_clipped = pref.min %l_above, %l_high
  %l_first = pref.add %l_clipped, %log_alpha
  %l_second = pref.add %l_2, %log_rest
  %l_mixture = pref.logaddexp %l_first, %l_second
  %l_both = pref.add %l_clipped, %l_2
  %l_reference = pref.sub %l_both, %l_mixture

  %w = pref.sub %w_policy, %w_reference
  %l = pref.sub %l_policy, %l_reference
  %chosen_reward = pref.mul %beta, %w
  %rejected_reward = pref.mul %beta, %l
  %margin = pref.sub %chosen_reward, %rejected_reward
  %ls = pref.log_sigmoid %margin
  %likelihood = pref.mean %pw over token
  %tuning = pref.mul %ftx_gamma, %likelihood
  %gain = pref.add %ls, %tuning
  %nll = pref.neg %gain
  %loss = pref.mean %nll over row

  %accuracy = pref.compare gt %chosen_reward, %rejected_reward
  pref.yield %loss metrics("margin" = %margin, "chosen_reward" = %chosen_reward,
                           "rejected_reward" = %rejected_reward, "accuracy" = %accuracy)
}
