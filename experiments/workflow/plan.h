// From an experiment to the list of stage calls, in an order in which every call finds its inputs,
// each with its key.
//
//   ALIDADE_ASSIGN_OR_RETURN(Plan plan, MakePlan(file, kinds));
//   for (const PlannedStage& call : plan.stages) std::cout << call.folder_name << "\n";
#ifndef ALIDADE_EXPERIMENTS_WORKFLOW_PLAN_H_
#define ALIDADE_EXPERIMENTS_WORKFLOW_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "experiments/workflow/config.h"
#include "experiments/workflow/stage_kind.h"

namespace alidade::experiments {

// One call of a stage. Equal keys mean equal outputs: the key is the SHA-256 of the stage's
// resolved config, the keys of its inputs (which determine their content in the same way), the code
// version of its kind and its seeds.
struct PlannedStage {
  int index = 0;  // into Experiment::stage
  std::string id;
  std::string kind;
  std::vector<int64_t> seeds;
  std::vector<int> inputs;  // into Plan::stages, all smaller than the own position
  std::string key;          // 64 hexadecimal digits
  std::string folder_name;  // "<id>-<first 8 digits of the key>-s<seed>", "...-s<first>-<last>"
                            // over several seeds
};

struct Plan {
  std::vector<PlannedStage> stages;
};

// Fills all defaults, checks every stage and the graph (unique ids, known needs, no cycle, one kind
// each). Errors are located: "file:line:column: stage "dpo": ...".
absl::Status ResolveAndCheck(ExperimentFile& file, const StageKinds& kinds);

// Of a file that ResolveAndCheck accepted.
absl::StatusOr<Plan> MakePlan(const ExperimentFile& file, const StageKinds& kinds);

// SHA-256 of the canonical text of a resolved experiment, its first 16 digits: what a BUILD file
// pins.
std::string ResolvedHash(const Experiment& experiment);

}  // namespace alidade::experiments

#endif  // ALIDADE_EXPERIMENTS_WORKFLOW_PLAN_H_
