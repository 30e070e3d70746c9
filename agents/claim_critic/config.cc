#include "agents/claim_critic/config.h"

#include "common/json/json_fields.h"
#include "common/status/status.h"

namespace alidade::agents {

absl::StatusOr<ClaimCriticConfig> ParseClaimCriticConfig(const nlohmann::json& config) {
  ClaimCriticConfig result;
  const JsonDocument document{"claim_critic", config, {}};
  JsonFields fields(document);
  fields.Optional("votes", &result.votes);
  fields.Optional("refuting_share", &result.refuting_share);
  fields.Optional("captions", &result.captions);
  fields.Optional("temperature", &result.temperature);
  fields.Expect(result.votes >= 1 && result.votes <= 64, "votes", "1..64");
  fields.Expect(result.refuting_share > 0 && result.refuting_share <= 1, "refuting_share",
                "more than 0 and at most 1");
  fields.Expect(result.captions >= 1 && result.captions <= 64, "captions", "1..64");
  fields.Expect(result.temperature > 0 && result.temperature <= 100, "temperature",
                "more than 0 and at most 100");
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  return result;
}

}  // namespace alidade::agents
