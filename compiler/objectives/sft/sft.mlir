// Supervised fine-tuning on the chosen response: mean negative log-likelihood over all chosen tokens of the batch,
// whatever row they are in, as TRL's loss type sft has it. arXiv:2203.02155, section 3.5.
pref.objective @sft attributes {
  paper = "arXiv:2203.02155",
  doc = "Supervised fine-tuning: mean negative log-likelihood of the chosen responses' tokens."
} {
  %pw = pref.logprob policy(chosen)
  %w = pref.sum %pw over token
  %length = pref.count over token(chosen)
  %total = pref.sum %w over row
  %tokens = pref.sum %length over row
  %one = pref.constant 1
  %divisor = pref.max %tokens, %one
  %mean = pref.div %total, %divisor
  %loss = pref.neg %mean
  pref.yield %loss
}
