// What a needed stage is needed for follows from its kind; where its output lies, too.
#ifndef ALIDADE_EXPERIMENTS_WORKFLOW_STAGES_ROLES_H_
#define ALIDADE_EXPERIMENTS_WORKFLOW_STAGES_ROLES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "experiments/workflow/config.h"
#include "experiments/workflow/stage_kind.h"

namespace alidade::experiments {

enum class Role { kDataset, kModel, kEvaluation, kReport };

// Of a kind that the schema knows.
Role RoleOf(const std::string& kind);
absl::string_view RoleName(Role role);

// How many needs of each role a stage takes.
struct NeedCount {
  Role role;
  int at_least = 0;
  int at_most = 0;
};

// Checks the needs of the stage `index`; roles that are not mentioned are not allowed.
absl::Status CheckNeeds(const ExperimentFile& file, int index, absl::Span<const int> needs,
                        absl::Span<const NeedCount> counts);

// The inputs of one role, in order.
std::vector<StageInput> InputsOf(const StageContext& context, Role role);

// Where a stage's folder holds its model, dataset or evaluation of a model.
std::string ModelFolder(const StageInput& input);
std::string DatasetFolderOf(const StageInput& input);
std::string EvaluationFolder(const std::string& stage_folder, const std::string& model);

// A trainer's or builder's error that starts with the path of a field ("loop.steps: expected ..."),
// located there.
absl::Status LocateFieldError(const ExperimentFile& file, int index, const absl::Status& status);

}  // namespace alidade::experiments

#endif  // ALIDADE_EXPERIMENTS_WORKFLOW_STAGES_ROLES_H_
