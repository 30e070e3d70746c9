#include "trainers/stages/preference/preference.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files/files.h"
#include "common/models/mllm.h"
#include "common/models/weights.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "datasets/schema/dataset_folder.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "trainers/stages/conversations/image_store.h"
#include "trainers/stages/conversations/model_folder.h"
#include "trainers/stages/preference/requirements.h"
#include "trainers/stages/sft/presets.h"
#include "trainers/testing/test_objectives.h"
#include "trainers/testing/world_data.h"

namespace alidade::trainers {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kConfig[] = R"(
  group { name: "captions" kind: "caption" batch_size: 4 }
  group { name: "answers" kind: "yes_no" batch_size: 8 weight: 3 }
  frozen: "vision_tower."
  loop {
    steps: 10 clip_norm: 1 log_every: 1 checkpoint_every: 4
    optimizer { learning_rate: 0.001 } schedule { decay: LINEAR warmup_steps: 2 }
  })";

PreferenceConfig Config(const std::string& extra = "") {
  PreferenceConfig config, more;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kConfig, &config));
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(extra, &more)) << extra;
  config.MergeFrom(more);
  return config;
}

// A model, another one as reference, and pairs, for all tests.
const PreferenceInputs& Inputs() {
  static const PreferenceInputs* inputs = [] {
    at::set_num_threads(1);
    const std::string folder = TempFolder();
    auto* made = new PreferenceInputs{JoinPath(folder, "model"), JoinPath(folder, "reference"),
                                      JoinPath(folder, "pairs")};
    EXPECT_THAT(WritePreset("tiny_world", 1, made->model), IsOk());
    EXPECT_THAT(WritePreset("tiny_world", 2, made->reference), IsOk());
    EXPECT_THAT(WriteWorldPairs(made->pairs, 12, 6), IsOk());
    return made;
  }();
  return *inputs;
}

RunOptions Quiet(int64_t stop_after = 0) {
  RunOptions options;
  options.quiet = true;
  options.after_step = [stop_after](int64_t step) {
    return step == stop_after ? absl::CancelledError("stopped") : absl::OkStatus();
  };
  return options;
}

std::vector<double> Curve(const std::string& out, const std::string& name) {
  std::vector<double> values;
  for (const auto& line :
       absl::StrSplit(*ReadFile(JoinPath(out, "metrics.jsonl")), '\n', absl::SkipEmpty())) {
    values.push_back(nlohmann::json::parse(line).at(name).get<double>());
  }
  return values;
}

std::string Weights(const std::string& out) {
  return *ReadFile(JoinPath(out, "model/model.safetensors"));
}

// Machines sum f32 in other orders; ten steps at this rate amplify 1e-7 by less than a thousand.
constexpr double kCurveTolerance = 1e-4;

TEST(PreferenceTest, TenStepLossCurve) {
  const std::string out = TempFolder();
  ALIDADE_ASSERT_OK(RunPreference(Config(), Inputs(), out, 1, MarginObjective(), Quiet()));
  const std::vector<double> losses = Curve(out, "loss");
  std::vector<std::string> text;
  for (const double loss : losses) text.push_back(absl::StrFormat("%.9g", loss));
  // A sameness golden: our own numbers, one thread. Updated from the message of a failure.
  const std::vector<double> golden = {2.78131175, 2.75498152, 2.73293662, 2.63578916, 2.65942144,
                                      2.6807375,  2.6005547,  2.57849145, 2.63778925, 2.60540295};
  ASSERT_EQ(losses.size(), 10);
  EXPECT_LT(RelativeError(losses, golden), kCurveTolerance) << absl::StrJoin(text, ", ");
}

// Summed log-probability of a response, from a model's own forward pass over this conversation
// alone.
double ScoreAlone(const ModelFolder& model, const datasets::PreferenceRecord& record,
                  const std::string& response, const at::Tensor& pixels) {
  const std::vector<Turn> turns = {{record.prompt, response, record.end}};
  const EncodedConversation text = *model.chat_template.Encode(*model.tokenizer, turns);
  const int64_t length = static_cast<int64_t>(text.ids.size()),
                patches = model.model.config().NumImageTokens();
  const at::Tensor hidden =
      model.model.Forward(at::tensor(text.ids, at::kLong).unsqueeze(0),
                          model.model.EncodeImages(pixels), at::tensor({length}, at::kLong));
  const at::Tensor logp =
      at::log_softmax(at::linear(hidden, model.model.head()).to(at::kDouble), -1)[0];
  double sum = 0;
  for (int64_t i = 0; i < length; ++i) {
    if (text.scored[i]) sum += logp[i - 2 + patches][text.ids[i]].item<double>();
  }
  return sum;
}

TEST(PreferenceTest, FirstStepIsTheObjectiveOnThePairs) {
  // One step over all pairs: each group's loss and margin, pair by pair in f64.
  const std::string out = TempFolder();
  PreferenceConfig config = Config("hyperparameter { name: 'beta' value: 0.3 } loop { steps: 1 }");
  config.mutable_group(0)->set_batch_size(12);
  config.mutable_group(1)->set_batch_size(24);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const RunSummary summary,
                               RunPreference(config, Inputs(), out, 1, MarginObjective(), Quiet()));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ModelFolder policy, LoadModelFolder(Inputs().model));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ModelFolder reference, LoadModelFolder(Inputs().reference));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto dataset, datasets::DatasetFolder::Open(Inputs().pairs));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto records, dataset.PreferenceRecords());
  ImageStore images(&dataset, policy.preprocessor);
  std::map<std::string, double> loss, margin, count;
  for (const datasets::PreferenceRecord& record : records) {
    ALIDADE_ASSERT_OK_AND_ASSIGN(const at::Tensor pixels,
                                 images.Pixels({images.Add(record.image)}));
    const double m = ScoreAlone(policy, record, record.chosen, pixels) -
                     ScoreAlone(reference, record, record.chosen, pixels) -
                     ScoreAlone(policy, record, record.rejected, pixels) +
                     ScoreAlone(reference, record, record.rejected, pixels);
    loss[record.kind] += std::log1p(std::exp(-0.3 * m));
    margin[record.kind] += 0.3 * m;
    count[record.kind] += 1;
  }
  const double captions = loss["caption"] / count["caption"],
               answers = loss["yes_no"] / count["yes_no"];
  EXPECT_NEAR(summary.final_loss, captions + 3 * answers, 1e-5 * summary.final_loss);
  EXPECT_NEAR(Curve(out, "captions/loss")[0], captions, 1e-5 * captions);
  EXPECT_NEAR(Curve(out, "answers/margin")[0], margin["yes_no"] / count["yes_no"], 1e-5);
  EXPECT_NEAR(Curve(out, "captions/margin")[0], margin["caption"] / count["caption"], 1e-5);
}

TEST(PreferenceTest, APolicyEqualToItsReferenceStartsAtLogTwo) {
  const std::string out = TempFolder();
  const PreferenceInputs inputs{Inputs().model, Inputs().model, Inputs().pairs};
  ALIDADE_ASSERT_OK(
      RunPreference(Config("loop { steps: 30 }"), inputs, out, 1, MarginObjective(), Quiet()));
  const std::vector<double> losses = Curve(out, "captions/loss"),
                            margins = Curve(out, "answers/margin");
  EXPECT_NEAR(losses.front(), std::log(2.0), 1e-6);
  EXPECT_LT(losses.back(), std::log(2.0));
  EXPECT_GT(margins.back(), 0.01);
}

TEST(PreferenceTest, PrecomputedScoresGiveTheSameCurve) {
  const std::string with = TempFolder(), without = TempFolder();
  ALIDADE_ASSERT_OK(RunPreference(Config(), Inputs(), with, 1, MarginObjective(), Quiet()));
  ALIDADE_ASSERT_OK(RunPreference(Config("precompute_reference: false"), Inputs(), without, 1,
                                  MarginObjective(), Quiet()));
  EXPECT_TRUE(PathExists(JoinPath(with, "reference_logp.safetensors")));
  EXPECT_FALSE(PathExists(JoinPath(without, "reference_logp.safetensors")));
  EXPECT_LT(RelativeError(Curve(with, "loss"), Curve(without, "loss")), kCurveTolerance);
}

TEST(PreferenceTest, AlteredScoresAreReported) {
  const std::string out = TempFolder(), path = JoinPath(out, "reference_logp.safetensors");
  EXPECT_THAT(RunPreference(Config(), Inputs(), out, 1, MarginObjective(), Quiet(2)),
              StatusIs(absl::StatusCode::kCancelled));
  std::string bytes = *ReadFile(path);
  bytes[bytes.size() - 5] ^= 1;
  ALIDADE_ASSERT_OK(WriteFile(path, bytes));
  EXPECT_THAT(RunPreference(Config(), Inputs(), out, 1, MarginObjective(), Quiet()),
              StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr(path), HasSubstr("sha256"))));
}

TEST(PreferenceTest, StoppedAndContinuedGivesTheSameBitsWithARandomView) {
  const std::string whole = TempFolder(), stopped = TempFolder();
  ALIDADE_ASSERT_OK(RunPreference(Config(), Inputs(), whole, 1, ViewedMarginObjective(), Quiet()));
  for (const int64_t stop : {3, 6, 10}) {
    EXPECT_THAT(RunPreference(Config(), Inputs(), stopped, 1, ViewedMarginObjective(), Quiet(stop)),
                StatusIs(absl::StatusCode::kCancelled));
  }
  ALIDADE_ASSERT_OK(
      RunPreference(Config(), Inputs(), stopped, 1, ViewedMarginObjective(), Quiet()));
  EXPECT_EQ(Weights(whole), Weights(stopped));
  EXPECT_EQ(*ReadFile(JoinPath(whole, "metrics.jsonl")),
            *ReadFile(JoinPath(stopped, "metrics.jsonl")));
  // Another seed draws other views and another order.
  const std::string other = TempFolder();
  ALIDADE_ASSERT_OK(RunPreference(Config(), Inputs(), other, 2, ViewedMarginObjective(), Quiet()));
  EXPECT_NE(Weights(whole), Weights(other));
}

TEST(PreferenceTest, AccumulationEqualsTheBigBatchOrIsRefused) {
  const std::string whole = TempFolder(), parts = TempFolder();
  const std::string accumulation = "loop { steps: 3 accumulation: 2 }";
  ALIDADE_ASSERT_OK(RunPreference(Config("loop { steps: 3 }"), Inputs(), whole, 1,
                                  ViewedMarginObjective(), Quiet()));
  ALIDADE_ASSERT_OK(
      RunPreference(Config(accumulation), Inputs(), parts, 1, ViewedMarginObjective(), Quiet()));
  EXPECT_LT(RelativeError(Curve(parts, "loss"), Curve(whole, "loss")), 1e-5);
  EXPECT_LT(RelativeError(Curve(parts, "captions/margin"), Curve(whole, "captions/margin")), 1e-4);
  const std::string shards = TempFolder();
  ALIDADE_ASSERT_OK(RunPreference(Config("loop { steps: 3 shards: 2 }"), Inputs(), shards, 1,
                                  ViewedMarginObjective(), Quiet()));
  EXPECT_EQ(Curve(shards, "loss"), Curve(parts, "loss"));  // the same parts, only at the same time
  const PreferenceInputs inputs{Inputs().model, "", Inputs().pairs};
  EXPECT_THAT(
      RunPreference(Config(accumulation), inputs, TempFolder(), 1, CoupledObjective(), Quiet()),
      StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("loop.accumulation: expected 1"),
                                                         HasSubstr("not a mean over rows"))));
}

TEST(PreferenceTest, NoReferenceIsLoadedWhereNoneIsRead) {
  const std::string out = TempFolder();
  EXPECT_FALSE(NeedsReference(CoupledObjective()));
  EXPECT_TRUE(NeedsReference(MarginObjective()));
  const PreferenceInputs inputs{Inputs().model, "", Inputs().pairs};
  ALIDADE_ASSERT_OK(
      RunPreference(Config("loop { steps: 2 }"), inputs, out, 1, CoupledObjective(), Quiet()));
  EXPECT_THAT(RunPreference(Config(), Inputs(), TempFolder(), 1, CoupledObjective(), Quiet()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("reference: expected none")));
  EXPECT_THAT(
      RunPreference(Config(), inputs, TempFolder(), 1, MarginObjective(), Quiet()),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("reads a reference model, got none")));
}

TEST(PreferenceTest, ConfigErrors) {
  const auto run = [&](const std::string& extra) {
    return RunPreference(Config(extra), Inputs(), TempFolder(), 1, MarginObjective(), Quiet())
        .status();
  };
  EXPECT_THAT(run("hyperparameter { name: 'bta' value: 1 }"),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("hyperparameter[0]"), HasSubstr("bta"), HasSubstr("beta"))));
  EXPECT_THAT(run("hyperparameter { name: 'beta' value: -1 }"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "hyperparameter[0] (beta): expected a value in (0, inf), got -1"));
  EXPECT_THAT(
      run("hyperparameter { name: 'beta' value: 1 } hyperparameter { name: 'beta' value: 2 }"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("beta again")));
  EXPECT_THAT(run("objective: 'other'"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "objective: expected margin, which was given, got other"));
  EXPECT_THAT(run("group { name: 'counts' kind: 'count' batch_size: 1 }"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("group[2] (counts)")));
  PreferenceConfig unnamed = Config();
  EXPECT_THAT(
      RunPreference(unnamed, Inputs(), TempFolder(), 1, Quiet()),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("objective: expected the name")));
  unnamed.set_objective("no_such_objective");
  EXPECT_THAT(RunPreference(unnamed, Inputs(), TempFolder(), 1, Quiet()),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no_such_objective")));
}

TEST(RequirementsTest, PassesFollowFromTheSignature) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto passes, PlanPasses(ViewedMarginObjective().signature()));
  ASSERT_EQ(passes.size(), 4);
  EXPECT_EQ(passes[0].model, "policy");
  EXPECT_EQ(passes[0].view, "clean");
  EXPECT_EQ(passes[0].reads.size(), 2);
  EXPECT_TRUE(passes[0].requires_grad);
  EXPECT_FALSE(passes[1].requires_grad);
  EXPECT_EQ(passes[2].view, "corrupted(crop)");
  EXPECT_NE(passes[2].maker, nullptr);
  EXPECT_EQ(passes[2].reads[0].name, "policy.chosen@corrupted(crop)");
}

TEST(RequirementsTest, WhatNoPairProvidesIsNamed) {
  runtime::Signature signature = ViewedMarginObjective().signature();
  signature.distributions[4].view_argument = "corp";
  EXPECT_THAT(PlanPasses(signature),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("policy.chosen@corrupted(corp): view"),
                             HasSubstr("blank, corrupted(crop)"))));
  signature = MarginObjective().signature();
  signature.distributions[2].model = "old_policy";
  EXPECT_THAT(PlanPasses(signature),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("expected one of policy, reference, got old_policy")));
  signature = MarginObjective().signature();
  signature.distributions[1].response = "mismatched";
  EXPECT_THAT(PlanPasses(signature),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("expected one of chosen, rejected, got mismatched")));
}

}  // namespace
}  // namespace alidade::trainers
