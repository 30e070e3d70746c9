#ifndef ALIDADE_AGENTS_ENVIRONMENTS_JUDGEMENT_H_
#define ALIDADE_AGENTS_ENVIRONMENTS_JUDGEMENT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "agents/core/agent.h"
#include "datasets/schema/records.h"

namespace alidade::agents {

// Shows responses to prompts and wants a score for each; higher is better.
//
//   observation.data  {"items": [{"id", "image", "kind", "text", "responses": ["...", ...]}, ...]}
//   action.arguments  {"scores": [[0, -1, ...], ...]}   one number per response, in the same order;
//   ends the episode
//
// What is judged outlives the environment. The ground truth of the prompts is not shown. The reward
// is 0.
class JudgementEnvironment : public Environment {
 public:
  // responses.size() == prompts.size().
  JudgementEnvironment(absl::Span<const datasets::Prompt> prompts,
                       absl::Span<const std::vector<datasets::Response>> responses)
      : prompts_(prompts), responses_(responses) {}

  std::string name() const override { return "judgement"; }
  absl::StatusOr<Observation> Reset(uint64_t seed) override;
  // Errors: no scores, or other numbers of them than responses.
  absl::StatusOr<StepResult> Step(const Action& action) override;

  // After the episode: scores()[i][s] is that of responses[i][s].
  const std::vector<std::vector<double>>& scores() const { return scores_; }

 private:
  absl::Span<const datasets::Prompt> prompts_;
  absl::Span<const std::vector<datasets::Response>> responses_;
  std::vector<std::vector<double>> scores_;
  bool open_ = false;
};

}  // namespace alidade::agents

#endif  // ALIDADE_AGENTS_ENVIRONMENTS_JUDGEMENT_H_
