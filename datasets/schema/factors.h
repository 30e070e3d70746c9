#ifndef ALIDADE_DATASETS_SCHEMA_FACTORS_H_
#define ALIDADE_DATASETS_SCHEMA_FACTORS_H_

// The three factors of a preference set: where prompts and images come from, who responds, who
// prefers. A builder composes them; an agent may be any of them.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/media/image.h"
#include "datasets/schema/records.h"

namespace alidade::datasets {

// Images by name.
class ImageProvider {
 public:
  virtual ~ImageProvider() = default;
  virtual absl::StatusOr<Image> LoadImage(const std::string& name) const = 0;
};

// Prompts and their images.
class Source : public ImageProvider {
 public:
  virtual std::string name() const = 0;
  // In a fixed order; prompts about one image are neighbours.
  virtual absl::StatusOr<std::vector<Prompt>> Prompts() const = 0;
};

struct ResponseOptions {
  int64_t samples = 1;
  double temperature = 0;  // 0: greedy, then samples must be 1
  double top_p = 1;
  uint64_t seed = 0;
  // Name of the random stream; two calls with the same seed, name and prompts give the same
  // responses.
  std::string stream = "respond";
};

// Answers prompts: a model, a file of recorded answers, an agent.
class Responder {
 public:
  virtual ~Responder() = default;
  virtual std::string name() const = 0;
  // result[i][s] is sample s for prompts[i]; result[i].size() == options.samples.
  // Errors: an image that cannot be loaded, a prompt with a word unknown to the model, greedy with
  // several samples.
  virtual absl::StatusOr<std::vector<std::vector<Response>>> Respond(
      const ImageProvider& images, absl::Span<const Prompt> prompts,
      const ResponseOptions& options) = 0;
};

// Scores responses; a higher score is preferred, equal scores are a tie.
class Annotator {
 public:
  virtual ~Annotator() = default;
  virtual std::string name() const = 0;
  // result[i][s] scores responses[i][s] of prompts[i].
  // Errors: responses.size() != prompts.size(), a prompt that this annotator cannot judge (no
  // ground truth, another kind).
  virtual absl::StatusOr<std::vector<std::vector<double>>> Score(
      const ImageProvider& images, absl::Span<const Prompt> prompts,
      absl::Span<const std::vector<Response>> responses) = 0;
};

}  // namespace alidade::datasets

#endif  // ALIDADE_DATASETS_SCHEMA_FACTORS_H_
