#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/progress/progress.h"
#include "common/status/status.h"
#include "datasets/responders/model_responder.h"
#include "datasets/worlds/test_split.h"
#include "eval/core/task.h"
#include "experiments/workflow/stages/kinds.h"
#include "experiments/workflow/stages/roles.h"

namespace alidade::experiments {
namespace {

class EvaluateStage : public StageKind {
 public:
  explicit EvaluateStage(std::string code) : code_(std::move(code)) {}

  std::string name() const override { return "evaluate"; }

  absl::Status Resolve(ExperimentFile&, int) const override { return absl::OkStatus(); }

  absl::Status Check(const ExperimentFile& file, int index,
                     absl::Span<const int> needs) const override {
    ALIDADE_RETURN_IF_ERROR(
        CheckNeeds(file, index, needs, {{Role::kModel, 1, file.experiment().stage_size()}}));
    const Evaluate& stage = file.experiment().stage(index).evaluate();
    if (stage.task().empty())
      return file.ErrorInStage(index, {}, "task: expected at least one task, got none");
    for (int i = 0; i < stage.task_size(); ++i) {
      const std::vector<PathStep> path = {{"task", i}};
      const absl::StatusOr<const eval::Task*> task = eval::FindTask(stage.task(i));
      if (!task.ok()) return file.ErrorInStage(index, path, task.status().message());
      for (int k = 0; k < i; ++k) {
        if (stage.task(k) == stage.task(i)) {
          return file.ErrorInStage(index, path,
                                   absl::StrCat("task: \"", stage.task(i), "\" stands twice"));
        }
      }
    }
    if (stage.num_images() < 1 || stage.num_images() > datasets::kTestImages) {
      return file.ErrorInStage(index, {{"num_images"}},
                               absl::StrCat("num_images: expected 1 to ", datasets::kTestImages,
                                            ", got ", stage.num_images()));
    }
    const absl::StatusOr<datasets::TestSplit> split =
        datasets::TestSplit::Create(stage.preset(), 1);
    if (!split.ok()) return file.ErrorInStage(index, {{"preset"}}, split.status().message());
    if (stage.resamples() < 1) {
      return file.ErrorInStage(index, {{"resamples"}},
                               absl::StrCat("resamples: expected >= 1, got ", stage.resamples()));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> CodeVersion(const ExperimentFile& file, int index) const override {
    std::string version = absl::StrCat(code_, " test split ", datasets::TestSplit::version());
    for (const std::string& name : file.experiment().stage(index).evaluate().task()) {
      ALIDADE_ASSIGN_OR_RETURN(const eval::Task* task, eval::FindTask(name));
      absl::StrAppend(&version, " ", name, " ", task->version(), " ", task->definition().sha256);
    }
    return version;
  }

  // Models that an interrupted call had finished are not asked again.
  absl::Status Run(const StageContext& context) const override {
    const Evaluate& stage = context.stage->evaluate();
    ALIDADE_ASSIGN_OR_RETURN(
        const datasets::TestSplit split,
        datasets::TestSplit::Create(stage.preset(), static_cast<int>(stage.num_images())));
    const std::vector<std::string> tasks(stage.task().begin(), stage.task().end());
    const std::vector<StageInput> models = InputsOf(context, Role::kModel);
    Progress progress(context.label, static_cast<int64_t>(models.size()), "models");
    for (size_t i = 0; i < models.size(); ++i) {
      progress.Update(static_cast<int64_t>(i));
      const std::string folder = EvaluationFolder(context.folder, models[i].id);
      if (PathExists(folder)) continue;
      ALIDADE_ASSIGN_OR_RETURN(const std::unique_ptr<datasets::Responder> responder,
                               datasets::LoadModelResponder(ModelFolder(models[i]), models[i].id));
      eval::TaskOptions options;
      options.stage = models[i].id;
      options.seed = context.seed;
      options.source = &split;
      options.bootstrap.resamples = stage.resamples();
      ALIDADE_ASSIGN_OR_RETURN(const eval::Evaluation evaluation,
                               eval::Evaluate(*responder, tasks, options), "model ", models[i].id);
      const std::string unfinished = absl::StrCat(folder, ".tmp");
      ALIDADE_RETURN_IF_ERROR(RemoveTree(unfinished));
      ALIDADE_RETURN_IF_ERROR(MakeFolder(unfinished));
      ALIDADE_RETURN_IF_ERROR(eval::WriteEvaluation(unfinished, evaluation));
      ALIDADE_RETURN_IF_ERROR(PublishFolder(unfinished, folder));
    }
    progress.Update(static_cast<int64_t>(models.size()));
    progress.Finish();
    return absl::OkStatus();
  }

  std::vector<std::string> Results(const StageContext& context) const override {
    std::vector<std::string> results;
    for (const StageInput& model : InputsOf(context, Role::kModel)) {
      results.push_back(absl::StrCat(model.id, "/results.json"));
      for (const std::string& task : context.stage->evaluate().task()) {
        results.push_back(absl::StrCat(model.id, "/samples_", task, ".jsonl"));
      }
    }
    return results;
  }

 private:
  std::string code_;
};

}  // namespace

std::unique_ptr<StageKind> MakeEvaluateStage(std::string code) {
  return std::make_unique<EvaluateStage>(std::move(code));
}

}  // namespace alidade::experiments
