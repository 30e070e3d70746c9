// Group relative policy optimization. arXiv:2402.03300, equation 3, as TRL 1.16's loss type grpo: clipped ratios,
// averaged over the tokens of a response, then over all responses. The KL estimate k3 is multiplied by the
// differentiated ratio unless use_bias_correction_kl is false. Logarithms of ratios stop at 40, where TRL overflows.
pref.objective @grpo attributes {
  paper = "arXiv:2402.03300",
  doc = "GRPO: clipped policy gradient with advantages relative to the group of responses to a prompt."
} {
  %epsilon = pref.hyper "epsilon" default 0.2 in [0, 1] doc "how far below 1 a ratio counts"
  %epsilon_high = pref.hyper "epsilon_high" default 0.2 in [0, inf) doc "how far above 1 a ratio counts"
  %beta = pref.hyper "beta" default 0.04 in [0, inf) doc "weight of the KL divergence from the reference"
  %entropy_coef = pref.hyper "entropy_coef" default 0.01 in [0, inf) doc "weight of the entropy bonus"
  %given = pref.input "advantages" over [row, member] doc "advantage of each response"
  %rewards = pref.input "rewards" over [row, member] doc "reward of each response"
  %old = pref.input "old_per_token_logps" over [row, member, token(member)]
      doc "log-probabilities under the policy that wrote the responses"

  // Advantages: given, or rewards relative to their group, as TRL 1.16 makes them.
  %zero = pref.constant 0
  %one = pref.constant 1
  %small = pref.constant 1.0e-04
  %group_mean = pref.mean %rewards over member
  %centered = pref.sub %rewards, %group_mean
  %std = pref.std %rewards over member unbiased
  %scale = pref.add %std, %small
  %normalized = pref.div %centered, %scale
  %advantage = pref.option "advantages" default "given" of
      "given" = %given, "group" = %normalized, "centered" = %centered
      doc "given; or computed from rewards, with or without division by the group's deviation (TRL's scale_rewards)"

  %p = pref.logprob policy(member)
  %cap = pref.constant 40
  %log_ratio = pref.sub %p, %old
  %log_ratio_capped = pref.min %log_ratio, %cap
  %ratio = pref.exp %log_ratio_capped
  %low = pref.sub %one, %epsilon
  %high = pref.add %one, %epsilon_high
  %clipped = pref.clamp %ratio, %low, %high
  %gain = pref.mul %ratio, %advantage
  %clipped_gain = pref.mul %clipped, %advantage
  %smaller_gain = pref.min %gain, %clipped_gain
  %surrogate = pref.neg %smaller_gain

  // k3: exp(q - p) - (q - p) - 1.
  %q = pref.logprob reference(member)
  %x = pref.sub %q, %p
  %x_capped = pref.min %x, %cap
  %x_power = pref.expm1 %x_capped
  %k3 = pref.sub %x_power, %x
  %k3_corrected = pref.mul %k3, %ratio
  %kl = pref.option "use_bias_correction_kl" default "true" of "true" = %k3_corrected, "false" = %k3
      doc "whether the KL estimate is weighted by the ratio, which makes its gradient unbiased"
  %penalty = pref.mul %beta, %kl
  %penalized = pref.add %surrogate, %penalty
  %token_loss = pref.option "kl" default "k3" of "k3" = %penalized, "none" = %surrogate
      doc "estimate of the KL divergence from the reference; none: no reference is read"

  %member_loss = pref.mean %token_loss over token
  %row_loss = pref.sum %member_loss over member
  %total_loss = pref.sum %row_loss over row
  %row_members = pref.count over member
  %member_count = pref.sum %row_members over row
  %members = pref.max %member_count, %one
  %policy_loss = pref.div %total_loss, %members

  // Mean over all tokens of the batch.
  %lengths = pref.count over token(member)
  %row_length = pref.sum %lengths over member
  %token_count = pref.sum %row_length over row
  %tokens = pref.max %token_count, %one
  %entropy = pref.entropy policy(member)
  %member_entropy = pref.sum %entropy over token
  %row_entropy = pref.sum %member_entropy over member
  %total_entropy = pref.sum %row_entropy over row
  %mean_entropy = pref.div %total_entropy, %tokens
  %bonus = pref.mul %entropy_coef, %mean_entropy
  %encouraged = pref.sub %policy_loss, %bonus
  %loss = pref.option "entropy_bonus" default "false" of "false" = %policy_loss, "true" = %encouraged
      doc "whether the policy's entropy is rewarded"

  // Means over all tokens, as means over rows of the tokens' share.
  %rows = pref.count over row
  %rows_per_token = pref.div %rows, %tokens
  %below = pref.compare lt %ratio, %low
  %above = pref.compare gt %ratio, %high
  %is_bad = pref.compare lt %advantage, %zero
  %is_good = pref.compare gt %advantage, %zero
  %clipped_low = pref.mul %below, %is_bad
  %clipped_high = pref.mul %above, %is_good
  %is_clipped = pref.add %clipped_low, %clipped_high
  %member_clipped = pref.sum %is_clipped over token
  %row_clipped = pref.sum %member_clipped over member
  %clip_ratio = pref.mul %rows_per_token, %row_clipped
  %member_kl = pref.sum %kl over token
  %row_kl = pref.sum %member_kl over member
  %kl_share = pref.mul %rows_per_token, %row_kl
  %no_kl = pref.broadcast %zero to [row]
  %kl_metric = pref.option "kl" default "k3" of "k3" = %kl_share, "none" = %no_kl
      doc "estimate of the KL divergence from the reference; none: no reference is read"
  pref.yield %loss metrics("kl" = %kl_metric, "clip_ratio" = %clip_ratio)
}
