#ifndef ALIDADE_AGENTS_CORE_EPISODE_H_
#define ALIDADE_AGENTS_CORE_EPISODE_H_

// Runs an agent in an environment and writes down what happens.
//
//   ALIDADE_ASSIGN_OR_RETURN(Transcript transcript, RunEpisode(agent, environment, {.seed = 1}));
//   ALIDADE_RETURN_IF_ERROR(WriteFile("episode.jsonl", FormatTranscript(transcript)));

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agents/core/agent.h"
#include "nlohmann/json.hpp"

namespace alidade::agents {

struct EpisodeOptions {
  uint64_t seed = 0;
  int64_t max_actions = 1000;  // tool calls count
};

struct Event {
  // reset: {observation}; tool: {tool, arguments, result}; step: {arguments, observation, reward,
  // done}.
  std::string kind;
  nlohmann::json content;
};
bool operator==(const Event& a, const Event& b);

struct Transcript {
  std::string agent;
  std::string environment;
  uint64_t seed = 0;
  std::vector<Event> events;
  double total_reward = 0;
  bool done = false;  // false: stopped at max_actions
};
bool operator==(const Transcript& a, const Transcript& b);

// Errors: those of agent, environment and tools, with the number of the action; a tool that the
// agent does not have (with the nearest name); max_actions < 1.
absl::StatusOr<Transcript> RunEpisode(Agent& agent, Environment& environment,
                                      const EpisodeOptions& options = {});

// One line of facts, then one line per event. Reading gives the same transcript.
std::string FormatTranscript(const Transcript& transcript);
// `where` is the file's name in messages. Errors (data loss) name file, line and field.
absl::StatusOr<Transcript> ParseTranscript(absl::string_view text, absl::string_view where);

}  // namespace alidade::agents

#endif  // ALIDADE_AGENTS_CORE_EPISODE_H_
