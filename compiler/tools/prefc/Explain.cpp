// prefc explain and prefc cost: what the planner makes of a batch of given sizes.

#include <cstdio>
#include <string>
#include <vector>

#include "common/status/status.h"
#include "compiler/schedule/planner.h"
#include "compiler/tools/prefc/CommandLine.h"
#include "compiler/tools/prefc/Commands.h"
#include "compiler/tools/prefc/EvenBatch.h"
#include "compiler/tools/prefc/Subject.h"
#include "mlir/IR/MLIRContext.h"
#include "nlohmann/json.hpp"

namespace alidade::pref {
namespace {

struct PlannedBatch {
  schedule::Signature signature;
  schedule::Problem problem;
  schedule::Plan plan;
};

FlagSpec sizeFlags() {
  return withSubjectFlags({{"rows", true},
                           {"tokens", true},
                           {"members", true},
                           {"segments", true},
                           {"hidden", true},
                           {"vocab", true},
                           {"head", true},
                           {"target", true},
                           {"schedule", true},
                           {"budget", true},
                           {"chunk_tokens", true}});
}

absl::StatusOr<EvenSizes> sizesOf(const CommandLine& line) {
  EvenSizes sizes;
  ALIDADE_ASSIGN_OR_RETURN(sizes.rows, line.getInteger("rows", sizes.rows, 1));
  ALIDADE_ASSIGN_OR_RETURN(sizes.tokens, line.getInteger("tokens", sizes.tokens, 0));
  ALIDADE_ASSIGN_OR_RETURN(sizes.members, line.getInteger("members", sizes.members, 0));
  ALIDADE_ASSIGN_OR_RETURN(sizes.segments, line.getInteger("segments", sizes.segments, 0));
  schedule::HeadShape& head = sizes.head;
  ALIDADE_ASSIGN_OR_RETURN(head.hidden, line.getInteger("hidden", head.hidden, 1));
  ALIDADE_ASSIGN_OR_RETURN(head.vocabulary, line.getInteger("vocab", head.vocabulary, 1));
  ALIDADE_ASSIGN_OR_RETURN(head.requires_grad, line.headIsTrained());
  return sizes;
}

absl::StatusOr<PlannedBatch> planBatch(const CommandLine& line) {
  ALIDADE_ASSIGN_OR_RETURN(const Subject subject, subjectOf(line));
  ALIDADE_ASSIGN_OR_RETURN(const EvenSizes sizes, sizesOf(line));
  schedule::PlanOptions options;
  options.schedule = line.get("schedule");
  ALIDADE_ASSIGN_OR_RETURN(options.memory_budget_bytes, line.getInteger("budget", 0, 1));
  ALIDADE_ASSIGN_OR_RETURN(options.chunk_tokens, line.getInteger("chunk_tokens", 0, 1));
  ALIDADE_ASSIGN_OR_RETURN(options.machine, schedule::FindMachine(line.get("target", "cpu")),
                           "--target");
  mlir::MLIRContext context;
  ALIDADE_ASSIGN_OR_RETURN(const DerivedObjective derived, derive(subject, context));
  PlannedBatch planned;
  planned.signature = derived.signature;
  planned.problem = evenProblem(derived.signature, sizes);
  if (options.machine.name != "cpu") planned.problem.element_bytes = 2;  // bf16
  ALIDADE_ASSIGN_OR_RETURN(planned.plan, MakePlan(planned.signature, planned.problem, options));
  return planned;
}

}  // namespace

absl::Status explainCommand(const std::vector<std::string>& args) {
  FlagSpec spec = sizeFlags();
  spec["steps"] = false;
  ALIDADE_ASSIGN_OR_RETURN(const CommandLine line, CommandLine::parse(args, spec));
  ALIDADE_ASSIGN_OR_RETURN(const PlannedBatch planned, planBatch(line));
  std::fputs(planned.plan.Explain(planned.signature, planned.problem).c_str(), stdout);
  if (line.has("steps"))
    std::printf("\n%s", planned.plan.schedule.Print(planned.signature).c_str());
  return absl::OkStatus();
}

// The candidates as JSON, for scripts and benchmark pages.
absl::Status costCommand(const std::vector<std::string>& args) {
  ALIDADE_ASSIGN_OR_RETURN(const CommandLine line, CommandLine::parse(args, sizeFlags()));
  ALIDADE_ASSIGN_OR_RETURN(const PlannedBatch planned, planBatch(line));
  using Json = nlohmann::ordered_json;
  Json candidates = Json::array();
  for (const schedule::Candidate& candidate : planned.plan.candidates) {
    candidates.push_back({{"schedule", std::string(KindName(candidate.kind))},
                          {"exact", candidate.legal},
                          {"within_budget", candidate.within_budget},
                          {"chunks", candidate.num_chunks},
                          {"flops", candidate.flops},
                          {"traffic_bytes", candidate.traffic_bytes},
                          {"workspace_bytes", candidate.workspace_bytes},
                          {"seconds", candidate.seconds},
                          {"reason", candidate.reason}});
  }
  const Json json = {{"objective", planned.signature.name},
                     {"target", planned.plan.machine},
                     {"rows", planned.problem.num_rows()},
                     {"budget_bytes", planned.plan.budget_bytes},
                     {"chosen", std::string(KindName(planned.plan.schedule.kind))},
                     {"candidates", candidates}};
  std::printf("%s\n", json.dump(1).c_str());
  return absl::OkStatus();
}

}  // namespace alidade::pref
