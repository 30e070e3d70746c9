// Plan::Explain.

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "compiler/schedule/cost.h"
#include "compiler/schedule/planner.h"

namespace alidade::schedule {
namespace {

constexpr double kMebibyte = 1024.0 * 1024.0;

void AppendHeads(const Problem& problem, std::string& text) {
  const char* type = problem.element_bytes == 2 ? "bf16" : "f32";
  for (const auto& [model, head] : problem.heads) {
    absl::StrAppendFormat(&text, "head %s [%d, %d] %s, %s", model, head.vocabulary, head.hidden,
                          type, head.requires_grad ? "with gradient" : "frozen");
    if (head.has_bias) {
      absl::StrAppend(&text, head.bias_requires_grad ? ", bias with gradient" : ", frozen bias");
    }
    if (head.adds_gradient) absl::StrAppend(&text, ", gradient added to a given buffer");
    if (!head.same_as.empty()) absl::StrAppend(&text, ", the same tensor as ", head.same_as);
    absl::StrAppend(&text, "\n");
  }
}

std::string UseText(const Signature& signature, const Problem& problem, int64_t d) {
  const Distribution& distribution = signature.distributions[d];
  const DistributionUse& use = problem.uses[d];
  if (use.absent) return "not given";
  if (use.provided) return "log-probabilities given";
  if (IsActive(signature, problem, d)) {
    const Coupling& c = distribution.coupling;
    return absl::StrFormat("%sweights known per %s, rank %d, %s cotangent%s; %s",
                           use.logits ? "logits given; " : "", GranularityName(c.granularity),
                           c.rank, c.dense ? "dense" : "sparse",
                           c.uniform ? ", one weight per row" : "", c.reason);
  }
  std::string text = use.logits ? "R: scored, logits given" : "R: scored, logits never kept";
  for (const Distribution& other : signature.distributions) {
    if (other.partner == d) absl::StrAppend(&text, "; compared with ", other.Name());
  }
  return text;
}

}  // namespace

std::string Plan::Explain(const Signature& signature, const Problem& problem) const {
  std::string text = absl::StrFormat("objective %s (%s), %d rows, target %s\n", signature.name,
                                     signature.paper.empty() ? "no paper" : signature.paper,
                                     problem.num_rows(), machine);
  AppendHeads(problem, text);
  absl::StrAppend(&text, "\ndistribution                        tokens  use\n");
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    absl::StrAppendFormat(&text, "%-34s %7d  %s\n", signature.distributions[d].Name(),
                          NumTokens(signature, problem, d), UseText(signature, problem, d));
  }
  if (signature.known_values > 0) {
    absl::StrAppendFormat(&text, "known before any score with gradient: %d values over all rows\n",
                          signature.known_values);
  }
  absl::StrAppendFormat(&text, "\nbudget %s (%s)\n", Mebibytes(budget_bytes),
                        budget_is_automatic ? "automatic" : "given");
  if (candidates.empty()) {
    absl::StrAppendFormat(&text, "schedule R: nothing requires a gradient; workspace %s\n",
                          Mebibytes(schedule.workspace_bytes()));
    return text;
  }
  absl::StrAppend(
      &text, "schedule  exact  chunks    GFLOP  traffic MiB  workspace MiB   est. ms  reason\n");
  for (const Candidate& c : candidates) {
    absl::StrAppendFormat(&text, "%-8s  %-5s  %6d  %7.2f  %11.1f  %13.1f  %8.1f  %s\n",
                          KindName(c.kind), c.legal ? "yes" : "no", c.num_chunks, c.flops / 1e9,
                          c.traffic_bytes / kMebibyte, c.workspace_bytes / kMebibyte,
                          c.seconds * 1e3, c.reason);
  }
  return text;
}

}  // namespace alidade::schedule
