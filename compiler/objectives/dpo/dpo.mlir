// Direct preference optimization. arXiv:2305.18290, equation 7. Log-probabilities are sums over tokens. The option
// f_divergence_type is f-DPO.
pref.objective @dpo attributes {
  paper = "arXiv:2305.18290",
  doc = "Direct preference optimization: logistic loss on the difference of the two log-ratios to the reference."
} {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inverse temperature of the KL constraint"
  %alpha = pref.hyper "f_alpha_divergence_coef" default 0.5 in (-inf, inf) doc "which alpha-divergence; 1: reverse KL"

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

  // Scores: the derivative of the chosen f-divergence at the ratio of probabilities (arXiv:2309.16240), with TRL 1.16's
  // constants. Exponents stop at 80, so that f32 holds the powers.
  %one = pref.constant 1
  %log_2 = pref.constant 0.6931471805599453
  %cap = pref.constant 80
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

  %difference = pref.sub %w_score, %l_score
  %logit = pref.mul %beta, %difference
  %ls = pref.log_sigmoid %logit
  %nll = pref.neg %ls
  %loss = pref.mean %nll over row

  %accuracy = pref.compare gt %chosen_reward, %rejected_reward
  pref.yield %loss metrics("margin" = %margin, "chosen_reward" = %chosen_reward,
                           "rejected_reward" = %rejected_reward, "accuracy" = %accuracy)
}
