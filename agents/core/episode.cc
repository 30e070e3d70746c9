#include "agents/core/episode.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/json/json_fields.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"

namespace alidade::agents {
namespace {

nlohmann::json ToJson(const Observation& observation) {
  return {{"text", observation.text}, {"image", observation.image}, {"data", observation.data}};
}

absl::StatusOr<Tool*> FindTool(Agent& agent, const std::string& name) {
  std::vector<std::string> names;
  for (Tool* tool : agent.tools()) {
    if (tool->name() == name) return tool;
    names.push_back(tool->name());
  }
  return UnknownNameError("tool", name, names);
}

// What the agent sees after its action, and the event that tells of it.
absl::StatusOr<StepResult> Perform(const Action& action, Agent& agent, Environment& environment,
                                   Transcript& transcript) {
  StepResult result;
  if (!action.tool.empty()) {
    ALIDADE_ASSIGN_OR_RETURN(Tool * tool, FindTool(agent, action.tool));
    ALIDADE_ASSIGN_OR_RETURN(result.observation.data, tool->Call(action.arguments), "tool ",
                             action.tool);
    transcript.events.push_back({"tool",
                                 {{"tool", action.tool},
                                  {"arguments", action.arguments},
                                  {"result", result.observation.data}}});
    return result;
  }
  ALIDADE_ASSIGN_OR_RETURN(result, environment.Step(action), "environment ", environment.name());
  transcript.events.push_back({"step",
                               {{"arguments", action.arguments},
                                {"observation", ToJson(result.observation)},
                                {"reward", result.reward},
                                {"done", result.done}}});
  return result;
}

absl::StatusOr<Event> ParseEvent(absl::string_view line, absl::string_view where) {
  JsonDocument document{
      std::string(where), nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false), {}};
  if (!document.root.is_object())
    return absl::DataLossError(absl::StrCat(where, ": expected an event {kind, content}"));
  Event event;
  JsonFields fields(document);
  fields.Required("kind", &event.kind);
  fields.OneOf("kind", &event.kind, {"reset", "tool", "step"});
  const nlohmann::json* content = fields.RequiredObject("content");
  const absl::Status status = fields.Finish();
  if (!status.ok()) return absl::DataLossError(status.message());
  event.content = *content;
  return event;
}

}  // namespace

bool operator==(const Event& a, const Event& b) {
  return a.kind == b.kind && a.content == b.content;
}

bool operator==(const Transcript& a, const Transcript& b) {
  return a.agent == b.agent && a.environment == b.environment && a.seed == b.seed &&
         a.events == b.events && a.total_reward == b.total_reward && a.done == b.done;
}

absl::StatusOr<Transcript> RunEpisode(Agent& agent, Environment& environment,
                                      const EpisodeOptions& options) {
  if (options.max_actions < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_actions: expected >= 1, got ", options.max_actions));
  }
  Transcript transcript;
  transcript.agent = agent.name();
  transcript.environment = environment.name();
  transcript.seed = options.seed;
  ALIDADE_RETURN_IF_ERROR(agent.Begin(options.seed), "agent ", agent.name());
  ALIDADE_ASSIGN_OR_RETURN(Observation observation, environment.Reset(options.seed), "environment ",
                           environment.name());
  transcript.events.push_back({"reset", {{"observation", ToJson(observation)}}});
  for (int64_t number = 1; number <= options.max_actions && !transcript.done; ++number) {
    ALIDADE_ASSIGN_OR_RETURN(const Action action, agent.Act(observation), "agent ", agent.name(),
                             ", action ", number);
    ALIDADE_ASSIGN_OR_RETURN(StepResult result, Perform(action, agent, environment, transcript),
                             "action ", number);
    transcript.total_reward += result.reward;
    transcript.done = result.done;
    observation = std::move(result.observation);
  }
  return transcript;
}

std::string FormatTranscript(const Transcript& transcript) {
  const nlohmann::ordered_json head = {{"agent", transcript.agent},
                                       {"environment", transcript.environment},
                                       {"seed", transcript.seed},
                                       {"events", transcript.events.size()},
                                       {"total_reward", transcript.total_reward},
                                       {"done", transcript.done}};
  constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
  std::string text = absl::StrCat(head.dump(-1, ' ', false, kReplace), "\n");
  for (const Event& event : transcript.events) {
    const nlohmann::ordered_json line = {{"kind", event.kind}, {"content", event.content}};
    absl::StrAppend(&text, line.dump(-1, ' ', false, kReplace), "\n");
  }
  return text;
}

absl::StatusOr<Transcript> ParseTranscript(absl::string_view text, absl::string_view where) {
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  if (lines.empty())
    return absl::DataLossError(absl::StrCat(where, ": expected a transcript, got nothing"));
  JsonDocument document{absl::StrCat(where, ":1"),
                        nlohmann::json::parse(lines[0], nullptr, /*allow_exceptions=*/false),
                        {}};
  if (!document.root.is_object())
    return absl::DataLossError(absl::StrCat(where, ":1: expected the transcript's facts"));
  Transcript transcript;
  int64_t seed = 0;
  int64_t num_events = 0;
  JsonFields fields(document);
  fields.Required("agent", &transcript.agent);
  fields.Required("environment", &transcript.environment);
  fields.Required("seed", &seed);
  fields.Required("events", &num_events);
  fields.Required("total_reward", &transcript.total_reward);
  fields.Required("done", &transcript.done);
  const absl::Status status = fields.Finish();
  if (!status.ok()) return absl::DataLossError(status.message());
  transcript.seed = static_cast<uint64_t>(seed);
  if (num_events != static_cast<int64_t>(lines.size()) - 1) {
    return absl::DataLossError(absl::StrCat(where, ": truncated: expected ", num_events,
                                            " events, got ", lines.size() - 1));
  }
  for (size_t i = 1; i < lines.size(); ++i) {
    ALIDADE_ASSIGN_OR_RETURN(Event event, ParseEvent(lines[i], absl::StrCat(where, ":", i + 1)));
    transcript.events.push_back(std::move(event));
  }
  return transcript;
}

}  // namespace alidade::agents
