// Group sequence policy optimization. arXiv:2507.18071, equation 5: GRPO with one ratio per response, the geometric
// mean over its tokens; TRL 1.16's importance_sampling_level sequence. The ratio's logarithm stops at 40, where TRL
// overflows.
pref.objective @gspo attributes {
  paper = "arXiv:2507.18071",
  doc = "GSPO: clipped policy gradient with one length-normalised ratio per response."
} {
  %epsilon = pref.hyper "epsilon" default 0.0003 in [0, 1] doc "how far below 1 a ratio counts"
  %epsilon_high = pref.hyper "epsilon_high" default 0.0004 in [0, inf) doc "how far above 1 a ratio counts"
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
  %log_ratio_t = pref.sub %p, %old
  %log_ratio = pref.mean %log_ratio_t over token
  %log_ratio_capped = pref.min %log_ratio, %cap
  %ratio = pref.exp %log_ratio_capped
  %low = pref.sub %one, %epsilon
  %high = pref.add %one, %epsilon_high
  %clipped = pref.clamp %ratio, %low, %high
  %gain = pref.mul %ratio, %advantage
  %clipped_gain = pref.mul %clipped, %advantage
  %smaller_gain = pref.min %gain, %clipped_gain
  %row_gain = pref.sum %smaller_gain over member
  %total_gain = pref.sum %row_gain over row
  %row_members = pref.count over member
  %member_count = pref.sum %row_members over row
  %members = pref.max %member_count, %one
  %mean_gain = pref.div %total_gain, %members
  %loss = pref.neg %mean_gain

  // Mean over all responses, as a mean over rows of the responses' share.
  %rows = pref.count over row
  %rows_per_member = pref.div %rows, %members
  %below = pref.compare lt %ratio, %low
  %above = pref.compare gt %ratio, %high
  %is_bad = pref.compare lt %advantage, %zero
  %is_good = pref.compare gt %advantage, %zero
  %clipped_low = pref.mul %below, %is_bad
  %clipped_high = pref.mul %above, %is_good
  %is_clipped = pref.add %clipped_low, %clipped_high
  %row_clipped = pref.sum %is_clipped over member
  %clip_ratio = pref.mul %rows_per_member, %row_clipped
  pref.yield %loss metrics("clip_ratio" = %clip_ratio)
}
