#ifndef ALIDADE_AGENTS_TESTING_CONFORMANCE_H_
#define ALIDADE_AGENTS_TESTING_CONFORMANCE_H_

// What every agent, environment and tool must do. A test calls these and expects OK; the message
// says which rule is broken.

#include "absl/status/status.h"
#include "agents/core/agent.h"
#include "agents/core/episode.h"

namespace alidade::agents {

// The agent has a name; its tools have distinct names and descriptions; it finishes the
// environment's episode within max_actions; the same seed gives the same transcript again, from the
// same object; the transcript survives being written and read; an observation that means nothing to
// it is an error or an action, never a crash.
absl::Status CheckAgent(Agent& agent, Environment& environment, const EpisodeOptions& options = {});

// The environment has a name; Step before Reset is an error; the same seed gives the same first
// observation; `wrong`, an action that it does not understand, is an error, after which it goes on.
absl::Status CheckEnvironment(Environment& environment, const Action& wrong, uint64_t seed = 0);

// The tool has a name and a description; `wrong` arguments are an error; the same arguments give
// the same result.
absl::Status CheckTool(Tool& tool, const nlohmann::json& right, const nlohmann::json& wrong);

}  // namespace alidade::agents

#endif  // ALIDADE_AGENTS_TESTING_CONFORMANCE_H_
