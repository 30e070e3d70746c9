// A thumb up or down for one response, some of whose tokens count more than others.
pref.objective @thumbs {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "inverse temperature"
  %thumb = pref.input "thumb" over [row] doc "1: up, -1: down"
  %share = pref.input "share" over [row, token(response)] doc "weight of a token"
  %policy = pref.logprob policy(response)
  %reference = pref.logprob reference(response)
  %ratio = pref.sub %policy, %reference
  %score = pref.weighted_sum %ratio, %share over token normalized
  %scaled = pref.mul %beta, %score
  %signed = pref.mul %thumb, %scaled
  %likelihood = pref.log_sigmoid %signed
  %nll = pref.neg %likelihood
  %loss = pref.mean %nll over row
  pref.yield %loss metrics("score" = %scaled)
}
