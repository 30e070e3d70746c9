// Length-desensitized DPO. arXiv:2409.06411: of the longer response, tokens beyond the length of the shorter count
// ld_alpha. Policy and reference alike, and only scored tokens count, as in TRL 1.16; the paper weights the policy's.
pref.objective @ld_dpo attributes {
  paper = "arXiv:2409.06411",
  doc = "LD-DPO: DPO in which tokens beyond the shorter response's length count less."
} {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inverse temperature of the KL constraint"
  %ld_alpha = pref.hyper "ld_alpha" default 0.5 in [0, 1] doc "weight of the tokens beyond the shorter length; 1: DPO"

  %pw = pref.logprob policy(chosen)
  %pl = pref.logprob policy(rejected)
  %rw = pref.logprob reference(chosen)
  %rl = pref.logprob reference(rejected)
  %w_t = pref.sub %pw, %rw
  %l_t = pref.sub %pl, %rl

  %w_length = pref.count over token(chosen)
  %l_length = pref.count over token(rejected)
  %shared = pref.min %w_length, %l_length
  %w_head = pref.sum_first %w_t, %shared over token
  %l_head = pref.sum_first %l_t, %shared over token
  %w_tail = pref.sum_after %w_t, %shared over token
  %l_tail = pref.sum_after %l_t, %shared over token
  %w_tail_part = pref.mul %ld_alpha, %w_tail
  %l_tail_part = pref.mul %ld_alpha, %l_tail
  %w = pref.add %w_head, %w_tail_part
  %l = pref.add %l_head, %l_tail_part

  %chosen_reward = pref.mul %beta, %w
  %rejected_reward = pref.mul %beta, %l
  %margin = pref.sub %chosen_reward, %rejected_reward
  %ls = pref.log_sigmoid %margin
  %nll = pref.neg %ls
  %loss = pref.mean %nll over row

  %accuracy = pref.compare gt %chosen_reward, %rejected_reward
  pref.yield %loss metrics("margin" = %margin, "chosen_reward" = %chosen_reward,
                           "rejected_reward" = %rejected_reward, "accuracy" = %accuracy)
}
