#include "trainers/stages/preference/preference.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "compiler/runtime/objective.h"
#include "experiments/workflow/stages/kinds.h"
#include "experiments/workflow/stages/roles.h"
#include "experiments/workflow/stages/training.h"

namespace alidade::experiments {
namespace {

// Every hyperparameter of the objective, in the order of its declaration. Errors: an unknown one,
// one given twice, one out of its range.
absl::StatusOr<std::vector<trainers::Hyperparameter>> ResolveHyperparameters(
    const ExperimentFile& file, int index, const runtime::Signature& signature) {
  const trainers::PreferenceConfig& config = file.experiment().stage(index).preference();
  std::vector<std::string> known;
  for (const runtime::Hyperparameter& declared : signature.hyperparameters)
    known.push_back(declared.name);
  std::map<std::string, double> given;
  for (int i = 0; i < config.hyperparameter_size(); ++i) {
    const trainers::Hyperparameter& got = config.hyperparameter(i);
    const runtime::Hyperparameter* declared = nullptr;
    for (const runtime::Hyperparameter& candidate : signature.hyperparameters) {
      if (candidate.name == got.name()) declared = &candidate;
    }
    const std::vector<PathStep> name_path = {{"hyperparameter", i}, {"name"}};
    const std::vector<PathStep> value_path = {{"hyperparameter", i}, {"value"}};
    if (declared == nullptr) {
      return file.ErrorInStage(
          index, name_path,
          absl::StrCat("expected a hyperparameter of ", signature.name, ", got \"", got.name(),
                       "\"", Suggestion(got.name(), known)));
    }
    if (!got.has_value()) {
      return file.ErrorInStage(index, name_path,
                               absl::StrCat(got.name(), ": expected a value, got none"));
    }
    if (!declared->Contains(got.value())) {
      return file.ErrorInStage(index, value_path,
                               absl::StrCat(got.name(), ": expected a value in ", declared->Range(),
                                            " (", signature.name, "), got ", got.value()));
    }
    if (!given.emplace(got.name(), got.value()).second) {
      return file.ErrorInStage(index, name_path, absl::StrCat(got.name(), ": stands twice"));
    }
  }
  std::vector<trainers::Hyperparameter> resolved;
  for (const runtime::Hyperparameter& declared : signature.hyperparameters) {
    trainers::Hyperparameter& hyperparameter = resolved.emplace_back();
    hyperparameter.set_name(declared.name);
    const auto found = given.find(declared.name);
    hyperparameter.set_value(found == given.end() ? declared.default_value : found->second);
  }
  return resolved;
}

class PreferenceStage : public StageKind {
 public:
  explicit PreferenceStage(std::string code) : code_(std::move(code)) {}

  std::string name() const override { return "preference"; }

  absl::Status Resolve(ExperimentFile& file, int index) const override {
    const std::string objective_name = file.experiment().stage(index).preference().objective();
    const absl::StatusOr<const runtime::Objective*> objective =
        runtime::FindObjective(objective_name);
    if (!objective.ok())
      return file.ErrorInStage(index, {{"objective"}}, objective.status().message());
    ALIDADE_ASSIGN_OR_RETURN(const auto resolved,
                             ResolveHyperparameters(file, index, (*objective)->signature()));
    trainers::PreferenceConfig* config =
        file.experiment().mutable_stage(index)->mutable_preference();
    config->mutable_hyperparameter()->Assign(resolved.begin(), resolved.end());
    return absl::OkStatus();
  }

  absl::Status Check(const ExperimentFile& file, int index,
                     absl::Span<const int> needs) const override {
    ALIDADE_RETURN_IF_ERROR(
        CheckNeeds(file, index, needs, {{Role::kDataset, 1, 1}, {Role::kModel, 1, 1}}));
    return LocateFieldError(
        file, index,
        trainers::ValidatePreferenceConfig(file.experiment().stage(index).preference()));
  }

  absl::StatusOr<std::string> CodeVersion(const ExperimentFile&, int) const override {
    return code_;
  }

  absl::Status Run(const StageContext& context) const override {
    const trainers::PreferenceConfig& config = context.stage->preference();
    ALIDADE_ASSIGN_OR_RETURN(const runtime::Objective* objective,
                             runtime::FindObjective(config.objective()));
    trainers::PreferenceInputs inputs;
    inputs.model = ModelFolder(InputsOf(context, Role::kModel)[0]);
    if (trainers::NeedsReference(*objective)) inputs.reference = inputs.model;
    inputs.pairs = DatasetFolderOf(InputsOf(context, Role::kDataset)[0]);
    trainers::RunOptions options;
    options.label = context.label;
    return trainers::RunPreference(config, inputs, context.folder, context.seed, options).status();
  }

  std::vector<std::string> Results(const StageContext&) const override { return TrainedResults(); }

 private:
  std::string code_;
};

}  // namespace

std::unique_ptr<StageKind> MakePreferenceStage(std::string code) {
  return std::make_unique<PreferenceStage>(std::move(code));
}

}  // namespace alidade::experiments
