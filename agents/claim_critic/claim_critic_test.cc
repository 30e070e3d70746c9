#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agents/claim_critic/config.h"
#include "agents/claim_critic/policy.h"
#include "agents/core/episode.h"
#include "agents/environments/judgement.h"
#include "agents/testing/conformance.h"
#include "agents/tools/ask_model.h"
#include "common/media/image.h"
#include "common/status/status_matchers.h"
#include "datasets/annotators/annotators.h"
#include "datasets/schema/factors.h"
#include "datasets/worlds/language.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::agents {
namespace {

using ::alidade::datasets::Prompt;
using ::alidade::datasets::Response;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class BlankImages : public datasets::ImageProvider {
 public:
  absl::StatusOr<Image> LoadImage(const std::string& name) const override {
    return Image{1, 1, {0, 0, 0}};
  }
};

// Answers from a table: sample s of a question is answers[image + " " + text][s mod size].
class Scripted : public datasets::Responder {
 public:
  std::map<std::string, std::vector<std::string>> answers;
  std::vector<std::string> asked;

  std::string name() const override { return "scripted"; }
  absl::StatusOr<std::vector<std::vector<Response>>> Respond(
      const datasets::ImageProvider& images, absl::Span<const Prompt> prompts,
      const datasets::ResponseOptions& options) override {
    std::vector<std::vector<Response>> responses;
    for (const Prompt& prompt : prompts) {
      const std::string question = absl::StrCat(prompt.image, " ", prompt.text);
      asked.push_back(question);
      const auto found = answers.find(question);
      if (found == answers.end()) return absl::NotFoundError(question);
      responses.emplace_back();
      for (int64_t s = 0; s < options.samples; ++s) {
        responses.back().push_back({found->second[s % found->second.size()], true, 1});
      }
    }
    return responses;
  }
};

Prompt CaptionOf(const std::string& image) {
  Prompt prompt;
  prompt.id = absl::StrCat(image, "/caption");
  prompt.image = image;
  prompt.kind = "caption";
  prompt.text = "describe :";
  prompt.end = true;
  return prompt;
}

Prompt QuestionOf(const std::string& image, const std::string& noun) {
  Prompt prompt;
  prompt.id = absl::StrCat(image, "/", noun);
  prompt.image = image;
  prompt.kind = "yes_no";
  prompt.text = absl::StrCat("is there ", noun);
  return prompt;
}

std::vector<Response> Texts(const std::vector<std::string>& texts) {
  std::vector<Response> responses;
  for (const std::string& text : texts) responses.push_back({text, true, 1});
  return responses;
}

// Eight votes: disc is never denied, ring once, square twice (a quarter), T always.
std::unique_ptr<Scripted> Model() {
  auto model = std::make_unique<Scripted>();
  model->answers["a is there disc"] = {"yes"};
  model->answers["a is there ring"] = {"no", "yes", "yes", "yes", "yes", "yes", "yes", "yes"};
  model->answers["a is there square"] = {"no", "yes", "yes", "yes"};
  model->answers["a is there T"] = {"no"};
  model->answers["a describe :"] = {"north red disc .", "north red disc , south red ring .",
                                    "west red disc .", "north red disc , south red disc .",
                                    "south red ring ."};
  return model;
}

TEST(ClaimCriticTest, PrefersTheCaptionWithFewerRefutedClaims) {
  const auto model = Model();
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto critic,
                               datasets::MakeAnnotator("claim_critic", {.model = model.get()}));
  const BlankImages images;
  const std::vector<Prompt> prompts = {CaptionOf("a")};
  const std::vector<std::vector<Response>> responses = {Texts({
      "north red disc , east red ring .",               // nothing refuted
      "north red square .",                             // 1: a quarter of the votes is enough
      "north red T , south red T , east red square .",  // 2: a type counts once
      "north red disc",                                 // unfinished, nothing refuted
  })};
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto scores, critic->Score(images, prompts, responses));
  EXPECT_THAT(scores, ElementsAre(ElementsAre(0, -1, -2, 0)));
  EXPECT_EQ(model->asked.size(), 4u) << "every claim of an image is put once";
}

TEST(ClaimCriticTest, ChecksAnswersAgainstTheModelsOwnDescriptions) {
  const auto model = Model();
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto critic,
                               datasets::MakeAnnotator("claim_critic", {.model = model.get()}));
  const std::vector<Prompt> prompts = {QuestionOf("a", "disc"), QuestionOf("a", "ring"),
                                       QuestionOf("a", "T")};
  const std::vector<std::vector<Response>> responses(3, Texts({"yes", "no", "disc"}));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto scores, critic->Score(BlankImages(), prompts, responses));
  const std::vector<double> mentioned = {0.8, 0.4, 0};  // shares of the five descriptions
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(scores[i][0], mentioned[i], 1e-12);
    EXPECT_NEAR(scores[i][1], 1 - mentioned[i], 1e-12);
    EXPECT_EQ(scores[i][2], 0);
  }
  EXPECT_THAT(model->asked, ElementsAre("a describe :"))
      << "one set of descriptions serves all questions about an image";
}

TEST(ClaimCriticTest, ConformsToTheKit) {
  const auto model = Model();
  const BlankImages images;
  AskModelTool tool(model.get(), 1);
  tool.SetImages(&images);
  ClaimCritic critic({}, &tool);
  const std::vector<Prompt> prompts = {CaptionOf("a"), QuestionOf("a", "ring")};
  const std::vector<std::vector<Response>> responses = {
      Texts({"north red disc .", "north red T ."}), Texts({"yes", "no"})};
  JudgementEnvironment judgement(prompts, responses);
  ALIDADE_EXPECT_OK(CheckAgent(critic, judgement, {.seed = 1, .max_actions = 3}));

  JudgementEnvironment fresh(prompts, responses);
  ALIDADE_EXPECT_OK(CheckEnvironment(fresh, {"", {{"scores", {{0, 0}}}}}));
  EXPECT_THAT(fresh.Step({"", {{"scores", {{0, 0}, {0, "x"}}}}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("scores[1]"), HasSubstr("2 finite numbers"))));

  const nlohmann::json question = {
      {"id", "q"}, {"image", "a"}, {"text", "is there T"}, {"end", false}, {"max_new_tokens", 1}};
  const nlohmann::json right = {
      {"questions", {question}}, {"samples", 2}, {"temperature", 1}, {"stream", "s"}};
  nlohmann::json wrong = right;
  wrong["questions"][0]["max_new_tokens"] = 0;
  ALIDADE_EXPECT_OK(CheckTool(tool, right, wrong));
  EXPECT_THAT(tool.Call(wrong), StatusIs(absl::StatusCode::kInvalidArgument,
                                         HasSubstr("questions[0].max_new_tokens")));
}

TEST(ClaimCriticTest, TheTruthIsNotShown) {
  std::vector<Prompt> prompts = {QuestionOf("a", "ring")};
  prompts[0].truth = {{"answer", "no"}};
  const std::vector<std::vector<Response>> responses = {Texts({"yes"})};
  JudgementEnvironment judgement(prompts, responses);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Observation observation, judgement.Reset(1));
  EXPECT_FALSE(absl::StrContains(observation.data.dump(), "truth"));
  EXPECT_FALSE(absl::StrContains(observation.data.dump(), "answer"));
}

TEST(ClaimCriticTest, BadInput) {
  const auto model = Model();
  EXPECT_THAT(datasets::MakeAnnotator("claim_critik", {}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("'claim_critic'")));
  EXPECT_THAT(datasets::MakeAnnotator("claim_critic", {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("got none")));
  EXPECT_THAT(
      datasets::MakeAnnotator("claim_critic", {.config = {{"vote", 3}}, .model = model.get()}),
      StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("vote"), HasSubstr("'votes'"))));
  EXPECT_THAT(datasets::MakeAnnotator("claim_critic",
                                      {.config = {{"refuting_share", 0}}, .model = model.get()}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("refuting_share")));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto critic,
                               datasets::MakeAnnotator("claim_critic", {.model = model.get()}));
  Prompt prompt = QuestionOf("a", "sphere");
  EXPECT_THAT(critic->Score(BlankImages(), {prompt}, {Texts({"yes"})}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("items[0].text"), HasSubstr("sphere"))));
  prompt.kind = "count";
  EXPECT_THAT(critic->Score(BlankImages(), {prompt}, {Texts({"3"})}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("items[0].kind")));
}

}  // namespace
}  // namespace alidade::agents
