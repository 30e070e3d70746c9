#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "datasets/schema/factors.h"
#include "datasets/schema/records.h"
#include "eval/core/ask.h"
#include "eval/core/task.h"
#include "eval/core/task_definition.h"
#include "eval/tasks/pope/pope.h"

namespace alidade::eval {
namespace {

constexpr char kDefinition[] =
#include "eval/tasks/pope/task.json.inc"
    ;

class PopeTask : public Task {
 public:
  explicit PopeTask(TaskDefinition definition) : definition_(std::move(definition)) {}
  const TaskDefinition& definition() const override { return definition_; }

  absl::StatusOr<TaskOutput> Run(datasets::Responder& model,
                                 const TaskOptions& options) const override {
    ALIDADE_ASSIGN_OR_RETURN(const std::vector<Answered> answered, Ask(model, options, "yes_no"));
    TaskOutput output;
    for (const Answered& one : answered) {
      if (one.answer != "yes" && one.answer != "no") {
        return absl::InvalidArgumentError(
            absl::StrCat("prompt '", one.prompt.id,
                         "': truth.answer: expected \"yes\" or \"no\", got \"", one.answer, "\""));
      }
      const bool label = one.answer == "yes";
      const bool said = PopeAnswerIsYes(one.response.text);
      SampleOutput sample = MakeSample(one);
      sample.group = one.prompt.group;
      sample.truth = one.answer;
      sample.counts = {{said ? (label ? "tp" : "fp") : (label ? "fn" : "tn"), 1}};
      if (said != label) sample.wrong = {one.response.text};
      output.samples.push_back(std::move(sample));
    }
    ALIDADE_RETURN_IF_ERROR(ScoreSamples(definition_, options, output));
    return output;
  }

 private:
  const TaskDefinition definition_;
};

const bool registered = RegisterTask(
    std::make_unique<PopeTask>(BuiltInTaskDefinition(kDefinition, "eval/tasks/pope/task.json")));

}  // namespace
}  // namespace alidade::eval
