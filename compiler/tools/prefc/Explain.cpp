// prefc explain.

#include <cstdio>

#include "common/status/status.h"
#include "compiler/schedule/planner.h"
#include "compiler/tools/prefc/CommandLine.h"
#include "compiler/tools/prefc/Commands.h"
#include "compiler/transforms/Pipeline.h"
#include "mlir/IR/MLIRContext.h"

namespace alidade::pref {
namespace {

// A batch of equal rows: every response has `tokens` scored tokens in each of `rows` rows.
schedule::Problem evenProblem(const schedule::Signature& signature, int64_t rows, int64_t tokens,
                              const schedule::HeadShape& head) {
  schedule::Problem problem;
  std::vector<int64_t> offsets;
  for (int64_t row = 0; row <= rows; ++row) offsets.push_back(row * tokens);
  problem.offsets.assign(signature.axes.size(), offsets);
  for (const schedule::Distribution& distribution : signature.distributions) {
    problem.uses.push_back({.hidden_gradient = distribution.requires_grad});
    schedule::HeadShape& shape = problem.heads[distribution.model];
    const bool wanted = shape.requires_grad || (head.requires_grad && distribution.requires_grad);
    shape = head;
    shape.requires_grad = wanted;
  }
  return problem;
}

}  // namespace

absl::Status explainCommand(const std::vector<std::string>& args) {
  ALIDADE_ASSIGN_OR_RETURN(const CommandLine line,
                           CommandLine::parse(args, {{"rows", true},
                                                     {"tokens", true},
                                                     {"hidden", true},
                                                     {"vocab", true},
                                                     {"head", true},
                                                     {"schedule", true},
                                                     {"budget", true},
                                                     {"chunk_tokens", true},
                                                     {"steps", false},
                                                     {"objectives", true}}));
  ALIDADE_ASSIGN_OR_RETURN(
      const std::string path,
      objectivePath(line.words(), line.get("objectives", defaultObjectivesFolder())));
  ALIDADE_ASSIGN_OR_RETURN(const int64_t rows, line.getInteger("rows", 8, 1));
  ALIDADE_ASSIGN_OR_RETURN(const int64_t tokens, line.getInteger("tokens", 128, 0));
  schedule::HeadShape head;
  ALIDADE_ASSIGN_OR_RETURN(head.hidden, line.getInteger("hidden", 4096, 1));
  ALIDADE_ASSIGN_OR_RETURN(head.vocabulary, line.getInteger("vocab", 32000, 1));
  ALIDADE_ASSIGN_OR_RETURN(head.requires_grad, line.headIsTrained());
  schedule::PlanOptions options;
  options.schedule = line.get("schedule");
  ALIDADE_ASSIGN_OR_RETURN(options.memory_budget_bytes, line.getInteger("budget", 0, 1));
  ALIDADE_ASSIGN_OR_RETURN(options.chunk_tokens, line.getInteger("chunk_tokens", 0, 1));
  mlir::MLIRContext context;
  ALIDADE_ASSIGN_OR_RETURN(const DerivedObjective derived, deriveObjectiveFile(path, context));
  const schedule::Problem problem = evenProblem(derived.signature, rows, tokens, head);
  ALIDADE_ASSIGN_OR_RETURN(const schedule::Plan plan,
                           MakePlan(derived.signature, problem, options));
  std::fputs(plan.Explain(derived.signature, problem).c_str(), stdout);
  if (line.has("steps")) std::printf("\n%s", plan.schedule.Print(derived.signature).c_str());
  return absl::OkStatus();
}

}  // namespace alidade::pref
