#ifndef ALIDADE_AGENTS_CORE_AGENT_H_
#define ALIDADE_AGENTS_CORE_AGENT_H_

// An agent acts in an environment, step by step, with tools:
//
//   observation = environment.Reset(seed)
//   until done: action = agent.Act(observation); observation = environment.Step(action)  (or a
//   tool's answer)
//
// Everything that passes is in the transcript, from which the episode can be told again.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "nlohmann/json.hpp"

namespace alidade::agents {

// What the agent sees.
struct Observation {
  std::string text;
  std::string image;    // name of an image of the environment, or empty
  nlohmann::json data;  // anything structured; null if none
};

// What the agent does: calls one of its tools (`tool` names it), or acts on the environment (`tool`
// is empty).
struct Action {
  std::string tool;
  nlohmann::json arguments;
};

struct StepResult {
  Observation observation;
  double reward = 0;
  bool done = false;
};

class Environment {
 public:
  virtual ~Environment() = default;
  virtual std::string name() const = 0;
  virtual absl::StatusOr<Observation> Reset(uint64_t seed) = 0;
  // Errors: an action it does not understand (expected and got), a step after done, a step before
  // Reset.
  virtual absl::StatusOr<StepResult> Step(const Action& action) = 0;
};

class Tool {
 public:
  virtual ~Tool() = default;
  virtual std::string name() const = 0;
  virtual std::string description() const = 0;
  // Errors: arguments of another shape than described.
  virtual absl::StatusOr<nlohmann::json> Call(const nlohmann::json& arguments) = 0;
};

class Agent {
 public:
  virtual ~Agent() = default;
  virtual std::string name() const = 0;
  // Tools that it may call; they outlive the episode.
  virtual std::vector<Tool*> tools() = 0;
  // Forgets the last episode.
  virtual absl::Status Begin(uint64_t seed) = 0;
  // `observation` is the environment's, or {data: the tool's answer} after a tool call.
  virtual absl::StatusOr<Action> Act(const Observation& observation) = 0;
};

}  // namespace alidade::agents

#endif  // ALIDADE_AGENTS_CORE_AGENT_H_
