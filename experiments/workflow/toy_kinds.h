// Kinds of stages that cost nothing, for the runner's own tests. Each writes one file that depends
// on its config, its seed and its inputs, in two steps, of which the first survives an
// interruption.
#ifndef ALIDADE_EXPERIMENTS_WORKFLOW_TOY_KINDS_H_
#define ALIDADE_EXPERIMENTS_WORKFLOW_TOY_KINDS_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/status/status.h"
#include "experiments/workflow/stage_kind.h"

namespace alidade::experiments {

// What happened, by the id of the stage.
struct ToyLog {
  std::map<std::string, int> runs;         // calls of Run
  std::map<std::string, int> first_steps;  // times that the first step's work was done
  std::string fail_after_first_step;  // id of a stage that ends with an error there, as if it had
                                      // been killed
  std::string code = "1";
};

class ToyKind : public StageKind {
 public:
  ToyKind(std::string name, ToyLog* log) : name_(std::move(name)), log_(log) {}

  std::string name() const override { return name_; }
  bool over_seeds() const override { return name_ == "report"; }
  absl::Status Resolve(ExperimentFile&, int) const override { return absl::OkStatus(); }
  absl::Status Check(const ExperimentFile& file, int index, absl::Span<const int>) const override {
    const Stage& stage = file.experiment().stage(index);
    if (name_ == "build_dataset" && stage.build_dataset().builder() != "toy") {
      return file.ErrorInStage(
          index, {{"builder"}},
          absl::StrCat("unknown builder '", stage.build_dataset().builder(), "'"));
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> CodeVersion(const ExperimentFile&, int) const override {
    return log_->code;
  }
  absl::Status Run(const StageContext& context) const override {
    const std::string id = context.stage->id();
    ++log_->runs[id];
    const std::string first = JoinPath(context.folder, "first");
    if (!PathExists(first)) {
      ++log_->first_steps[id];
      ALIDADE_RETURN_IF_ERROR(WriteFile(first, "half\n"));
    }
    if (id == log_->fail_after_first_step) return absl::AbortedError("interrupted");
    std::string text = absl::StrCat(id, " seed ", context.seed, "\n");
    for (const StageInput& input : context.inputs) {
      ALIDADE_ASSIGN_OR_RETURN(const std::string bytes,
                               ReadFile(JoinPath(input.folder, "result.txt")));
      absl::StrAppend(&text, "  ", input.id, " s", input.seed, ": ", bytes.size(), "\n");
    }
    return WriteFile(JoinPath(context.folder, "result.txt"), text);
  }
  std::vector<std::string> Results(const StageContext&) const override { return {"result.txt"}; }
  std::vector<std::string> Published() const override {
    return name_ == "report" ? std::vector<std::string>{"result.txt"} : std::vector<std::string>{};
  }

 private:
  std::string name_;
  ToyLog* log_;
};

inline StageKinds ToyKinds(ToyLog* log) {
  StageKinds kinds;
  for (const std::string& name : StageKindNames())
    kinds.push_back(std::make_unique<ToyKind>(name, log));
  return kinds;
}

}  // namespace alidade::experiments

#endif  // ALIDADE_EXPERIMENTS_WORKFLOW_TOY_KINDS_H_
