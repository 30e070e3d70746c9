// Runs an experiment: resolves it, plans it, and works through the plan in its folder.
#ifndef ALIDADE_EXPERIMENTS_WORKFLOW_RUNNER_H_
#define ALIDADE_EXPERIMENTS_WORKFLOW_RUNNER_H_

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/workflow/config.h"
#include "experiments/workflow/stage_kind.h"

namespace alidade::experiments {

struct RunRequest {
  std::string config;  // path of the experiment's file
  std::string out;     // folder of the run; empty: runs/<experiment> below `working_folder`
  std::string working_folder = ".";
  std::string source_folder;  // of the checkout, for commit and dirty flag; empty: unknown
  std::vector<std::pair<std::string, std::string>>
      versions;                  // of what the stages use, for the manifest
  std::vector<std::string> set;  // path=value
  std::optional<int64_t> seeds;
  bool dry_run = false;
  bool smoke = false;
};

// Reads the experiment, applies --smoke, --set and --seeds in this order, resolves and checks it.
absl::StatusOr<ExperimentFile> LoadExperiment(const RunRequest& request, const StageKinds& kinds);

// Runs what is not there yet. What happens is told to `log`, line by line; at the end the report's
// table. Stages that are finished stay whatever happens later. Errors: of LoadExperiment, the
// folder (in use, not writable), a finished stage that was altered, and of the stage that failed,
// prefixed by its name.
absl::Status RunExperiment(const RunRequest& request, const StageKinds& kinds, std::ostream& log);

}  // namespace alidade::experiments

#endif  // ALIDADE_EXPERIMENTS_WORKFLOW_RUNNER_H_
