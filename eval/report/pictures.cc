#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/provenance/random_stream.h"
#include "common/status/status.h"
#include "datasets/schema/factors.h"
#include "eval/report/report.h"

namespace alidade::eval {
namespace {

struct SamplePair {
  const SampleOutput* baseline;
  const SampleOutput* method;
};

// The samples of one task and group that both evaluations hold and answer differently, in the
// baseline's order.
std::vector<SamplePair> DifferentAnswers(const Evaluation& baseline, const Evaluation& method,
                                         absl::string_view task, absl::string_view group) {
  std::map<std::string, const SampleOutput*> by_id;
  for (const TaskOutput& output : method.tasks) {
    if (output.task != task) continue;
    for (const SampleOutput& sample : output.samples) by_id[sample.id] = &sample;
  }
  std::vector<SamplePair> pairs;
  for (const TaskOutput& output : baseline.tasks) {
    if (output.task != task) continue;
    for (const SampleOutput& sample : output.samples) {
      const auto other = by_id.find(sample.id);
      if (sample.group != group || other == by_id.end() || other->second->answer == sample.answer)
        continue;
      pairs.push_back({&sample, other->second});
    }
  }
  return pairs;
}

// Draws up to `count` pairs of different images that `used` does not hold yet.
std::vector<SamplePair> Draw(std::vector<SamplePair> pairs, int64_t count, RandomStream& stream,
                             std::vector<std::string>& used) {
  stream.Shuffle(pairs);
  std::vector<SamplePair> drawn;
  for (const SamplePair& pair : pairs) {
    if (static_cast<int64_t>(drawn.size()) == count) break;
    if (std::find(used.begin(), used.end(), pair.baseline->unit) != used.end()) continue;
    used.push_back(pair.baseline->unit);
    drawn.push_back(pair);
  }
  return drawn;
}

}  // namespace

absl::StatusOr<std::vector<Picture>> DrawPictures(const Evaluation& baseline,
                                                  const Evaluation& method,
                                                  const datasets::ImageProvider& images,
                                                  absl::FunctionRef<Image(const Image&)> for_people,
                                                  int64_t count) {
  RandomStream stream(baseline.seed, "report/pictures");
  std::vector<std::string> used;
  std::vector<SamplePair> pairs =
      Draw(DifferentAnswers(baseline, method, "pope", "adversarial"), count / 2, stream, used);
  const int64_t captions = count - static_cast<int64_t>(pairs.size());
  for (const SamplePair& pair :
       Draw(DifferentAnswers(baseline, method, "chair", ""), captions, stream, used)) {
    pairs.push_back(pair);
  }
  std::vector<Picture> pictures;
  for (const SamplePair& pair : pairs) {
    ALIDADE_ASSIGN_OR_RETURN(const Image image, images.LoadImage(pair.baseline->unit),
                             "while drawing pictures");
    pictures.push_back({for_people(image), pair.baseline->prompt, pair.baseline->truth,
                        pair.baseline->answer, pair.method->answer, pair.baseline->wrong,
                        pair.method->wrong});
  }
  return pictures;
}

}  // namespace alidade::eval
