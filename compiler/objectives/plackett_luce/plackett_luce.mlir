// DPO for rankings. arXiv:2305.18290, appendix A.3, equation 20: negative log-likelihood of a given ranking of K
// responses under Plackett and Luce's model of DPO's rewards, sum over places of log sum_(j not before i) exp(s_j) -
// s_i.
pref.objective @plackett_luce attributes {
  paper = "arXiv:2305.18290",
  doc = "DPO for rankings of K responses under the Plackett-Luce model."
} {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inverse temperature of the KL constraint"
  %rank = pref.input "rank" over [row, member] doc "place of the response in its row; the best has the least"

  %p = pref.logprob policy(member)
  %r = pref.logprob reference(member)
  %log_ratio_t = pref.sub %p, %r
  %log_ratio = pref.sum %log_ratio_t over token
  %reward = pref.mul %beta, %log_ratio
  %s = pref.sort %reward by %rank over member

  // A number not far above each member's largest s_j: t log sum exp(s_j / t), with the temperature t such that exp does
  // not underflow. Rewards of K members may be 4800 / log K apart.
  %one = pref.constant 1
  %exponents = pref.constant 60
  %s_value = pref.stop_gradient %s
  %s_minus = pref.neg %s_value
  %largest = pref.reduce_max %s_value over member
  %minus_smallest = pref.reduce_max %s_minus over member
  %range = pref.add %largest, %minus_smallest
  %range_share = pref.div %range, %exponents
  %t = pref.max %range_share, %one
  %below = pref.sub %s_value, %largest
  %cooled = pref.div %below, %t
  %power = pref.exp %cooled
  %rest_power = pref.scan %power, %one over member reverse
  %rest_log = pref.log %rest_power
  %rest_scaled = pref.mul %t, %rest_log
  %shift = pref.add %largest, %rest_scaled

  // log sum exp over a member and those after it.
  %own_gap = pref.sub %s, %shift
  %own = pref.exp %own_gap
  %later = pref.pair_gather %s second
  %earlier_shift = pref.pair_gather %shift first
  %later_gap = pref.sub %later, %earlier_shift
  %later_power = pref.exp %later_gap
  %others = pref.pair_scatter %later_power first
  %sum = pref.add %own, %others
  %log_sum = pref.log %sum
  %nll = pref.sub %log_sum, %own_gap
  %row_nll = pref.sum %nll over member
  %loss = pref.mean %row_nll over row

  // How many pairs of members the rewards put in the given order.
  %earlier = pref.pair_gather %s first
  %ordered = pref.compare gt %earlier, %later
  %accuracy = pref.mean %ordered over pair
  pref.yield %loss metrics("accuracy" = %accuracy)
}
