// Registers the critic as an annotator: one episode of the judgement environment per batch of
// prompts.

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agents/claim_critic/config.h"
#include "agents/claim_critic/policy.h"
#include "agents/core/episode.h"
#include "agents/environments/judgement.h"
#include "agents/tools/ask_model.h"
#include "common/status/status.h"
#include "datasets/annotators/annotators.h"
#include "datasets/schema/factors.h"

namespace alidade::agents {
namespace {

class ClaimCriticAnnotator : public datasets::Annotator {
 public:
  ClaimCriticAnnotator(const ClaimCriticConfig& config, datasets::Responder* model, uint64_t seed)
      : seed_(seed), ask_model_(model, seed), critic_(config, &ask_model_) {}

  std::string name() const override { return critic_.name(); }

  absl::StatusOr<std::vector<std::vector<double>>> Score(
      const datasets::ImageProvider& images, absl::Span<const datasets::Prompt> prompts,
      absl::Span<const std::vector<datasets::Response>> responses) override {
    if (prompts.size() != responses.size()) {
      return absl::InvalidArgumentError(absl::StrCat("claim_critic: expected responses to ",
                                                     prompts.size(), " prompts, got ",
                                                     responses.size()));
    }
    ask_model_.SetImages(&images);
    JudgementEnvironment judgement(prompts, responses);
    ALIDADE_ASSIGN_OR_RETURN(const Transcript transcript,
                             RunEpisode(critic_, judgement, {.seed = seed_}));
    if (!transcript.done)
      return absl::InternalError("claim_critic: the episode ended without a verdict");
    return judgement.scores();
  }

 private:
  const uint64_t seed_;
  AskModelTool ask_model_;
  ClaimCritic critic_;
};

const bool registered = datasets::RegisterAnnotator(
    "claim_critic",
    [](const datasets::AnnotatorRequest& request)
        -> absl::StatusOr<std::unique_ptr<datasets::Annotator>> {
      if (request.model == nullptr)
        return absl::InvalidArgumentError("expected a model to ask, got none");
      ALIDADE_ASSIGN_OR_RETURN(const ClaimCriticConfig config,
                               ParseClaimCriticConfig(request.config));
      return std::make_unique<ClaimCriticAnnotator>(config, request.model, request.seed);
    });

}  // namespace
}  // namespace alidade::agents
