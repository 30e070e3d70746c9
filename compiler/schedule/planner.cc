#include "compiler/schedule/planner.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/status/status.h"

namespace alidade::schedule {
namespace {

constexpr double kMebibyte = 1024.0 * 1024.0;
constexpr int64_t kSmallestAutomaticBudget = 8 << 20;
constexpr int64_t kLargestAutomaticChunk = 2048;
constexpr std::array<Kind, 3> kGradientKinds = {Kind::kS2, Kind::kS3, Kind::kF};

// The call seen as token counts: what the cost model needs.
struct Totals {
  std::vector<int64_t> active;  // distributions whose logit cotangent is wanted
  std::string model;            // their model
  int64_t active_tokens = 0;
  int64_t reference_tokens = 0;  // of all other distributions that are scored
  int64_t largest_row = 0;       // tokens of one row over all active distributions
  HeadShape head;
  bool hidden_gradient = false;
};

absl::StatusOr<Totals> Measure(const Signature& signature, const Problem& problem) {
  Totals totals;
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    if (problem.uses[d].provided) continue;
    const std::string& model = signature.distributions[d].model;
    if (!IsActive(signature, problem, d)) {
      totals.reference_tokens += NumTokens(signature, problem, d);
      continue;
    }
    if (!totals.active.empty() && model != totals.model) {
      return absl::UnimplementedError(
          absl::StrCat("plan: expected gradients through one model, got '", totals.model, "' and '",
                       model, "'"));
    }
    totals.active.push_back(d);
    totals.model = model;
    totals.head = problem.heads.at(model);
    totals.active_tokens += NumTokens(signature, problem, d);
    totals.hidden_gradient |= problem.uses[d].hidden_gradient;
  }
  for (int64_t row = 0; row < problem.num_rows(); ++row) {
    int64_t tokens = 0;
    for (int64_t d : totals.active) {
      const auto& offsets =
          problem.offsets[*signature.FindResponse(signature.distributions[d].response)];
      tokens += offsets[row + 1] - offsets[row];
    }
    totals.largest_row = std::max(totals.largest_row, tokens);
  }
  return totals;
}

// Floats per token of a chunk: logits, gathered input, hidden gradient; then label and
// log-probability.
int64_t BytesPerToken(const HeadShape& head) {
  return 4 * (head.vocabulary + 2 * head.hidden) + 12;
}

int64_t LargestBytesPerToken(const Problem& problem) {
  int64_t bytes = 1;
  for (const auto& [model, head] : problem.heads) bytes = std::max(bytes, BytesPerToken(head));
  return bytes;
}

// Why `kind` would not be exact here, or empty.
std::string Illegality(const Signature& signature, const Problem& problem, const Totals& totals,
                       Kind kind) {
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    const Distribution& distribution = signature.distributions[d];
    if (!distribution.requires_grad) continue;
    const Coupling& coupling = distribution.coupling;
    if (coupling.dense)
      return absl::StrCat("the logit cotangent of ", distribution.Name(),
                          " is dense: ", coupling.reason);
    if (kind == Kind::kS3 && coupling.granularity == Granularity::kBatch) {
      return absl::StrCat("the weights of ", distribution.Name(),
                          " need the scores of all rows: ", coupling.reason);
    }
  }
  if (kind == Kind::kF && totals.head.requires_grad) {
    return absl::StrCat(
        "the head of '", totals.model,
        "' requires a gradient, which needs the weights inside its sum over tokens");
  }
  return "";
}

double GemmSeconds(const Machine& machine, double flops, double rows) {
  return flops / machine.gemm_flops * (rows + machine.gemm_half_rows) / std::max(rows, 1.0);
}

// FLOPs, bytes, workspace and time of a candidate whose schedule has been laid out.
void Cost(const Problem& problem, const Totals& totals, const Schedule& schedule,
          const Machine& machine, Candidate& candidate) {
  candidate.workspace_bytes = schedule.workspace_bytes();
  for (const Step& step : schedule.steps) {
    if (step.chunk < 0) continue;
    const Chunk& chunk = schedule.chunks[step.chunk];
    const HeadShape& head = problem.heads.at(chunk.model);
    const double tokens = chunk.num_tokens();
    const double logits_bytes = 4.0 * tokens * head.vocabulary;
    const double head_bytes = 4.0 * head.vocabulary * head.hidden;
    const double gemm_flops = 2.0 * tokens * head.hidden * head.vocabulary;
    double bytes = 0;
    switch (step.op) {
      case StepOp::kHeadGemm:
      case StepOp::kHiddenGemm:
        candidate.flops += gemm_flops;
        candidate.seconds += GemmSeconds(machine, gemm_flops, tokens);
        bytes = logits_bytes + head_bytes;
        break;
      case StepOp::kHeadGradGemm:
        candidate.flops += gemm_flops;
        candidate.seconds += GemmSeconds(machine, gemm_flops, tokens);
        bytes = logits_bytes + (step.accumulate ? 2 : 1) * head_bytes;
        if (step.accumulate) candidate.seconds += head_bytes / machine.bytes_per_second;
        break;
      case StepOp::kRowKernel:
        bytes = logits_bytes * (step.gradient ? 2 : 1);
        candidate.seconds +=
            bytes / machine.bytes_per_second + tokens * head.vocabulary / machine.exps_per_second;
        break;
      default:
        break;
    }
    candidate.traffic_bytes += bytes;
  }
  for (const Chunk& chunk : schedule.chunks) {
    for (const Segment& segment : chunk.segments) {
      if (std::find(totals.active.begin(), totals.active.end(), segment.distribution) ==
          totals.active.end())
        continue;
      ++candidate.num_chunks;
      break;
    }
  }
}

ChunkLimits LimitsFor(Kind kind, const Problem& problem, const Totals& totals,
                      const PlanOptions& options, int64_t budget) {
  const int64_t affordable = std::max<int64_t>(1, budget / LargestBytesPerToken(problem));
  ChunkLimits limits;
  limits.reference_tokens = options.chunk_tokens > 0 ? options.chunk_tokens : affordable;
  limits.gradient_tokens = limits.reference_tokens;
  if (totals.head.requires_grad && options.chunk_tokens <= 0) {
    int64_t vocabulary = 1;
    for (const auto& [model, head] : problem.heads)
      vocabulary = std::max(vocabulary, head.vocabulary);
    const int64_t borrowed = totals.head.hidden * totals.head.vocabulary / vocabulary;
    limits.reference_tokens = std::max(affordable, std::min(borrowed, kLargestAutomaticChunk));
  }
  if (kind == Kind::kS2) limits.gradient_tokens = std::max<int64_t>(1, totals.active_tokens);
  return limits;
}

absl::StatusOr<std::optional<Kind>> ParseKind(const std::string& text) {
  if (text.empty()) return std::optional<Kind>();
  std::vector<std::string> names;
  for (Kind kind : kGradientKinds) {
    if (text == KindName(kind)) return std::optional<Kind>(kind);
    names.emplace_back(KindName(kind));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("schedule: expected one of ", absl::StrJoin(names, ", "), ", got '", text, "'"));
}

std::string Mebibytes(double bytes) { return absl::StrFormat("%.1f MiB", bytes / kMebibyte); }

// Picks the fastest legal candidate within the budget, or says why there is none.
absl::StatusOr<int64_t> Choose(std::vector<Candidate>& candidates, std::optional<Kind> wanted,
                               int64_t budget, bool budget_binds) {
  int64_t best = -1;
  for (size_t i = 0; i < candidates.size(); ++i) {
    Candidate& candidate = candidates[i];
    if (wanted.has_value() && candidate.kind != *wanted) continue;
    if (!candidate.legal) {
      if (!wanted.has_value()) continue;
      return absl::FailedPreconditionError(absl::StrCat("schedule: ", KindName(candidate.kind),
                                                        " is not exact here: ", candidate.reason));
    }
    if (budget_binds && !candidate.within_budget) continue;
    if (best < 0 || candidate.seconds < candidates[best].seconds) best = i;
  }
  if (best >= 0) return best;
  std::vector<std::string> needs;
  for (const Candidate& candidate : candidates) {
    if (candidate.legal && (!wanted.has_value() || candidate.kind == *wanted)) {
      needs.push_back(absl::StrCat(KindName(candidate.kind), " needs ", candidate.workspace_bytes));
    }
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("memory budget: got ", budget, " bytes; ",
                   needs.empty() ? "no schedule is exact here" : absl::StrJoin(needs, ", ")));
}

void GiveReasons(std::vector<Candidate>& candidates, int64_t chosen, bool insisted,
                 int64_t budget) {
  const Candidate& best = candidates[chosen];
  for (size_t i = 0; i < candidates.size(); ++i) {
    Candidate& candidate = candidates[i];
    if (!candidate.legal) continue;
    if (static_cast<int64_t>(i) == chosen) {
      candidate.reason = insisted ? "chosen: asked for" : "chosen: fastest within the budget";
    } else if (!candidate.within_budget) {
      candidate.reason = absl::StrCat("workspace ", Mebibytes(candidate.workspace_bytes),
                                      " exceeds the budget ", Mebibytes(budget));
    } else if (insisted) {
      candidate.reason = absl::StrCat(KindName(best.kind), " was asked for");
    } else if (candidate.seconds > best.seconds) {
      candidate.reason =
          absl::StrFormat("%.1f %% slower than %s by the cost model",
                          100 * (candidate.seconds / best.seconds - 1), KindName(best.kind));
    } else {
      candidate.reason = absl::StrCat("no faster than ", KindName(best.kind));
    }
  }
}

}  // namespace

int64_t AutomaticBudget(const Signature& signature, const Problem& problem) {
  int64_t tokens = 0;
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    if (!problem.uses[d].provided && IsActive(signature, problem, d))
      tokens += NumTokens(signature, problem, d);
  }
  const int64_t per_token = LargestBytesPerToken(problem);
  const int64_t wanted = std::max(kSmallestAutomaticBudget, tokens * per_token * 3 / 5);
  return std::max(kSmallestAutomaticBudget, std::min(wanted, kLargestAutomaticChunk * per_token));
}

absl::StatusOr<Plan> MakePlan(const Signature& signature, const Problem& problem,
                              const PlanOptions& options) {
  ALIDADE_ASSIGN_OR_RETURN(const std::optional<Kind> wanted, ParseKind(options.schedule));
  ALIDADE_ASSIGN_OR_RETURN(const Totals totals, Measure(signature, problem));
  Plan plan;
  plan.budget_is_automatic = options.memory_budget_bytes <= 0;
  plan.budget_bytes =
      plan.budget_is_automatic ? AutomaticBudget(signature, problem) : options.memory_budget_bytes;
  if (totals.active.empty()) {
    const ChunkLimits limits = LimitsFor(Kind::kR, problem, totals, options, plan.budget_bytes);
    plan.schedule = BuildSchedule(signature, problem, Kind::kR, limits);
    if (!plan.budget_is_automatic && plan.schedule.workspace_bytes() > plan.budget_bytes) {
      return absl::ResourceExhaustedError(absl::StrCat("memory budget: got ", plan.budget_bytes,
                                                       " bytes; R needs ",
                                                       plan.schedule.workspace_bytes()));
    }
    return plan;
  }
  std::vector<Schedule> schedules;
  for (Kind kind : kGradientKinds) {
    Candidate candidate;
    candidate.kind = kind;
    candidate.reason = Illegality(signature, problem, totals, kind);
    candidate.legal = candidate.reason.empty();
    candidate.limits = LimitsFor(kind, problem, totals, options, plan.budget_bytes);
    schedules.push_back(BuildSchedule(signature, problem, kind, candidate.limits));
    Cost(problem, totals, schedules.back(), options.machine, candidate);
    candidate.within_budget = candidate.workspace_bytes <= plan.budget_bytes;
    plan.candidates.push_back(std::move(candidate));
  }
  // An automatic budget guides; a given one binds. One row can be larger than any automatic budget.
  auto chosen = Choose(plan.candidates, wanted, plan.budget_bytes,
                       !(plan.budget_is_automatic && wanted.has_value()));
  if (!chosen.ok() && plan.budget_is_automatic && absl::IsResourceExhausted(chosen.status())) {
    chosen = Choose(plan.candidates, wanted, plan.budget_bytes, /*budget_binds=*/false);
  }
  ALIDADE_RETURN_IF_ERROR(chosen.status());
  GiveReasons(plan.candidates, *chosen, wanted.has_value(), plan.budget_bytes);
  plan.schedule = std::move(schedules[*chosen]);
  return plan;
}

std::string Plan::Explain(const Signature& signature, const Problem& problem) const {
  std::string text =
      absl::StrFormat("objective %s (%s), %d rows\n", signature.name,
                      signature.paper.empty() ? "no paper" : signature.paper, problem.num_rows());
  for (const auto& [model, head] : problem.heads) {
    absl::StrAppendFormat(&text, "head %s [%d, %d] f32, %s\n", model, head.vocabulary, head.hidden,
                          head.requires_grad ? "with gradient" : "frozen");
  }
  absl::StrAppend(&text, "\ndistribution                        tokens  use\n");
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    const Distribution& distribution = signature.distributions[d];
    std::string use =
        problem.uses[d].provided ? "log-probabilities given" : "R: scored, logits never kept";
    if (!problem.uses[d].provided && IsActive(signature, problem, d)) {
      const Coupling& c = distribution.coupling;
      use = absl::StrFormat("weights known per %s, rank %d, %s cotangent; %s",
                            GranularityName(c.granularity), c.rank, c.dense ? "dense" : "sparse",
                            c.reason);
    }
    absl::StrAppendFormat(&text, "%-34s %7d  %s\n", distribution.Name(),
                          NumTokens(signature, problem, d), use);
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
