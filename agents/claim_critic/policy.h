#ifndef ALIDADE_AGENTS_CLAIM_CRITIC_POLICY_H_
#define ALIDADE_AGENTS_CLAIM_CRITIC_POLICY_H_

// The critic as an agent of the judgement environment: it lists the claims of all responses, asks
// its model about them (one tool call), asks for descriptions where yes/no answers are to be judged
// (another), and gives its scores.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agents/claim_critic/config.h"
#include "agents/core/agent.h"

namespace alidade::agents {

class ClaimCritic : public Agent {
 public:
  // `ask_model` is an AskModelTool or behaves like one; it outlives the agent.
  ClaimCritic(const ClaimCriticConfig& config, Tool* ask_model)
      : config_(config), ask_model_(ask_model) {}

  std::string name() const override { return "claim_critic"; }
  std::vector<Tool*> tools() override { return {ask_model_}; }
  absl::Status Begin(uint64_t seed) override;
  // Errors: an observation that is neither the environment's items nor the answers to its
  // questions; an item that is neither a caption nor a yes/no question; a yes/no question about no
  // noun of the world.
  absl::StatusOr<Action> Act(const Observation& observation) override;

 private:
  enum class Phase { kItems, kVotes, kCaptions, kDone };
  struct Item {
    std::string image;
    bool caption = false;
    int category = -1;  // of a yes/no question
    std::vector<std::string> responses;
  };
  using Claim = std::pair<std::string, int>;  // image, category

  absl::Status ReadItems(const Observation& observation);
  absl::Status ReadVotes(const Observation& observation);
  absl::Status ReadCaptions(const Observation& observation);
  absl::StatusOr<Action> Ask(Phase phase);
  Action Verdict();
  double Score(const Item& item, const std::string& response) const;

  const ClaimCriticConfig config_;
  Tool* const ask_model_;
  Phase phase_ = Phase::kItems;
  std::vector<Item> items_;
  std::vector<Claim> claims_;        // of captions, each once, in order of first mention
  std::vector<std::string> images_;  // of yes/no questions, each once
  std::map<Claim, bool> refuted_;
  std::map<Claim, double> mentioned_;  // share of the model's own descriptions
};

}  // namespace alidade::agents

#endif  // ALIDADE_AGENTS_CLAIM_CRITIC_POLICY_H_
