#ifndef ALIDADE_AGENTS_CLAIM_CRITIC_CONFIG_H_
#define ALIDADE_AGENTS_CLAIM_CRITIC_CONFIG_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace alidade::agents {

struct ClaimCriticConfig {
  int64_t votes = 8;  // samples per claim, 1..64
  double refuting_share =
      0.25;  // of the votes, (0, 1]: a claim is refuted when at least this share says no
  int64_t captions = 5;    // descriptions against which a yes/no answer is checked, 1..64
  double temperature = 1;  // of all samples, > 0
};

// {"votes": 8, ...}; missing fields take the defaults. Errors: an unknown field (with the nearest
// name), another type, a value out of range.
absl::StatusOr<ClaimCriticConfig> ParseClaimCriticConfig(const nlohmann::json& config);

}  // namespace alidade::agents

#endif  // ALIDADE_AGENTS_CLAIM_CRITIC_CONFIG_H_
