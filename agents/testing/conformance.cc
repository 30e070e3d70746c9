#include "agents/testing/conformance.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace alidade::agents {
namespace {

absl::Status Broken(absl::string_view who, absl::string_view rule) {
  return absl::FailedPreconditionError(absl::StrCat(who, ": ", rule));
}

}  // namespace

absl::Status CheckAgent(Agent& agent, Environment& environment, const EpisodeOptions& options) {
  if (agent.name().empty()) return Broken("agent", "expected a name, got an empty one");
  std::set<std::string> names;
  for (Tool* tool : agent.tools()) {
    if (tool->name().empty() || tool->description().empty()) {
      return Broken(agent.name(), "expected a name and a description of every tool");
    }
    if (!names.insert(tool->name()).second)
      return Broken(agent.name(), absl::StrCat("two tools named ", tool->name()));
  }
  ALIDADE_ASSIGN_OR_RETURN(const Transcript first, RunEpisode(agent, environment, options));
  if (!first.done) {
    return Broken(agent.name(),
                  absl::StrCat("expected to finish within ", options.max_actions, " actions"));
  }
  ALIDADE_ASSIGN_OR_RETURN(const Transcript again, RunEpisode(agent, environment, options));
  if (!(first == again))
    return Broken(agent.name(), "expected the same transcript from the same seed");
  ALIDADE_ASSIGN_OR_RETURN(const Transcript read,
                           ParseTranscript(FormatTranscript(first), "transcript"));
  if (!(first == read))
    return Broken(agent.name(), "expected the transcript to survive being written and read");

  ALIDADE_RETURN_IF_ERROR(agent.Begin(options.seed));
  Observation nonsense;
  nonsense.data = {{"nonsense", {1, nullptr, "x"}}};
  agent.Act(nonsense).IgnoreError();  // to return at all is the rule
  ALIDADE_ASSIGN_OR_RETURN(const Transcript after, RunEpisode(agent, environment, options));
  if (!(first == after)) return Broken(agent.name(), "expected Begin to forget what was before");
  return absl::OkStatus();
}

absl::Status CheckEnvironment(Environment& environment, const Action& wrong, uint64_t seed) {
  if (environment.name().empty()) return Broken("environment", "expected a name, got an empty one");
  if (environment.Step(wrong).ok())
    return Broken(environment.name(), "expected an error from Step before Reset");
  ALIDADE_ASSIGN_OR_RETURN(const Observation first, environment.Reset(seed));
  if (environment.Step(wrong).ok())
    return Broken(environment.name(), "expected an error from an action it does not understand");
  ALIDADE_ASSIGN_OR_RETURN(const Observation again, environment.Reset(seed));
  if (first.text != again.text || first.image != again.image || first.data != again.data) {
    return Broken(environment.name(), "expected the same first observation from the same seed");
  }
  return absl::OkStatus();
}

absl::Status CheckTool(Tool& tool, const nlohmann::json& right, const nlohmann::json& wrong) {
  if (tool.name().empty() || tool.description().empty())
    return Broken("tool", "expected a name and a description");
  if (tool.Call(wrong).ok()) return Broken(tool.name(), "expected an error from wrong arguments");
  ALIDADE_ASSIGN_OR_RETURN(const nlohmann::json first, tool.Call(right));
  ALIDADE_ASSIGN_OR_RETURN(const nlohmann::json again, tool.Call(right));
  if (first != again)
    return Broken(tool.name(), "expected the same result from the same arguments");
  return absl::OkStatus();
}

}  // namespace alidade::agents
