// Hinge loss on the reward margin (SLiC-HF, RSO). arXiv:2305.10425, arXiv:2309.06657.
pref.objective @hinge attributes {
  paper = "arXiv:2305.10425",
  doc = "Hinge loss on the difference of the two log-ratios to the reference."
} {
  %beta = pref.hyper "beta" default 0.05 in (0, inf) doc "the loss is zero from a margin of 1 / beta on"

  %pw = pref.logprob policy(chosen)
  %pl = pref.logprob policy(rejected)
  %rw = pref.logprob reference(chosen)
  %rl = pref.logprob reference(rejected)

  %w_t = pref.sub %pw, %rw
  %l_t = pref.sub %pl, %rl
  %w = pref.sum %w_t over token
  %l = pref.sum %l_t over token
  %gap = pref.sub %w, %l
  %margin = pref.mul %beta, %gap

  %one = pref.constant 1.0
  %short = pref.sub %one, %margin
  %hinge = pref.relu %short
  %loss = pref.mean %hinge over row
  pref.yield %loss metrics("margin" = %margin)
}
