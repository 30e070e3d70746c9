#include "agents/environments/judgement.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/json/json_fields.h"

namespace alidade::agents {

absl::StatusOr<Observation> JudgementEnvironment::Reset(uint64_t seed) {
  nlohmann::json items = nlohmann::json::array();
  for (size_t i = 0; i < prompts_.size(); ++i) {
    const datasets::Prompt& prompt = prompts_[i];
    nlohmann::json responses = nlohmann::json::array();
    for (const datasets::Response& response : responses_[i]) responses.push_back(response.text);
    items.push_back({{"id", prompt.id},
                     {"image", prompt.image},
                     {"kind", prompt.kind},
                     {"text", prompt.text},
                     {"responses", std::move(responses)}});
  }
  scores_.clear();
  open_ = true;
  Observation observation;
  observation.text = "score every response";
  observation.data = {{"items", std::move(items)}};
  return observation;
}

absl::StatusOr<StepResult> JudgementEnvironment::Step(const Action& action) {
  if (!open_) return absl::FailedPreconditionError("a step before Reset or after the end");
  const nlohmann::json& arguments = action.arguments;
  if (!arguments.is_object() || arguments.size() != 1 || !arguments.contains("scores") ||
      !arguments["scores"].is_array() || arguments["scores"].size() != responses_.size()) {
    return absl::InvalidArgumentError(absl::StrCat("expected {scores: [...]} with scores of ",
                                                   responses_.size(), " prompts, got ",
                                                   JsonForMessage(arguments)));
  }
  std::vector<std::vector<double>> scores(responses_.size());
  for (size_t i = 0; i < responses_.size(); ++i) {
    const nlohmann::json& row = arguments["scores"][i];
    bool fits = row.is_array() && row.size() == responses_[i].size();
    for (size_t s = 0; fits && s < row.size(); ++s) {
      fits = row[s].is_number() && std::isfinite(row[s].get<double>());
      if (fits) scores[i].push_back(row[s].get<double>());
    }
    if (!fits) {
      return absl::InvalidArgumentError(absl::StrCat("scores[", i, "]: expected ",
                                                     responses_[i].size(), " finite numbers, got ",
                                                     JsonForMessage(row)));
    }
  }
  scores_ = std::move(scores);
  open_ = false;
  StepResult result;
  result.done = true;
  return result;
}

}  // namespace alidade::agents
