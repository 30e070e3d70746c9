// Multimodal direct preference optimization. arXiv:2406.11839: the sum of the authors' three terms with equal weights.
// The conditional term compares the chosen response under the clean and under a cropped image, as their code does.
pref.objective @mdpo attributes {
  paper = "arXiv:2406.11839",
  doc = "Multimodal DPO: DPO, the same with the image as what differs, and an anchor on the chosen reward."
} {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inverse temperature of the KL constraint"
  %delta = pref.hyper "delta" default 0 in (-inf, inf) doc "anchor that the chosen reward should exceed"

  %pw = pref.logprob policy(chosen)
  %pl = pref.logprob policy(rejected)
  %pc = pref.logprob policy(chosen) on corrupted("crop")
  %rw = pref.logprob reference(chosen)
  %rl = pref.logprob reference(rejected)
  %rc = pref.logprob reference(chosen) on corrupted("crop")

  %w_t = pref.sub %pw, %rw
  %l_t = pref.sub %pl, %rl
  %c_t = pref.sub %pc, %rc
  %w = pref.sum %w_t over token
  %l = pref.sum %l_t over token
  %c = pref.sum %c_t over token
  %chosen_reward = pref.mul %beta, %w
  %rejected_reward = pref.mul %beta, %l
  %corrupted_reward = pref.mul %beta, %c

  // Which response is better, given the image.
  %margin = pref.sub %chosen_reward, %rejected_reward
  %textual = pref.log_sigmoid %margin
  // Which image is better, given the chosen response.
  %visual_margin = pref.sub %chosen_reward, %corrupted_reward
  %visual = pref.log_sigmoid %visual_margin
  // The chosen response keeps its probability.
  %anchored = pref.sub %chosen_reward, %delta
  %anchor = pref.log_sigmoid %anchored

  %two_terms = pref.add %textual, %visual
  %terms = pref.add %two_terms, %anchor
  %nll = pref.neg %terms
  %loss = pref.mean %nll over row

  %accuracy = pref.compare gt %chosen_reward, %rejected_reward
  %visual_accuracy = pref.compare gt %chosen_reward, %corrupted_reward
  pref.yield %loss metrics("margin" = %margin, "chosen_reward" = %chosen_reward,
                           "rejected_reward" = %rejected_reward, "accuracy" = %accuracy,
                           "visual_margin" = %visual_margin, "visual_accuracy" = %visual_accuracy)
}
