#include "trainers/stages/sft/sft.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "experiments/workflow/stages/kinds.h"
#include "experiments/workflow/stages/roles.h"
#include "experiments/workflow/stages/training.h"
#include "trainers/stages/sft/presets.h"

namespace alidade::experiments {
namespace {

class SftStage : public StageKind {
 public:
  explicit SftStage(std::string code) : code_(std::move(code)) {}

  std::string name() const override { return "sft"; }

  absl::Status Resolve(ExperimentFile&, int) const override { return absl::OkStatus(); }

  absl::Status Check(const ExperimentFile& file, int index,
                     absl::Span<const int> needs) const override {
    const trainers::SftConfig& config = file.experiment().stage(index).sft();
    if (config.has_preset()) {
      const absl::Status preset = trainers::CheckPreset(config.preset());
      if (!preset.ok()) return file.ErrorInStage(index, {{"preset"}}, preset.message());
    }
    const int models = config.has_preset() ? 0 : 1;
    ALIDADE_RETURN_IF_ERROR(
        CheckNeeds(file, index, needs, {{Role::kDataset, 1, 1}, {Role::kModel, models, models}}));
    return LocateFieldError(file, index, trainers::ValidateSftConfig(config));
  }

  absl::StatusOr<std::string> CodeVersion(const ExperimentFile&, int) const override {
    return code_;
  }

  absl::Status Run(const StageContext& context) const override {
    trainers::SftInputs inputs;
    inputs.dataset = DatasetFolderOf(InputsOf(context, Role::kDataset)[0]);
    for (const StageInput& model : InputsOf(context, Role::kModel))
      inputs.model = ModelFolder(model);
    trainers::RunOptions options;
    options.label = context.label;
    return trainers::RunSft(context.stage->sft(), inputs, context.folder, context.seed, options)
        .status();
  }

  std::vector<std::string> Results(const StageContext&) const override { return TrainedResults(); }

 private:
  std::string code_;
};

}  // namespace

std::unique_ptr<StageKind> MakeSftStage(std::string code) {
  return std::make_unique<SftStage>(std::move(code));
}

}  // namespace alidade::experiments
