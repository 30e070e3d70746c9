#include "datasets/annotators/oracle.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/json/json_fields.h"
#include "common/status/status.h"
#include "datasets/annotators/annotators.h"
#include "datasets/worlds/language.h"
#include "datasets/worlds/world.h"

namespace alidade::datasets {
namespace {

double ScoreCaption(const Scene& scene, const std::string& text) {
  double score = 0;
  for (const int category : ParseCaption(text).mentioned)
    score += IsPresent(scene, category) ? 1 : -1;
  return score;
}

absl::StatusOr<std::vector<double>> ScorePrompt(const Prompt& prompt,
                                                const std::vector<Response>& responses) {
  std::vector<double> scores;
  if (prompt.kind == "caption") {
    ALIDADE_ASSIGN_OR_RETURN(const Scene scene, SceneFromTruth(prompt.truth));
    for (const Response& response : responses) scores.push_back(ScoreCaption(scene, response.text));
    return scores;
  }
  if (prompt.kind == "yes_no") {
    if (!prompt.truth.is_object() || !prompt.truth.contains("answer") ||
        !prompt.truth["answer"].is_string()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "expected the true answer as truth.answer, got ", JsonForMessage(prompt.truth)));
    }
    const std::string answer = prompt.truth["answer"].get<std::string>();
    for (const Response& response : responses) scores.push_back(response.text == answer ? 1 : 0);
    return scores;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("expected a caption or yes_no prompt, got '", prompt.kind, "'"));
}

class Oracle : public Annotator {
 public:
  std::string name() const override { return "oracle"; }

  absl::StatusOr<std::vector<std::vector<double>>> Score(
      const ImageProvider& images, absl::Span<const Prompt> prompts,
      absl::Span<const std::vector<Response>> responses) override {
    if (prompts.size() != responses.size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "oracle: expected responses to ", prompts.size(), " prompts, got ", responses.size()));
    }
    std::vector<std::vector<double>> scores(prompts.size());
    for (size_t i = 0; i < prompts.size(); ++i) {
      ALIDADE_ASSIGN_OR_RETURN(scores[i], ScorePrompt(prompts[i], responses[i]), "oracle: prompt ",
                               prompts[i].id);
    }
    return scores;
  }
};

const bool registered = RegisterAnnotator(
    "oracle", [](const AnnotatorRequest& request) -> absl::StatusOr<std::unique_ptr<Annotator>> {
      if (!request.config.empty()) {
        return absl::InvalidArgumentError(
            absl::StrCat("config: expected nothing, got ", JsonForMessage(request.config)));
      }
      return MakeOracle();
    });

}  // namespace

std::unique_ptr<Annotator> MakeOracle() { return std::make_unique<Oracle>(); }

}  // namespace alidade::datasets
