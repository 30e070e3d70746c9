#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agents/core/agent.h"
#include "agents/core/episode.h"
#include "agents/testing/conformance.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::agents {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Wants the square of a number that the seed chooses.
class SquareEnvironment : public Environment {
 public:
  std::string name() const override { return "square"; }
  absl::StatusOr<Observation> Reset(uint64_t seed) override {
    number_ = static_cast<int>(seed % 10);
    open_ = true;
    return Observation{absl::StrCat("square of ", number_), "", {{"number", number_}}};
  }
  absl::StatusOr<StepResult> Step(const Action& action) override {
    if (!open_) return absl::FailedPreconditionError("a step before Reset");
    if (!action.arguments.is_object() || !action.arguments.contains("answer")) {
      return absl::InvalidArgumentError("expected {answer}");
    }
    StepResult result;
    result.done = action.arguments["answer"] == number_ * number_;
    result.reward = result.done ? 1 : -1;
    result.observation.data = {{"number", number_}};
    open_ = !result.done;
    return result;
  }

 private:
  int number_ = 0;
  bool open_ = false;
};

class MultiplyTool : public Tool {
 public:
  std::string name() const override { return "multiply"; }
  std::string description() const override { return "{a, b} -> {product}"; }
  absl::StatusOr<nlohmann::json> Call(const nlohmann::json& arguments) override {
    if (!arguments.is_object() || !arguments.contains("a") || !arguments["a"].is_number_integer() ||
        !arguments.contains("b") || !arguments["b"].is_number_integer()) {
      return absl::InvalidArgumentError("expected {a, b}");
    }
    return nlohmann::json{{"product", arguments["a"].get<int>() * arguments["b"].get<int>()}};
  }
};

// Guesses zero, then asks its tool.
class Squarer : public Agent {
 public:
  std::string name() const override { return "squarer"; }
  std::vector<Tool*> tools() override { return {&multiply_}; }
  absl::Status Begin(uint64_t seed) override {
    guessed_ = false;
    return absl::OkStatus();
  }
  absl::StatusOr<Action> Act(const Observation& observation) override {
    if (observation.data.is_object() && observation.data.contains("product")) {
      return Action{"", {{"answer", observation.data["product"]}}};
    }
    if (!observation.data.is_object() || !observation.data.contains("number")) {
      return absl::InvalidArgumentError("expected a number");
    }
    if (!guessed_) {
      guessed_ = true;
      return Action{"", {{"answer", -1}}};
    }
    return Action{tool_name,
                  {{"a", observation.data["number"]}, {"b", observation.data["number"]}}};
  }
  std::string tool_name = "multiply";

 private:
  bool guessed_ = false;
  MultiplyTool multiply_;
};

TEST(EpisodeTest, RunsToTheEndAndTellsWhatHappened) {
  Squarer agent;
  SquareEnvironment environment;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Transcript transcript,
                               RunEpisode(agent, environment, {.seed = 7}));
  EXPECT_TRUE(transcript.done);
  EXPECT_EQ(transcript.total_reward, 0);
  ASSERT_EQ(transcript.events.size(), 4u);
  EXPECT_EQ(transcript.events[0].kind, "reset");
  EXPECT_EQ(transcript.events[0].content["observation"]["text"], "square of 7");
  EXPECT_EQ(transcript.events[1].content["reward"], -1);
  EXPECT_EQ(transcript.events[2].kind, "tool");
  EXPECT_EQ(transcript.events[2].content["result"]["product"], 49);
  EXPECT_EQ(transcript.events[3].content["done"], true);
}

TEST(EpisodeTest, StopsAtItsLimit) {
  Squarer agent;
  SquareEnvironment environment;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Transcript transcript,
                               RunEpisode(agent, environment, {.seed = 7, .max_actions = 2}));
  EXPECT_FALSE(transcript.done);
  EXPECT_EQ(transcript.events.size(), 3u);
  EXPECT_THAT(RunEpisode(agent, environment, {.max_actions = 0}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("max_actions")));
}

TEST(EpisodeTest, ErrorsSayWhoAndWhen) {
  Squarer agent;
  agent.tool_name = "multiplay";
  SquareEnvironment environment;
  EXPECT_THAT(
      RunEpisode(agent, environment, {.seed = 7}),
      StatusIs(absl::StatusCode::kNotFound,
               AllOf(HasSubstr("action 2"), HasSubstr("multiplay"), HasSubstr("'multiply'"))));
}

TEST(TranscriptTest, DamageIsLocated) {
  Squarer agent;
  SquareEnvironment environment;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Transcript transcript,
                               RunEpisode(agent, environment, {.seed = 3}));
  const std::string text = FormatTranscript(transcript);
  EXPECT_THAT(ParseTranscript(text, "a.jsonl"), IsOkAndHolds(transcript));
  EXPECT_THAT(ParseTranscript(text.substr(0, text.rfind('{')), "a.jsonl"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("a.jsonl")));
  EXPECT_THAT(ParseTranscript("", "a.jsonl"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("got nothing")));
  std::string changed = text;
  changed.replace(changed.find("\"kind\":\"tool\""), 13, "\"kind\":\"toil\"");
  EXPECT_THAT(ParseTranscript(changed, "a.jsonl"),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("a.jsonl:4: kind"), HasSubstr("'tool'"))));
}

TEST(ConformanceTest, TheSquarerConforms) {
  Squarer agent;
  SquareEnvironment environment;
  ALIDADE_EXPECT_OK(CheckAgent(agent, environment, {.seed = 5}));
  SquareEnvironment fresh;
  ALIDADE_EXPECT_OK(CheckEnvironment(fresh, {"", {{"anser", 1}}}, 5));
  MultiplyTool tool;
  ALIDADE_EXPECT_OK(CheckTool(tool, {{"a", 2}, {"b", 3}}, {{"a", 2}}));
}

// Starts every episode with another guess: the kit must notice.
class Moody : public Squarer {
 public:
  absl::Status Begin(uint64_t seed) override {
    ++episodes_;
    guess_ = true;
    return Squarer::Begin(seed);
  }
  absl::StatusOr<Action> Act(const Observation& observation) override {
    if (!std::exchange(guess_, false)) return Squarer::Act(observation);
    return Action{"", {{"answer", -episodes_}}};
  }

 private:
  int episodes_ = 0;
  bool guess_ = false;
};

TEST(ConformanceTest, RulesAreEnforced) {
  Moody moody;
  SquareEnvironment environment;
  EXPECT_THAT(CheckAgent(moody, environment, {.seed = 5}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("same seed")));
  Squarer slow;
  EXPECT_THAT(CheckAgent(slow, environment, {.seed = 5, .max_actions = 1}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("within 1 actions")));
  SquareEnvironment fresh;
  EXPECT_THAT(CheckEnvironment(fresh, {"", {{"answer", 1}}}, 5),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("understand")));
  MultiplyTool tool;
  EXPECT_THAT(CheckTool(tool, {{"a", 2}, {"b", 3}}, {{"a", 2}, {"b", 3}}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("wrong arguments")));
}

}  // namespace
}  // namespace alidade::agents
