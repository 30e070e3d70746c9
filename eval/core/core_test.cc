#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/files/files.h"
#include "common/provenance/random_stream.h"
#include "common/status/status.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "eval/core/ask.h"
#include "eval/core/bootstrap.h"
#include "eval/core/result_record.h"
#include "eval/core/task.h"
#include "eval/core/task_definition.h"
#include "eval/core/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::eval {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

constexpr char kParity[] = R"json({
  "name": "parity", "version": "3", "paper": "none: made for this test", "groups": ["small", "large"],
  "counts": ["right", "asked"],
  "metrics": [{"name": "accuracy", "label": "accuracy", "numerator": ["right"], "denominator": ["asked"],
               "higher_is_better": true, "unit": "share"}]
})json";

// Is a number even? Groups by size.
class ParityTask : public Task {
 public:
  const TaskDefinition& definition() const override { return definition_; }
  absl::StatusOr<TaskOutput> Run(datasets::Responder& model,
                                 const TaskOptions& options) const override {
    ALIDADE_ASSIGN_OR_RETURN(const std::vector<Answered> answered, Ask(model, options, "parity"));
    TaskOutput output;
    for (const Answered& one : answered) {
      SampleOutput sample = MakeSample(one);
      sample.group = one.prompt.group;
      sample.truth = one.answer;
      sample.counts = {{"asked", 1}, {"right", one.response.text == one.answer}};
      output.samples.push_back(std::move(sample));
    }
    ALIDADE_RETURN_IF_ERROR(ScoreSamples(definition_, options, output));
    return output;
  }

 private:
  const TaskDefinition definition_ = BuiltInTaskDefinition(kParity, "parity.json");
};

const bool registered = RegisterTask(std::make_unique<ParityTask>());

datasets::Prompt MakePrompt(int number, const std::string& group) {
  datasets::Prompt prompt;
  prompt.id = absl::StrCat(group, "/", number);
  prompt.image = absl::StrCat("image", number / 2);
  prompt.text = absl::StrCat("is ", number, " even");
  prompt.kind = "parity";
  prompt.group = group;
  prompt.truth = {{"answer", number % 2 == 0 ? "yes" : "no"}};
  return prompt;
}

// Numbers 0..3 are small and 2..5 large: the questions about 2 and 3 stand in both groups.
ListSource ParitySource() {
  std::vector<datasets::Prompt> prompts;
  for (int i = 0; i < 4; ++i) prompts.push_back(MakePrompt(i, "small"));
  for (int i = 2; i < 6; ++i) prompts.push_back(MakePrompt(i, "large"));
  return ListSource(prompts);
}

TableResponder AlwaysYes() {
  std::map<std::string, datasets::Response> answers;
  const std::vector<datasets::Prompt> prompts = *ParitySource().Prompts();
  for (const datasets::Prompt& prompt : prompts) answers[prompt.id] = {"yes", true, 1};
  return TableResponder(answers);
}

ResultRecord ExampleRecord() {
  return {"dpo", "pope", "adversarial.accuracy", 0.1 + 0.2, 1.0 / 3, 5e-324, 3000, -7, "1",
          false, "share"};
}

std::vector<UnitRatio> Units(const std::vector<std::pair<double, double>>& values) {
  std::vector<UnitRatio> units;
  for (const auto& [numerator, denominator] : values) {
    units.push_back({absl::StrCat("unit", units.size()), numerator, denominator});
  }
  return units;
}

TEST(ResultsTest, ComeBackBitByBit) {
  Results results;
  results.records = {ExampleRecord(), ExampleRecord()};
  results.records[0].low = 0.25;
  results.records[0].high = 0.75;
  results.records[1].value = results.records[1].low = results.records[1].high = kNan;
  results.records[1].stage = "a \"quoted\"\n name";
  results.comparisons = {
      {"dpo", "sft", "chair", "chair_s", true, -0.35, -0.4, -0.3, 600, {1, 2}, {-0.3, kNan}}};
  const std::string path = JoinPath(TempFolder(), "results.json");
  ALIDADE_ASSERT_OK(WriteResults(path, results));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Results again, ReadResults(path));
  EXPECT_EQ(again.records, results.records);
  EXPECT_EQ(again.comparisons, results.comparisons);
  EXPECT_EQ(ResultsToJson(again), ResultsToJson(results));
}

TEST(ResultsTest, EveryFieldCounts) {
  const ResultRecord record = ExampleRecord();
  ResultRecord other = record;
  EXPECT_TRUE(other == record);
  other.unit = "words";
  EXPECT_FALSE(other == record);
  other = record;
  other.low = kNan;
  EXPECT_FALSE(other == record);
}

TEST(ResultsTest, BadInputIsLocated) {
  Results results;
  results.records = {ExampleRecord()};
  results.records[0].low = 0.25;
  results.records[0].high = 0.5;
  const std::string good = ResultsToJson(results);
  const auto with = [&](absl::string_view from, absl::string_view to) {
    return ResultsFromJson(absl::StrReplaceAll(good, {{from, to}}), "results.json").status();
  };
  EXPECT_THAT(with("\"n\": 3000", "\"n\": \"3000\""),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("results.json:"), HasSubstr("records[0].n"),
                             HasSubstr("expected an integer"), HasSubstr("\"3000\""))));
  EXPECT_THAT(with("\"seed\"", "\"sead\""),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("records[0]"), HasSubstr("seed"))));
  EXPECT_THAT(
      with("\"unit\": \"share\"", "\"unit\": \"share\", \"units\": 1"),
      StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("units"), HasSubstr("unit"))));
  EXPECT_THAT(with("0.25", "0.75"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("records[0].low")));
  EXPECT_THAT(with("alidade.results/1", "alidade.results/9"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("schema")));
  EXPECT_THAT(ResultsFromJson(good.substr(0, good.size() / 2), "results.json"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("results.json:")));
  EXPECT_THAT(ReadResults("/absent/results.json"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/absent/results.json")));
}

TEST(BootstrapTest, RatiosAreRatiosOfSums) {
  EXPECT_DOUBLE_EQ(RatioOfSums(Units({{1, 2}, {0, 1}, {3, 5}})), 0.5);
  EXPECT_TRUE(std::isnan(RatioOfSums(Units({{0, 0}, {0, 0}}))));
}

TEST(BootstrapTest, SameStreamSameInterval) {
  const std::vector<UnitRatio> units = Units({{1, 1}, {0, 1}, {1, 1}, {0, 1}, {1, 1}});
  RandomStream one(7, "a"), same(7, "a"), other(7, "b");
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Interval a, BootstrapRatio(units, {}, one));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Interval b, BootstrapRatio(units, {}, same));
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_EQ(a.value, 0.6);
  EXPECT_NE(one.Next(), other.Next());
  EXPECT_LT(a.low, a.value);
  EXPECT_GT(a.high, a.value);
}

TEST(BootstrapTest, ConstantMetricHasNoWidth) {
  RandomStream stream(1, "constant");
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Interval interval,
                               BootstrapRatio(Units({{1, 2}, {2, 4}, {3, 6}}), {}, stream));
  EXPECT_DOUBLE_EQ(interval.low, 0.5);
  EXPECT_DOUBLE_EQ(interval.high, 0.5);
}

TEST(BootstrapTest, AbsentMetricIsNan) {
  RandomStream stream(1, "absent");
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Interval interval,
                               BootstrapRatio(Units({{0, 0}, {0, 0}}), {}, stream));
  EXPECT_TRUE(std::isnan(interval.value));
  EXPECT_TRUE(std::isnan(interval.low));
  EXPECT_TRUE(std::isnan(interval.high));
}

// 300 data sets of 150 answers that are right with p = .3, three to an image: the interval holds p
// about 19 times of 20. The bounds are four standard errors of a share of 300 around .95, and a
// little room below, for percentile intervals of 50 units are known to be slightly short.
TEST(BootstrapTest, CoversTheTruth) {
  constexpr int kTrials = 300, kImages = 50;
  constexpr double kTruth = 0.3;
  RandomStream data(11, "data"), stream(11, "bootstrap");
  BootstrapOptions options;
  options.resamples = 400;
  int covered = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<std::pair<double, double>> values;
    for (int i = 0; i < kImages; ++i) {
      double right = 0;
      for (int q = 0; q < 3; ++q) right += data.Bernoulli(kTruth);
      values.push_back({right, 3});
    }
    ALIDADE_ASSERT_OK_AND_ASSIGN(const Interval interval,
                                 BootstrapRatio(Units(values), options, stream));
    covered += interval.low <= kTruth && kTruth <= interval.high;
  }
  EXPECT_GE(covered, 0.89 * kTrials);
  EXPECT_LE(covered, 0.99 * kTrials);
}

// Two models with equal chance noise per image differ by exactly .2 everywhere: unpaired intervals
// overlap, the paired difference is sharp.
TEST(BootstrapTest, PairingRemovesWhatModelsShare) {
  RandomStream data(3, "data");
  PairedUnits pair;
  for (int i = 0; i < 40; ++i) {
    const double shared = 0.8 * data.Uniform();
    pair.model.push_back({absl::StrCat(i), shared + 0.2, 1});
    pair.baseline.push_back({absl::StrCat(i), shared, 1});
  }
  RandomStream a(3, "a"), b(3, "b"), c(3, "c");
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Interval model, BootstrapRatio(pair.model, {}, a));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Interval difference,
                               BootstrapPairedDifference({pair}, DifferenceKind::kAbsolute, {}, b));
  EXPECT_GT(model.high - model.low, 0.1);
  EXPECT_NEAR(difference.value, 0.2, 1e-12);
  EXPECT_NEAR(difference.low, 0.2, 1e-12);
  EXPECT_NEAR(difference.high, 0.2, 1e-12);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Interval relative,
                               BootstrapPairedDifference({pair}, DifferenceKind::kRelative, {}, c));
  EXPECT_NEAR(relative.value, 0.2 / RatioOfSums(pair.baseline), 1e-12);
}

// Three seeds with differences 0, .1 and .2, constant over images: the mean is .1, and only seeds
// make it uncertain.
TEST(BootstrapTest, SeedsAreDrawnToo) {
  std::vector<PairedUnits> seeds(3);
  for (int s = 0; s < 3; ++s) {
    for (int i = 0; i < 10; ++i) {
      seeds[s].baseline.push_back({absl::StrCat(i), 0.5, 1});
      seeds[s].model.push_back({absl::StrCat(i), 0.5 + 0.1 * s, 1});
    }
  }
  RandomStream stream(5, "seeds");
  ALIDADE_ASSERT_OK_AND_ASSIGN(
      const Interval interval,
      BootstrapPairedDifference(seeds, DifferenceKind::kAbsolute, {}, stream));
  EXPECT_NEAR(interval.value, 0.1, 1e-12);
  EXPECT_NEAR(interval.low, 0.0, 1e-12);   // 1 of 27 draws takes the first seed three times
  EXPECT_NEAR(interval.high, 0.2, 1e-12);  // likewise the last
}

TEST(BootstrapTest, BadInputIsNamed) {
  RandomStream stream(1, "bad");
  BootstrapOptions none;
  none.resamples = 0;
  EXPECT_THAT(BootstrapRatio(Units({{1, 1}}), none, stream),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected >= 1, got 0")));
  EXPECT_THAT(BootstrapRatio({}, {}, stream),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("got none")));
  EXPECT_THAT(BootstrapRatio({{"a", 1, 1}, {"a", 1, 1}}, {}, stream),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'a' stands there twice")));
  EXPECT_THAT(BootstrapPairedDifference({PairedUnits{{{"a", 1, 1}}, {{"b", 1, 1}}}},
                                        DifferenceKind::kAbsolute, {}, stream),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("expected 'a'"), HasSubstr("got 'b'"))));
}

TEST(TaskDefinitionTest, MistakesAreLocated) {
  const auto with = [](absl::string_view from, absl::string_view to) {
    return ParseTaskDefinition(absl::StrReplaceAll(kParity, {{from, to}}), "task.json").status();
  };
  EXPECT_THAT(with("[\"right\"]", "[\"rihgt\"]"),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("task.json"), HasSubstr("metrics[0].numerator"),
                             HasSubstr("'right'"))));
  EXPECT_THAT(with("\"unit\"", "\"untis\""),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("unit")));
  EXPECT_THAT(with("\"small\", \"large\"", "\"small\", \"small\""),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'small' twice")));
}

TEST(TaskDefinitionTest, HashSeesContentNotLayout) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const TaskDefinition one, ParseTaskDefinition(kParity, "a"));
  ALIDADE_ASSERT_OK_AND_ASSIGN(
      const TaskDefinition spaced,
      ParseTaskDefinition(absl::StrReplaceAll(kParity, {{", ", " ,\n "}}), "b"));
  ALIDADE_ASSERT_OK_AND_ASSIGN(
      const TaskDefinition changed,
      ParseTaskDefinition(absl::StrReplaceAll(kParity, {{"\"3\"", "\"4\""}}), "c"));
  EXPECT_EQ(one.sha256, spaced.sha256);
  EXPECT_NE(one.sha256, changed.sha256);
}

TEST(TaskTest, EvaluatesPerGroupAndAsksOnce) {
  const ListSource source = ParitySource();
  TableResponder model = AlwaysYes();
  TaskOptions options;
  options.stage = "sft";
  options.seed = 4;
  options.source = &source;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Evaluation evaluation, Evaluate(model, {"parity"}, options));
  EXPECT_EQ(model.num_asked, 6);
  const TaskOutput& output = evaluation.tasks[0];
  ASSERT_EQ(output.records.size(), 2);
  EXPECT_EQ(output.records[0].metric, "small.accuracy");
  EXPECT_EQ(output.records[0].stage, "sft");
  EXPECT_EQ(output.records[0].value, 0.5);
  EXPECT_EQ(output.records[0].n, 4);
  EXPECT_EQ(output.records[0].seed, 4);
  EXPECT_EQ(output.records[0].task_version, "3");
  EXPECT_EQ(output.samples[0].prompt_sha256.size(), 64);
  EXPECT_NE(output.samples[0].target_sha256, output.samples[1].target_sha256);
  EXPECT_NE(output.samples[2].document_sha256, output.samples[4].document_sha256);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Task* task, FindTask("parity"));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<UnitRatio> units,
                               UnitRatios(task->definition(), output.samples, "large.accuracy"));
  ASSERT_EQ(units.size(), 2);  // two images with two questions each
  EXPECT_EQ(units[0].denominator, 2);
}

TEST(TaskTest, UnknownNamesGiveTheNearest) {
  const ListSource source = ParitySource();
  TableResponder model = AlwaysYes();
  TaskOptions options;
  options.source = &source;
  EXPECT_THAT(Evaluate(model, {"partiy"}, options),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("'parity'")));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Task* task, FindTask("parity"));
  EXPECT_THAT(UnitRatios(task->definition(), {}, "small.acuracy"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("'small.accuracy'")));
  SampleOutput sample;
  sample.id = "x";
  sample.group = "smal";
  TaskOutput output;
  output.samples = {sample};
  EXPECT_THAT(
      ScoreSamples(task->definition(), options, output),
      StatusIs(absl::StatusCode::kNotFound, AllOf(HasSubstr("sample 'x'"), HasSubstr("'small'"))));
  const ListSource empty({});
  options.source = &empty;
  EXPECT_THAT(
      Evaluate(model, {"parity"}, options),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected prompts of kind 'parity'")));
}

class EvaluationFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const ListSource source = ParitySource();
    TableResponder model = AlwaysYes();
    TaskOptions options;
    options.stage = "sft";
    options.source = &source;
    ALIDADE_ASSERT_OK_AND_ASSIGN(evaluation_, Evaluate(model, {"parity"}, options));
    folder_ = JoinPath(TempFolder(), "evaluation");
    ALIDADE_ASSERT_OK(WriteEvaluation(folder_, evaluation_));
  }

  absl::Status ReadAfter(const std::string& file, absl::string_view from, absl::string_view to) {
    const std::string path = JoinPath(folder_, file);
    const std::string text = *ReadFile(path);
    EXPECT_THAT(text, HasSubstr(std::string(from)));
    EXPECT_TRUE(WriteFile(path, absl::StrReplaceAll(text, {{from, to}})).ok());
    const absl::Status status = ReadEvaluation(folder_).status();
    EXPECT_TRUE(WriteFile(path, text).ok());
    return status;
  }

  Evaluation evaluation_;
  std::string folder_;
};

TEST_F(EvaluationFolderTest, ComesBack) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Evaluation again, ReadEvaluation(folder_));
  EXPECT_EQ(again.stage, "sft");
  ASSERT_EQ(again.tasks.size(), 1);
  EXPECT_EQ(again.tasks[0].records, evaluation_.tasks[0].records);
  ASSERT_EQ(again.tasks[0].samples.size(), evaluation_.tasks[0].samples.size());
  for (size_t i = 0; i < again.tasks[0].samples.size(); ++i) {
    const SampleOutput &got = again.tasks[0].samples[i],
                       &expected = evaluation_.tasks[0].samples[i];
    EXPECT_EQ(got.id, expected.id);
    EXPECT_EQ(got.unit, expected.unit);
    EXPECT_EQ(got.group, expected.group);
    EXPECT_EQ(got.prompt, expected.prompt);
    EXPECT_EQ(got.answer, expected.answer);
    EXPECT_EQ(got.truth, expected.truth);
    EXPECT_EQ(got.counts, expected.counts);
    EXPECT_EQ(got.target_sha256, expected.target_sha256);
  }
}

TEST_F(EvaluationFolderTest, AlteredFilesAreNoticed) {
  EXPECT_THAT(ReadAfter("samples_parity.jsonl", "\"right\":1", "\"right\":0"),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("results.json"), HasSubstr("accuracy"))));
  EXPECT_THAT(ReadAfter("samples_parity.jsonl", "\"answer\":", "\"anwser\":"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("samples_parity.jsonl:1")));
  EXPECT_THAT(ReadAfter("tasks.json", "\"version\": \"3\"", "\"version\": \"2\""),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("tasks.json"), HasSubstr("expected version 3"),
                             HasSubstr("got version 2"))));
  const std::string path = JoinPath(folder_, "samples_parity.jsonl");
  const std::string text = *ReadFile(path);
  ALIDADE_ASSERT_OK(WriteFile(path, absl::string_view(text).substr(0, text.size() - 10)));
  EXPECT_THAT(ReadEvaluation(folder_),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("samples_parity.jsonl")));
}

}  // namespace
}  // namespace alidade::eval
