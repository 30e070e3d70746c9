// The kinds of stages that experiments are made of. Each wraps what its storey offers as one call;
// none has numbers of its own.
#ifndef ALIDADE_EXPERIMENTS_WORKFLOW_STAGES_STAGES_H_
#define ALIDADE_EXPERIMENTS_WORKFLOW_STAGES_STAGES_H_

#include <string>
#include <utility>
#include <vector>

#include "experiments/workflow/stage_kind.h"

namespace alidade::experiments {

// build_dataset, sft, preference, evaluate, report.
StageKinds StandardStages();

// Versions of the libraries that stages use: name, version.
std::vector<std::pair<std::string, std::string>> StandardVersions();

}  // namespace alidade::experiments

#endif  // ALIDADE_EXPERIMENTS_WORKFLOW_STAGES_STAGES_H_
