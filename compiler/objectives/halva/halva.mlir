// Data-augmented phrase-level alignment (HALVA). arXiv:2405.18654: each hallucinated phrase should be less likely than
// the right one in its place, and on other image-text rows the policy should stay with the reference. Contrasts are
// averaged over all phrases of the batch, KL divergences summed over tokens and averaged over rows. The authors give
// every row as many phrases as the batch has labels; a phrase that a row lacks adds log 2, which is so here too if it
// is counted.
pref.objective @halva attributes {
  paper = "arXiv:2405.18654",
  doc = "HALVA: right phrases against hallucinated ones, and full KL divergence from the reference on other rows."
} {
  %loss_alpha = pref.hyper "loss_alpha" default 0.4 in [0, inf) doc "weight of the KL divergence"
  %chosen_phrase = pref.input "chosen_phrase" over [row, token(chosen)]
      doc "number of the token's phrase within the row, from 0; negative: in none"
  %rejected_phrase = pref.input "rejected_phrase" over [row, token(rejected)]
      doc "number of the token's phrase within the row, from 0; negative: in none"

  %pw = pref.logprob policy(chosen)
  %pl = pref.logprob policy(rejected)
  %right = pref.segment_sum %pw by %chosen_phrase to segment(phrase)
  %hallucinated = pref.segment_sum %pl by %rejected_phrase to segment(phrase)
  %gap = pref.sub %hallucinated, %right
  %contrast = pref.softplus %gap
  %row_contrast = pref.sum %contrast over segment
  %total_contrast = pref.sum %row_contrast over row
  %row_phrases = pref.count over segment(phrase)
  %phrase_count = pref.sum %row_phrases over row
  %one = pref.constant 1
  %phrases = pref.max %phrase_count, %one
  %alignment = pref.div %total_contrast, %phrases

  %kl_t = pref.kl reference(response), policy(response)
  %kl = pref.sum %kl_t over token
  %divergence = pref.mean %kl over row
  %penalty = pref.mul %loss_alpha, %divergence
  %loss = pref.add %alignment, %penalty
  pref.yield %loss metrics("divergence" = %kl)
}
