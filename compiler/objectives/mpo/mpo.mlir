// Mixed preference optimization. arXiv:2411.10442, equation 3: which response is better (DPO), how good each is (BCO),
// how to write the chosen one (SFT). Weights carry the names of InternVL's training script.
pref.objective @mpo attributes {
  paper = "arXiv:2411.10442",
  doc = "MPO: a weighted sum of DPO, BCO on pairs and supervised fine-tuning."
} {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inverse temperature of the KL constraint"
  %preference_weight = pref.hyper "sigmoid_loss_weight" default 0.8 in [0, inf) doc "weight of DPO"
  %quality_weight = pref.hyper "bco_pair_loss_weight" default 0.2 in [0, inf) doc "weight of BCO"
  %generation_weight = pref.hyper "rpo_alpha" default 1 in [0, inf) doc "weight of supervised fine-tuning"

  %preference = pref.apply @dpo {beta = %beta}
  %quality = pref.apply @bco_pair {beta = %beta}
  %generation = pref.apply @sft
  %preference_term = pref.mul %preference_weight, %preference
  %quality_term = pref.mul %quality_weight, %quality
  %generation_term = pref.mul %generation_weight, %generation
  %two_terms = pref.add %preference_term, %quality_term
  %loss = pref.add %two_terms, %generation_term
  pref.yield %loss
}
