// Identity preference optimization. arXiv:2310.12036, equation 17, with log-ratios averaged over tokens, as the authors
// confirmed to TRL. The option f_divergence_type is f-DPO; TRL 1.16 divides its scores by the lengths too.
pref.objective @ipo attributes {
  paper = "arXiv:2310.12036",
  doc = "Identity preference optimization: squared distance of the averaged log-ratios' difference to 1 / (2 beta)."
} {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "strength of the regularisation, tau in the paper"
  %alpha = pref.hyper "f_alpha_divergence_coef" default 0.5 in (-inf, inf) doc "which alpha-divergence; 1: reverse KL"

  %pw = pref.logprob policy(chosen)
  %pl = pref.logprob policy(rejected)
  %rw = pref.logprob reference(chosen)
  %rl = pref.logprob reference(rejected)

  %w_t = pref.sub %pw, %rw
  %l_t = pref.sub %pl, %rl
  %w = pref.sum %w_t over token
  %l = pref.sum %l_t over token

  // Scores: the derivative of the chosen f-divergence at the ratio of probabilities (arXiv:2309.16240), with TRL 1.16's
  // constants. Exponents stop at 40: the loss squares the powers, and f32 holds the squares. TRL stops at 80.
  %one = pref.constant 1
  %log_2 = pref.constant 0.6931471805599453
  %cap = pref.constant 40
  %near_one = pref.constant 1.0e-06
  %gap = pref.sub %alpha, %one
  %gap_size = pref.abs %gap
  %is_reverse = pref.compare lt %gap_size, %near_one
  %divisor = pref.where %is_reverse, %one, %gap

  %w_minus = pref.neg %w
  %w_capped = pref.min %w_minus, %cap
  %w_inverse = pref.expm1 %w_capped
  %w_forward = pref.neg %w_inverse
  %w_ls = pref.log_sigmoid %w
  %w_js = pref.add %w_ls, %log_2
  %w_scaled = pref.mul %gap, %w
  %w_scaled_capped = pref.min %w_scaled, %cap
  %w_power = pref.expm1 %w_scaled_capped
  %w_quotient = pref.div %w_power, %divisor
  %w_alpha = pref.where %is_reverse, %w, %w_quotient
  %w_score = pref.option "f_divergence_type" default "reverse_kl" of
      "reverse_kl" = %w, "forward_kl" = %w_forward, "js_divergence" = %w_js, "alpha_divergence" = %w_alpha
      doc "what keeps the policy near the reference"

  %l_minus = pref.neg %l
  %l_capped = pref.min %l_minus, %cap
  %l_inverse = pref.expm1 %l_capped
  %l_forward = pref.neg %l_inverse
  %l_ls = pref.log_sigmoid %l
  %l_js = pref.add %l_ls, %log_2
  %l_scaled = pref.mul %gap, %l
  %l_scaled_capped = pref.min %l_scaled, %cap
  %l_power = pref.expm1 %l_scaled_capped
  %l_quotient = pref.div %l_power, %divisor
  %l_alpha = pref.where %is_reverse, %l, %l_quotient
  %l_score = pref.option "f_divergence_type" default "reverse_kl" of
      "reverse_kl" = %l, "forward_kl" = %l_forward, "js_divergence" = %l_js, "alpha_divergence" = %l_alpha
      doc "what keeps the policy near the reference"

  %w_count = pref.count over token(chosen)
  %l_count = pref.count over token(rejected)
  %w_length = pref.max %w_count, %one
  %l_length = pref.max %l_count, %one
  %w_average = pref.div %w_score, %w_length
  %l_average = pref.div %l_score, %l_length
  %h = pref.sub %w_average, %l_average

  // The difference that the loss asks for.
  %two = pref.constant 2
  %two_beta = pref.mul %two, %beta
  %target = pref.div %one, %two_beta
  %distance = pref.sub %h, %target
  %squared = pref.square %distance
  %loss = pref.mean %squared over row

  %w_mean = pref.div %w, %w_length
  %l_mean = pref.div %l, %l_length
  %chosen_reward = pref.mul %beta, %w_mean
  %rejected_reward = pref.mul %beta, %l_mean
  %margin = pref.sub %chosen_reward, %rejected_reward
  %accuracy = pref.compare gt %chosen_reward, %rejected_reward
  pref.yield %loss metrics("margin" = %margin, "chosen_reward" = %chosen_reward,
                           "rejected_reward" = %rejected_reward, "accuracy" = %accuracy)
}
