#include "eval/tasks/chair/chair.h"

#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status.h"
#include "datasets/worlds/language.h"
#include "datasets/worlds/world.h"
#include "eval/core/ask.h"
#include "eval/core/task.h"
#include "eval/core/task_definition.h"

namespace alidade::eval {
namespace {

constexpr char kDefinition[] =
#include "eval/tasks/chair/task.json.inc"
    ;

class ChairTask : public Task {
 public:
  explicit ChairTask(TaskDefinition definition) : definition_(std::move(definition)) {}
  const TaskDefinition& definition() const override { return definition_; }

  absl::StatusOr<TaskOutput> Run(datasets::Responder& model,
                                 const TaskOptions& options) const override {
    ALIDADE_ASSIGN_OR_RETURN(const std::vector<Answered> answered, Ask(model, options, "caption"));
    TaskOutput output;
    for (const Answered& one : answered) {
      ALIDADE_ASSIGN_OR_RETURN(const datasets::Scene scene,
                               datasets::SceneFromTruth(one.prompt.truth), "prompt '",
                               one.prompt.id, "': truth");
      std::vector<std::string> present, described;
      for (const datasets::WorldObject& object : scene.objects) {
        present.push_back(datasets::Noun(object.category));
        described.push_back(absl::StrCat(datasets::PositionName(object.cell), " ",
                                         datasets::ColourName(object.colour), " ", present.back()));
      }
      ALIDADE_ASSIGN_OR_RETURN(const CaptionCounts counts, CountCaption(one.response.text, present),
                               "prompt '", one.prompt.id, "'");
      SampleOutput sample = MakeSample(one);
      sample.truth = absl::StrJoin(described, " , ");
      sample.wrong = counts.hallucinated;
      sample.counts = {{"captions", 1},
                       {"hallucinating", counts.hallucinated.empty() ? 0 : 1},
                       {"mentioned", counts.mentioned.size()},
                       {"hallucinated", counts.hallucinated.size()},
                       {"present", counts.num_present},
                       {"covered", counts.num_covered},
                       {"words", counts.num_words},
                       {"ended", one.response.ended ? 1 : 0}};
      output.samples.push_back(std::move(sample));
    }
    ALIDADE_RETURN_IF_ERROR(ScoreSamples(definition_, options, output));
    return output;
  }

 private:
  const TaskDefinition definition_;
};

const bool registered = RegisterTask(
    std::make_unique<ChairTask>(BuiltInTaskDefinition(kDefinition, "eval/tasks/chair/task.json")));

}  // namespace

absl::StatusOr<CaptionCounts> CountCaption(absl::string_view caption,
                                           absl::Span<const std::string> present) {
  std::set<int> truth;
  for (const std::string& noun : present) {
    const int category = datasets::CategoryOf(noun);
    if (category < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected an object type of the world, got '", noun, "'"));
    }
    truth.insert(category);
  }
  const datasets::ParsedCaption parsed = datasets::ParseCaption(caption);
  CaptionCounts counts;
  counts.num_present = truth.size();
  counts.num_words = parsed.num_words;
  for (int category : parsed.mentioned) {
    counts.mentioned.push_back(datasets::Noun(category));
    if (truth.count(category) > 0) {
      ++counts.num_covered;
    } else {
      counts.hallucinated.push_back(datasets::Noun(category));
    }
  }
  return counts;
}

}  // namespace alidade::eval
