// Odds ratio preference optimization. arXiv:2403.07691, equation 6: fine-tuning on the chosen response, less beta
// (lambda in the paper) times the log-sigmoid of the log odds ratio, by mean log-probabilities. TRL's likelihood also
// covers the prompt; here only scored tokens exist. Odds end where the mean log-probability is -1e-6: beyond, TRL's
// gradient is nan.
pref.objective @orpo attributes {
  paper = "arXiv:2403.07691",
  doc = "ORPO: supervised fine-tuning and a logistic loss on the log odds ratio; no reference."
} {
  %beta = pref.hyper "beta" default 0.1 in [0, inf) doc "weight of the odds ratio, lambda in the paper"

  %pw = pref.logprob policy(chosen)
  %pl = pref.logprob policy(rejected)
  %w = pref.mean %pw over token
  %l = pref.mean %pl over token

  %ceiling = pref.constant -1.0e-06
  %w_capped = pref.min %w, %ceiling
  %l_capped = pref.min %l, %ceiling
  %w_other = pref.log1mexp %w_capped
  %l_other = pref.log1mexp %l_capped
  %difference = pref.sub %w, %l
  %other_difference = pref.sub %w_other, %l_other
  %log_odds = pref.sub %difference, %other_difference
  %log_ratio = pref.log_sigmoid %log_odds
  %mean_ratio = pref.mean %log_ratio over row
  %odds_term = pref.mul %beta, %mean_ratio

  // Mean over all chosen tokens of the batch, whatever row they are in.
  %one = pref.constant 1
  %w_sum = pref.sum %pw over token
  %length = pref.count over token(chosen)
  %total = pref.sum %w_sum over row
  %token_count = pref.sum %length over row
  %tokens = pref.max %token_count, %one
  %likelihood = pref.div %total, %tokens
  %gain = pref.add %likelihood, %odds_term
  %loss = pref.neg %gain

  // As a mean over rows: the tokens' share of each row.
  %rows = pref.count over row
  %rows_per_token = pref.div %rows, %tokens
  %w_share = pref.mul %rows_per_token, %w_sum
  %nll_loss = pref.neg %w_share
  %chosen_reward = pref.mul %beta, %w
  %rejected_reward = pref.mul %beta, %l
  %margin = pref.sub %chosen_reward, %rejected_reward
  %accuracy = pref.compare gt %chosen_reward, %rejected_reward
  pref.yield %loss metrics("margin" = %margin, "chosen_reward" = %chosen_reward,
                           "rejected_reward" = %rejected_reward, "accuracy" = %accuracy, "nll_loss" = %nll_loss,
                           "log_odds_ratio" = %log_ratio, "log_odds_chosen" = %log_odds)
}
