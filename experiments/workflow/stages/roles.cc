#include "experiments/workflow/stages/roles.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files/files.h"

namespace alidade::experiments {

Role RoleOf(const std::string& kind) {
  if (kind == "build_dataset") return Role::kDataset;
  if (kind == "evaluate") return Role::kEvaluation;
  if (kind == "report") return Role::kReport;
  return Role::kModel;
}

absl::string_view RoleName(Role role) {
  switch (role) {
    case Role::kDataset:
      return "dataset (a build_dataset stage)";
    case Role::kModel:
      return "model (an sft or preference stage)";
    case Role::kEvaluation:
      return "evaluation (an evaluate stage)";
    case Role::kReport:
      break;
  }
  return "report";
}

absl::Status CheckNeeds(const ExperimentFile& file, int index, absl::Span<const int> needs,
                        absl::Span<const NeedCount> counts) {
  const Experiment& experiment = file.experiment();
  const Stage& stage = experiment.stage(index);
  for (size_t k = 0; k < needs.size(); ++k) {
    const Role role = RoleOf(KindOf(experiment.stage(needs[k])));
    const bool taken = std::any_of(counts.begin(), counts.end(), [&](const NeedCount& count) {
      return count.role == role && count.at_most > 0;
    });
    if (taken) continue;
    std::vector<std::string> expected;
    for (const NeedCount& count : counts) {
      if (count.at_most > 0) expected.push_back(std::string(RoleName(count.role)));
    }
    return absl::InvalidArgumentError(absl::StrCat(
        file.Where({{"stage", index}, {"needs", static_cast<int>(k)}}), ": stage \"", stage.id(),
        "\": needs: expected ", expected.empty() ? "nothing" : absl::StrJoin(expected, " or "),
        ", got \"", stage.needs(k), "\", a ", KindOf(experiment.stage(needs[k])), " stage"));
  }
  for (const NeedCount& count : counts) {
    const int got = std::count_if(needs.begin(), needs.end(), [&](int need) {
      return RoleOf(KindOf(experiment.stage(need))) == count.role;
    });
    if (got >= count.at_least && got <= count.at_most) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        file.Where({{"stage", index}}), ": stage \"", stage.id(), "\": needs: expected ",
        count.at_least == count.at_most ? absl::StrCat(count.at_least)
                                        : absl::StrCat("at least ", count.at_least),
        " ", RoleName(count.role), ", got ", got));
  }
  return absl::OkStatus();
}

std::vector<StageInput> InputsOf(const StageContext& context, Role role) {
  std::vector<StageInput> inputs;
  for (const StageInput& input : context.inputs) {
    if (RoleOf(input.kind) == role) inputs.push_back(input);
  }
  return inputs;
}

std::string ModelFolder(const StageInput& input) { return JoinPath(input.folder, "model"); }

std::string DatasetFolderOf(const StageInput& input) { return JoinPath(input.folder, "dataset"); }

std::string EvaluationFolder(const std::string& stage_folder, const std::string& model) {
  return JoinPath(stage_folder, model);
}

absl::Status LocateFieldError(const ExperimentFile& file, int index, const absl::Status& status) {
  if (status.ok()) return status;
  const std::string message(status.message());
  std::vector<PathStep> path;
  const std::string field = message.substr(0, message.find(':'));
  for (absl::string_view part : absl::StrSplit(field, '.')) {
    const size_t bracket = part.find('[');
    PathStep step{std::string(part.substr(0, bracket)), 0};
    if (bracket != absl::string_view::npos) {
      absl::string_view digits = part.substr(bracket + 1);
      if (!digits.empty()) digits.remove_suffix(1);
      if (!absl::SimpleAtoi(digits, &step.index)) break;
    }
    path.push_back(step);
  }
  return absl::Status(status.code(), file.ErrorInStage(index, path, message).message());
}

}  // namespace alidade::experiments
