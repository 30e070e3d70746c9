// What the runner needs to know of a kind of stage. The runner itself knows no dataset, trainer or
// benchmark: kinds are handed to it, so that its own tests run with toy kinds.
#ifndef ALIDADE_EXPERIMENTS_WORKFLOW_STAGE_KIND_H_
#define ALIDADE_EXPERIMENTS_WORKFLOW_STAGE_KIND_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "experiments/workflow/config.h"

namespace alidade::experiments {

// A finished stage that another one reads.
struct StageInput {
  std::string id;
  std::string kind;
  std::string label;
  int64_t seed = 0;
  std::string folder;  // finished and read-only
};

// One call of a stage.
struct StageContext {
  const Experiment* experiment = nullptr;  // resolved
  const Stage* stage = nullptr;            // resolved
  std::string label;                       // for progress lines: "sft s0"
  std::string folder;              // working folder; what an interrupted call left is still in it
  std::vector<StageInput> inputs;  // in the order of `needs`, per need in the order of the seeds
  int64_t seed = 0;                // the first of `seeds`
  std::vector<int64_t> seeds;      // one seed; all of them for a stage over seeds
  std::vector<std::pair<std::string, std::string>>
      provenance;  // of the run, for reports: name, value
};

class StageKind {
 public:
  virtual ~StageKind() = default;

  // The field of Stage that configures it: "sft".
  virtual std::string name() const = 0;

  // True: runs once and reads the outputs of all seeds.
  virtual bool over_seeds() const { return false; }

  // Writes what the schema's own defaults cannot say (the hyperparameters of an objective) into the
  // stage `index`.
  virtual absl::Status Resolve(ExperimentFile& file, int index) const = 0;

  // Names, ranges and kinds of needed stages (`needs`: their indices, in order). Errors are located
  // in the file.
  virtual absl::Status Check(const ExperimentFile& file, int index,
                             absl::Span<const int> needs) const = 0;

  // Changes whenever the same config and inputs may give another output: digests of the sources and
  // of everything outside the config that the stage reads (a model folder).
  virtual absl::StatusOr<std::string> CodeVersion(const ExperimentFile& file, int index) const = 0;

  // Does the work in context.folder, going on from what is there. After an interruption at any
  // moment another call ends in the same bits.
  virtual absl::Status Run(const StageContext& context) const = 0;

  // Files of the output whose bytes are its result, relative to the folder; the DONE record keeps
  // their digests and they are checked before another stage reads them. Logs and times do not
  // belong here.
  virtual std::vector<std::string> Results(const StageContext& context) const = 0;

  // Files of the output that are also copied to the top of the run's folder (report.html).
  virtual std::vector<std::string> Published() const { return {}; }
};

using StageKinds = std::vector<std::unique_ptr<StageKind>>;

// The kind of that name; null where there is none.
const StageKind* FindKind(const StageKinds& kinds, const std::string& name);

}  // namespace alidade::experiments

#endif  // ALIDADE_EXPERIMENTS_WORKFLOW_STAGE_KIND_H_
