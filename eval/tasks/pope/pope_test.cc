#include "eval/tasks/pope/pope.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/json/json_fields.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "datasets/worlds/test_split.h"
#include "eval/core/result_record.h"
#include "eval/core/task.h"
#include "eval/core/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace alidade::eval {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Both sides divide the same small integers; only the order of F1's operations may differ.
constexpr double kMetricTolerance = 1e-15;

constexpr char kGolden[] = "eval/tasks/pope/golden";

void ExpectMetric(const std::optional<double>& got, const nlohmann::json& expected,
                  const std::string& what) {
  if (expected.is_null()) {
    EXPECT_FALSE(got.has_value()) << what;
    return;
  }
  ASSERT_TRUE(got.has_value()) << what;
  EXPECT_NEAR(*got, expected.get<double>(), kMetricTolerance) << what;
}

void ExpectCase(const std::string& questions_path, const std::string& answers_path,
                const nlohmann::json& expected, const std::string& what) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto questions, ReadPopeQuestions(questions_path));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto answers, ReadPopeAnswers(answers_path));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const PopeCounts counts, CountPopeAnswers(questions, answers));
  EXPECT_EQ(counts.tp, expected["TP"].get<int64_t>()) << what;
  EXPECT_EQ(counts.fp, expected["FP"].get<int64_t>()) << what;
  EXPECT_EQ(counts.tn, expected["TN"].get<int64_t>()) << what;
  EXPECT_EQ(counts.fn, expected["FN"].get<int64_t>()) << what;
  const PopeScore score = OfficialPopeScore(counts);
  ExpectMetric(score.accuracy, expected["accuracy"], what + " accuracy");
  ExpectMetric(score.precision, expected["precision"], what + " precision");
  ExpectMetric(score.recall, expected["recall"], what + " recall");
  ExpectMetric(score.f1, expected["f1"], what + " f1");
  ExpectMetric(score.yes_ratio, expected["yes_ratio"], what + " yes_ratio");
}

std::string ToText(bool yes) { return yes ? "yes" : "no"; }

TEST(PopeAnswerTest, FollowsTheOfficialRule) {
  const std::map<std::string, bool> says_yes = {
      {"no", false},
      {"No", false},
      {"No, it is not.", false},
      {"there is not one", false},
      {"no,", false},
      {",no", false},
      {"yes. no", true},
      {".no", true},
      {"", true},
      {"NO", true},
      {"No!", true},
      {"isn't", true},
      {"cannot", true},
      {"nothing", true},
      {"No\n", true},
      {"No\nthere", true},
      {"yes", true},
      {"yes and no", false},
      {" no ", false},
      {"Not", true},
      {"n,o", false},
      {"no\t", true},
      {"it is no. yes", false},
  };
  for (const auto& [answer, yes] : says_yes)
    EXPECT_EQ(PopeAnswerIsYes(answer), yes) << "'" << answer << "'";
}

TEST(PopeScoreTest, ZeroDenominatorsAreNullNotACrash) {
  const PopeScore none = ScorePope({});
  EXPECT_FALSE(none.accuracy || none.precision || none.recall || none.f1 || none.yes_ratio);
  const PopeScore all_no = ScorePope({0, 0, 4, 4});
  EXPECT_EQ(all_no.accuracy, 0.5);
  EXPECT_EQ(all_no.recall, 0.0);
  EXPECT_EQ(all_no.yes_ratio, 0.0);
  EXPECT_FALSE(all_no.precision || all_no.f1);
  const PopeScore all_wrong = ScorePope({0, 2, 0, 2});
  EXPECT_EQ(all_wrong.precision, 0.0);
  EXPECT_FALSE(all_wrong.f1);
}

TEST(PopeGoldenTest, CommittedCases) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string text,
                               ReadFile(JoinPath(kGolden, "expected.json")));
  const nlohmann::json expected = nlohmann::json::parse(text);
  ASSERT_EQ(expected["cases"].size(), 4);
  for (const nlohmann::json& one : expected["cases"]) {
    const std::string name = one["case"];
    ExpectCase(JoinPath(kGolden, "questions.json"), JoinPath(kGolden, name + ".json"), one, name);
  }
}

// Scores of the official script on real question files; see the README beside them.
TEST(PopeGoldenTest, OfficialNumbersOfSharedData) {
  const std::optional<std::string> shared = SharedDataFolder();
  if (!shared) GTEST_SKIP() << "skipped: shared data absent";
  const std::string folder = JoinPath(*shared, "pope");
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile(JoinPath(folder, "expected.json")));
  const nlohmann::json expected = nlohmann::json::parse(text);
  ASSERT_GE(expected["cases"].size(), 6);
  for (const nlohmann::json& one : expected["cases"]) {
    ExpectCase(JoinPath(folder, one["questions"]), JoinPath(folder, one["answers"]),
               one["official"], one["case"]);
  }
}

TEST(PopeGoldenTest, EverySharedQuestionFileLoads) {
  const std::optional<std::string> shared = SharedDataFolder();
  if (!shared) GTEST_SKIP() << "skipped: shared data absent";
  for (const std::string set : {"coco_pope_", "aokvqa_pope_seem_", "gqa_pope_seem_"}) {
    for (const std::string split : {"random", "popular", "adversarial"}) {
      ALIDADE_ASSERT_OK_AND_ASSIGN(
          const auto questions,
          ReadPopeQuestions(absl::StrCat(*shared, "/pope/", set, split, ".json")));
      int yes = 0;
      for (const PopeQuestion& question : questions) yes += question.label;
      EXPECT_EQ(questions.size(), 3000) << set << split;
      EXPECT_EQ(yes, 1500) << set << split;
    }
  }
}

class PopeReadTest : public ::testing::Test {
 protected:
  absl::Status Questions(const std::string& text) {
    EXPECT_TRUE(WriteFile(path_, text).ok());
    return ReadPopeQuestions(path_).status();
  }
  const std::string path_ = JoinPath(TempFolder(), "questions.json");
};

TEST_F(PopeReadTest, ErrorsAreLocated) {
  const std::string good =
      R"({"question_id": 1, "image": "a.jpg", "text": "Is there a cup?", "label": "yes"})";
  ALIDADE_EXPECT_OK(Questions(good + "\n"));
  ALIDADE_EXPECT_OK(Questions("[" + good + "]"));
  EXPECT_THAT(
      Questions(good + "\n" + R"({"question_id": 2, "image": "a", "text": "t", "label": "maybe"})" +
                "\n"),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr("questions.json:2: label"), HasSubstr("maybe"))));
  EXPECT_THAT(Questions("[" + good + ",\n" +
                        R"({"question_id": "2", "image": "a", "text": "t", "label": "no"}])"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("questions.json:2: [1].question_id"),
                             HasSubstr("expected an integer"))));
  EXPECT_THAT(
      Questions(R"({"question_id": 1, "image": "a", "txt": "t", "text": "t", "label": "no"})"),
      StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("txt"), HasSubstr("text"))));
  EXPECT_THAT(Questions(good + "\n" + good.substr(0, 30)),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("questions.json:2")));
  EXPECT_THAT(Questions(good + "\n" + good + "\n"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("record 2"), HasSubstr("second time"))));
  EXPECT_THAT(Questions(" \n"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("empty")));
  EXPECT_THAT(Questions("[]"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("empty")));
  EXPECT_THAT(ReadPopeAnswers("/absent.json"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/absent.json")));
}

TEST(PopeCountTest, AnswersMustBelongToTheQuestions) {
  const std::vector<PopeQuestion> questions = {{1, "a", "Is there a cup?", true}};
  EXPECT_THAT(CountPopeAnswers(questions, {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("expected 1, one per question, got 0")));
  EXPECT_THAT(CountPopeAnswers(questions, {{2, "Is there a cup?", "yes"}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("record 1"), HasSubstr("question 1"))));
}

// Four questions in two splits, the first of which is the same in both.
std::vector<datasets::Prompt> Prompts() {
  std::vector<datasets::Prompt> prompts;
  const auto add = [&](const std::string& group, const std::string& noun, bool present) {
    datasets::Prompt prompt;
    prompt.id = absl::StrCat(group, "/", noun);
    prompt.image = "000000.png";
    prompt.text = absl::StrCat("is there ", noun);
    prompt.kind = "yes_no";
    prompt.group = group;
    prompt.truth = {{"answer", ToText(present)}, {"noun", noun}};
    prompts.push_back(prompt);
  };
  for (const std::string split : {"random", "popular", "adversarial"}) {
    add(split, "disc", true);
    add(split, split == "adversarial" ? "ring" : "cross", false);
  }
  return prompts;
}

TEST(PopeTaskTest, ScoresEverySplit) {
  const ListSource source(Prompts());
  TableResponder model({{"random/disc", {"yes", true, 1}},
                        {"random/cross", {"no", true, 1}},
                        {"adversarial/ring", {"yes", true, 1}}});
  TaskOptions options;
  options.stage = "sft";
  options.source = &source;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Evaluation evaluation, Evaluate(model, {"pope"}, options));
  EXPECT_EQ(model.num_asked, 3);  // the same question about the same image is put once
  std::map<std::string, ResultRecord> records;
  for (const ResultRecord& record : evaluation.tasks[0].records) records[record.metric] = record;
  EXPECT_EQ(records.size(), 15);
  EXPECT_EQ(records["random.accuracy"].value, 1.0);
  EXPECT_EQ(records["popular.accuracy"].value, 1.0);
  EXPECT_EQ(records["adversarial.accuracy"].value, 0.5);
  EXPECT_EQ(records["adversarial.precision"].value, 0.5);
  EXPECT_EQ(records["adversarial.recall"].value, 1.0);
  EXPECT_NEAR(records["adversarial.f1"].value, 2.0 / 3, kMetricTolerance);
  EXPECT_EQ(records["adversarial.yes_ratio"].value, 1.0);
  EXPECT_EQ(records["adversarial.accuracy"].n, 2);
  EXPECT_EQ(evaluation.tasks[0].samples[5].wrong, std::vector<std::string>{"yes"});
  EXPECT_EQ(evaluation.tasks[0].samples[5].truth, "no");
}

// On the world's test split the truth scores 1 in every split, and a model that always says yes
// scores one half.
TEST(PopeTaskTest, TheWorldsTestSplitIsBalanced) {
  constexpr int kImages = 30;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const datasets::TestSplit split,
                               datasets::TestSplit::Create("hard", kImages));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<datasets::Prompt> prompts, split.Prompts());
  std::map<std::string, datasets::Response> truth, always_yes;
  for (const datasets::Prompt& prompt : prompts) {
    if (prompt.kind != "yes_no") continue;
    truth[prompt.id] = {prompt.truth["answer"], true, 1};
    always_yes[prompt.id] = {"yes", true, 1};
  }
  TaskOptions options;
  options.source = &split;
  TableResponder knows(truth), guesses(always_yes);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Evaluation right, Evaluate(knows, {"pope"}, options));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Evaluation biased, Evaluate(guesses, {"pope"}, options));
  for (const ResultRecord& record : right.tasks[0].records) {
    EXPECT_EQ(record.n, 6 * kImages) << record.metric;
    EXPECT_EQ(record.value, absl::EndsWith(record.metric, "yes_ratio") ? 0.5 : 1.0)
        << record.metric;
  }
  for (const ResultRecord& record : biased.tasks[0].records) {
    if (absl::EndsWith(record.metric, "accuracy")) EXPECT_EQ(record.value, 0.5) << record.metric;
    if (absl::EndsWith(record.metric, "yes_ratio")) EXPECT_EQ(record.value, 1.0) << record.metric;
  }
  EXPECT_LT(knows.num_asked, 18 * kImages);  // the present objects are the same in all splits
}

TEST(PopeTaskTest, ATruthThatIsNeitherIsAnError) {
  std::vector<datasets::Prompt> prompts = Prompts();
  prompts[1].truth["answer"] = "maybe";
  const ListSource source(prompts);
  TableResponder model({{"random/disc", {"yes", true, 1}},
                        {"random/cross", {"no", true, 1}},
                        {"adversarial/ring", {"yes", true, 1}}});
  TaskOptions options;
  options.source = &source;
  EXPECT_THAT(Evaluate(model, {"pope"}, options),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("random/cross"), HasSubstr("maybe"))));
}

}  // namespace
}  // namespace alidade::eval
