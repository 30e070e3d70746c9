#include "compiler/schedule/planner.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"
#include "compiler/schedule/cost.h"

namespace alidade::schedule {
namespace {

constexpr int64_t kSmallestAutomaticBudget = 8 << 20;
constexpr std::array<Kind, 5> kGradientKinds = {Kind::kS2, Kind::kS3, Kind::kF, Kind::kD,
                                                Kind::kRC};

// The call seen as token counts: what limits and legality need.
struct Totals {
  std::vector<int64_t> active;     // distributions through a head whose logit cotangent is wanted
  std::vector<int64_t> gradients;  // these and given logits with gradient
  std::string model;               // the model of the active ones
  int64_t largest_row = 0;         // tokens of one row over all active distributions
  HeadShape head;                  // of the active ones
  bool can_share = false;          // some distribution without gradient has the same head
  // Elements per token of a chunk: the widest logits, the widest logits of a partner that goes
  // through a head, the widest hidden states.
  int64_t logits = 1, partner_logits = 0, hidden = 0;
};

absl::StatusOr<Totals> Measure(const Signature& signature, const Problem& problem) {
  Totals totals;
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    const Distribution& distribution = signature.distributions[d];
    const DistributionUse& use = problem.uses[d];
    if (use.provided || use.absent) continue;
    const bool active = IsActive(signature, problem, d);
    if (active) totals.gradients.push_back(d);
    const HeadShape& head = problem.heads.at(distribution.model);
    if (distribution.partner >= 0 && !problem.uses[distribution.partner].logits) {
      totals.partner_logits = std::max(totals.partner_logits, head.vocabulary);
    }
    if (use.logits) continue;
    totals.logits = std::max(totals.logits, head.vocabulary);
    totals.hidden = std::max(totals.hidden, head.hidden);
    if (!active) continue;
    if (!totals.active.empty() && distribution.model != totals.model) {
      return absl::UnimplementedError(
          absl::StrCat("plan: expected gradients through one model, got '", totals.model, "' and '",
                       distribution.model, "'"));
    }
    totals.active.push_back(d);
    totals.model = distribution.model;
    totals.head = head;
  }
  for (int64_t row = 0; row < problem.num_rows(); ++row) {
    int64_t tokens = 0;
    for (int64_t d : totals.active) {
      tokens += FirstToken(signature, problem, d, row + 1) - FirstToken(signature, problem, d, row);
    }
    totals.largest_row = std::max(totals.largest_row, tokens);
  }
  for (size_t d = 0; d < signature.distributions.size() && !totals.active.empty(); ++d) {
    const Distribution& distribution = signature.distributions[d];
    const DistributionUse& use = problem.uses[d];
    if (use.provided || use.absent || use.logits || IsActive(signature, problem, d)) continue;
    totals.can_share |= distribution.program >= 0 && !distribution.feeds_known &&
                        SharesHead(problem, distribution.model, totals.model);
  }
  return totals;
}

bool HeadTrained(const HeadShape& head) { return head.requires_grad || head.bias_requires_grad; }

bool NeedsAllRows(const Coupling& coupling) {
  return coupling.granularity == Granularity::kBatch || coupling.granularity == Granularity::kRanks;
}

// Why the cotangent of the logits of `d` is not one weight times a row that it alone decides.
std::string WhyNotSeparable(const Signature& signature, int64_t d) {
  const Distribution& distribution = signature.distributions[d];
  if (distribution.coupling.dense) {
    return absl::StrCat("the logit cotangent of ", distribution.Name(),
                        " is dense: ", distribution.coupling.reason);
  }
  return absl::StrCat("the logit cotangent of ", distribution.Name(),
                      " adds up several reads, each with its own weight");
}

// Why weights that come after the scores would come too late, or empty.
std::string WhyNotF(const Signature& signature, const Totals& totals) {
  for (int64_t d : totals.active) {
    if (signature.distributions[d].coupling.granularity == Granularity::kKnown) continue;
    if (!IsSeparable(signature, d)) return WhyNotSeparable(signature, d);
    if (HeadTrained(totals.head)) {
      return absl::StrCat(
          "the head of '", totals.model,
          "' requires a gradient, which needs the weights inside its sum over tokens");
    }
  }
  return "";
}

// Why the tokens of a row cannot be summed before their weight is known, or empty. The rank does
// not matter: every distribution has its own accumulator.
std::string WhyNotD(const Signature& signature, const Totals& totals) {
  for (int64_t d : totals.active) {
    const Distribution& distribution = signature.distributions[d];
    if (!IsSeparable(signature, d)) return WhyNotSeparable(signature, d);
    if (!distribution.coupling.uniform) {
      return absl::StrCat("the weights of ", distribution.Name(),
                          " differ between tokens of a row");
    }
    if (signature.axes[distribution.axis].parent >= 0) {
      return absl::StrCat("the weights of ", distribution.Name(),
                          " differ between members of a row");
    }
  }
  return "";
}

// Why `kind` would not be exact here, or empty.
std::string Illegality(const Signature& signature, const Problem& problem, const Totals& totals,
                       Kind kind) {
  if (totals.active.empty()) return "";  // there is no GEMM to arrange
  if (kind == Kind::kF) return WhyNotF(signature, totals);
  if (kind != Kind::kS3 && kind != Kind::kD) return "";
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    const Distribution& distribution = signature.distributions[d];
    if (!distribution.requires_grad || problem.uses[d].absent) continue;
    if (NeedsAllRows(distribution.coupling)) {
      return absl::StrCat(
          "the weights of ", distribution.Name(), " need the scores of all rows",
          distribution.coupling.granularity == Granularity::kRanks ? " of all ranks" : "", ": ",
          distribution.coupling.reason);
    }
  }
  return kind == Kind::kD ? WhyNotD(signature, totals) : "";
}

ChunkLimits LimitsFor(Kind kind, const Problem& problem, const Totals& totals,
                      const PlanOptions& options, int64_t budget) {
  const int64_t per_token =
      problem.element_bytes * (totals.logits + totals.partner_logits + totals.hidden);
  int64_t affordable = std::max<int64_t>(1, budget / per_token);
  if (kind == Kind::kD && totals.largest_row > affordable) {
    int64_t accumulator = 0;
    if (totals.head.requires_grad) accumulator += totals.head.hidden * totals.head.vocabulary;
    if (totals.head.bias_requires_grad) accumulator += totals.head.vocabulary;
    const int64_t rest = budget - 4 * accumulator * static_cast<int64_t>(totals.active.size());
    affordable = std::max<int64_t>(1, rest / per_token);
  }
  ChunkLimits limits;
  limits.reference_tokens = options.chunk_tokens > 0 ? options.chunk_tokens : affordable;
  limits.gradient_tokens = limits.reference_tokens;
  limits.copy_tokens =
      std::max<int64_t>(1, options.machine.cache_bytes / (problem.element_bytes * totals.logits));
  return limits;
}

// Tokens of a chunk whose logits lie in the memory of the head gradient, when only its hidden
// states have to fit into what `schedule` leaves of the budget; 0: nothing can lie there.
int64_t BorrowedTokens(const Problem& problem, const Totals& totals, const PlanOptions& options,
                       int64_t budget, const Schedule& schedule) {
  const HeadShape& head = totals.head;
  if (!head.requires_grad || head.adds_gradient || totals.partner_logits > 0) return 0;
  if (options.chunk_tokens > 0 || schedule.kind == Kind::kR) return 0;
  const int64_t memory = 4 * head.hidden * head.vocabulary / totals.logits / problem.element_bytes;
  const int64_t rest =
      budget - (schedule.workspace_bytes() - schedule.max_hidden * problem.element_bytes);
  return std::min(
      {memory, rest / (totals.hidden * problem.element_bytes), options.machine.largest_chunk});
}

absl::StatusOr<std::optional<Kind>> ParseKind(const std::string& text) {
  if (text.empty()) return std::optional<Kind>();
  std::vector<std::string> names;
  for (Kind kind : {Kind::kR, Kind::kS2, Kind::kS3, Kind::kF, Kind::kD, Kind::kRC}) {
    if (text == KindName(kind)) return std::optional<Kind>(kind);
    names.emplace_back(KindName(kind));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("schedule: expected one of ", absl::StrJoin(names, ", "), ", got '", text, "'"));
}

bool Better(const Candidate& a, const Candidate& b) {
  if (a.within_budget != b.within_budget) return a.within_budget;
  if (!a.within_budget) return a.workspace_bytes < b.workspace_bytes;
  return a.seconds < b.seconds;
}

// A kind laid out, with or without sharing the GEMM of equal heads.
Candidate Lay(const Signature& signature, const Problem& problem, const Totals& totals, Kind kind,
              const PlanOptions& options, int64_t budget, Schedule& schedule) {
  Candidate best;
  for (const bool share : {false, true}) {
    const bool arranged = kind == Kind::kS2 || kind == Kind::kS3 || kind == Kind::kF;
    if (share && !(totals.can_share && arranged)) continue;
    Candidate candidate;
    candidate.kind = kind;
    candidate.reason = Illegality(signature, problem, totals, kind);
    candidate.legal = candidate.reason.empty();
    candidate.limits = LimitsFor(kind, problem, totals, options, budget);
    candidate.limits.share_head = share;
    Schedule built = BuildSchedule(signature, problem, kind, candidate.limits);
    const int64_t borrowed = BorrowedTokens(problem, totals, options, budget, built);
    if (borrowed > candidate.limits.reference_tokens) {
      candidate.limits.reference_tokens = borrowed;
      built = BuildSchedule(signature, problem, kind, candidate.limits);
    }
    AddCost(problem, built, options.machine, candidate);
    candidate.within_budget = candidate.workspace_bytes <= budget;
    if (share && !Better(candidate, best)) continue;
    best = std::move(candidate);
    schedule = std::move(built);
  }
  return best;
}

// Picks the fastest legal candidate within the budget, or says why there is none.
absl::StatusOr<int64_t> Choose(const std::vector<Candidate>& candidates, std::optional<Kind> wanted,
                               int64_t budget, bool budget_binds) {
  int64_t best = -1;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
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
  int64_t smallest = -1;
  for (const Candidate& candidate : candidates) {
    if (!candidate.legal || (wanted.has_value() && candidate.kind != *wanted)) continue;
    needs.push_back(absl::StrCat(KindName(candidate.kind), " needs ", candidate.workspace_bytes));
    if (smallest < 0 || candidate.workspace_bytes < smallest) smallest = candidate.workspace_bytes;
  }
  return absl::ResourceExhaustedError(absl::StrCat("memory budget: expected at least ", smallest,
                                                   " bytes, got ", budget, "; ",
                                                   absl::StrJoin(needs, ", ")));
}

void GiveReasons(std::vector<Candidate>& candidates, int64_t chosen, bool insisted,
                 int64_t budget) {
  const Candidate& best = candidates[chosen];
  for (size_t i = 0; i < candidates.size(); ++i) {
    Candidate& candidate = candidates[i];
    if (!candidate.legal) continue;
    if (static_cast<int64_t>(i) == chosen) {
      candidate.reason = insisted                  ? "chosen: asked for"
                         : candidate.within_budget ? "chosen: fastest within the budget"
                                                   : "chosen: fastest; nothing meets the budget";
      if (candidate.limits.share_head) {
        absl::StrAppend(&candidate.reason, "; equal heads share their GEMM");
      }
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

absl::StatusOr<Machine> FindMachine(absl::string_view name) {
  // Sustained rates of long head GEMMs, measured copies, exponentials of the special-function units
  // (132 multiprocessors, 16 per clock), and the rows at which reading the head takes as long as
  // the arithmetic.
  static const std::vector<Machine>& machines = *new std::vector<Machine>{
      {},
      {.name = "h100",
       .gemm_flops = 790e12,
       .gemm_half_rows = 264,
       .bytes_per_second = 3.0e12,
       .exps_per_second = 3.7e12,
       .step_seconds = 3e-6,
       .cache_bytes = 25e6,
       .largest_chunk = 4096},
      {.name = "h200",
       .gemm_flops = 790e12,
       .gemm_half_rows = 184,
       .bytes_per_second = 4.3e12,
       .exps_per_second = 3.7e12,
       .step_seconds = 3e-6,
       .cache_bytes = 30e6,
       .largest_chunk = 4096},
  };
  std::vector<std::string> names;
  for (const Machine& machine : machines) {
    if (machine.name == name) return machine;
    names.push_back(machine.name);
  }
  return UnknownNameError("target", name, names);
}

int64_t AutomaticBudget(const Signature& signature, const Problem& problem,
                        const Machine& machine) {
  int64_t active = 0, all = 0, logits = 1, hidden = 0;
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    const DistributionUse& use = problem.uses[d];
    if (use.provided || use.absent || use.logits) continue;
    const HeadShape& head = problem.heads.at(signature.distributions[d].model);
    logits = std::max(logits, head.vocabulary);
    hidden = std::max(hidden, head.hidden);
    all += NumTokens(signature, problem, d);
    if (IsActive(signature, problem, d)) active += NumTokens(signature, problem, d);
  }
  const int64_t per_token = problem.element_bytes * (logits + hidden);
  const int64_t wanted = (active > 0 ? active : all) * per_token * 3 / 5;
  return std::max(kSmallestAutomaticBudget, std::min(wanted, machine.largest_chunk * per_token));
}

absl::StatusOr<Plan> MakePlan(const Signature& signature, const Problem& problem,
                              const PlanOptions& options) {
  ALIDADE_ASSIGN_OR_RETURN(const std::optional<Kind> wanted, ParseKind(options.schedule));
  ALIDADE_RETURN_IF_ERROR(ValidateProblem(signature, problem));
  ALIDADE_ASSIGN_OR_RETURN(const Totals totals, Measure(signature, problem));
  Plan plan;
  plan.machine = options.machine.name;
  plan.budget_is_automatic = options.memory_budget_bytes <= 0;
  plan.budget_bytes = plan.budget_is_automatic
                          ? AutomaticBudget(signature, problem, options.machine)
                          : options.memory_budget_bytes;
  const auto absent = [](const DistributionUse& use) { return use.absent; };
  const auto first_absent = std::find_if(problem.uses.begin(), problem.uses.end(), absent);
  if (!totals.gradients.empty() && first_absent != problem.uses.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat(signature.distributions[first_absent - problem.uses.begin()].Name(),
                     ": expected its scored tokens, because there is no gradient without a loss; ",
                     "got nothing"));
  }
  if (wanted == Kind::kR && !totals.gradients.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("schedule: R is not exact here: it computes no gradient, which ",
                     signature.distributions[totals.gradients.front()].Name(), " wants"));
  }
  if (totals.gradients.empty()) {
    const ChunkLimits limits = LimitsFor(Kind::kR, problem, totals, options, plan.budget_bytes);
    plan.schedule = BuildSchedule(signature, problem, Kind::kR, limits);
    if (!plan.budget_is_automatic && plan.schedule.workspace_bytes() > plan.budget_bytes) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "memory budget: expected at least ", plan.schedule.workspace_bytes(), " bytes, got ",
          plan.budget_bytes, "; R needs ", plan.schedule.workspace_bytes()));
    }
    return plan;
  }
  std::vector<Schedule> schedules;
  for (Kind kind : kGradientKinds) {
    plan.candidates.push_back(Lay(signature, problem, totals, kind, options, plan.budget_bytes,
                                  schedules.emplace_back()));
  }
  // An automatic budget guides; a given one binds. One row can be larger than any automatic budget.
  absl::StatusOr<int64_t> chosen =
      Choose(plan.candidates, wanted, plan.budget_bytes, /*budget_binds=*/true);
  if (!chosen.ok() && plan.budget_is_automatic && absl::IsResourceExhausted(chosen.status())) {
    chosen = Choose(plan.candidates, wanted, plan.budget_bytes, /*budget_binds=*/false);
  }
  ALIDADE_RETURN_IF_ERROR(chosen.status());
  GiveReasons(plan.candidates, *chosen, wanted.has_value(), plan.budget_bytes);
  plan.schedule = std::move(schedules[*chosen]);
  return plan;
}

}  // namespace alidade::schedule
