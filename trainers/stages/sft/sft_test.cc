#include "trainers/stages/sft/sft.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files/files.h"
#include "common/models/config.h"
#include "common/models/mllm.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "datasets/schema/dataset_folder.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "trainers/stages/conversations/image_store.h"
#include "trainers/stages/conversations/model_folder.h"
#include "trainers/stages/conversations/packing.h"
#include "trainers/stages/sft/presets.h"
#include "trainers/testing/world_data.h"

namespace alidade::trainers {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

SftConfig Config(const std::string& text) {
  SftConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return config;
}

constexpr char kInstructions[] = R"(
  preset: "tiny_world"
  instructions { batch_size: 4 }
  loop {
    steps: 10 clip_norm: 1 log_every: 1 checkpoint_every: 4
    optimizer { learning_rate: 0.004 weight_decay: 0.05 } schedule { warmup_steps: 3 }
  })";

// One small dataset for all tests.
const std::string& Instructions() {
  static const std::string* folder = [] {
    at::set_num_threads(1);
    auto* path = new std::string(JoinPath(TempFolder(), "instructions"));
    EXPECT_THAT(WriteWorldInstructions(*path, 24, 5), IsOk());
    return path;
  }();
  return *folder;
}

const std::string& Pairs() {
  static const std::string* folder = [] {
    at::set_num_threads(1);
    auto* path = new std::string(JoinPath(TempFolder(), "pairs"));
    EXPECT_THAT(WriteWorldPairs(*path, 12, 6), IsOk());
    return path;
  }();
  return *folder;
}

// Quiet, and stopped by an error after a step if that is > 0.
RunOptions Quiet(int64_t stop_after = 0) {
  RunOptions options;
  options.quiet = true;
  options.after_step = [stop_after](int64_t step) {
    return step == stop_after ? absl::CancelledError("stopped") : absl::OkStatus();
  };
  return options;
}

std::vector<double> LossCurve(const std::string& out) {
  std::vector<double> losses;
  for (const auto& line :
       absl::StrSplit(*ReadFile(JoinPath(out, "metrics.jsonl")), '\n', absl::SkipEmpty())) {
    losses.push_back(nlohmann::json::parse(line).at("loss").get<double>());
  }
  return losses;
}

std::string Weights(const std::string& out) {
  return *ReadFile(JoinPath(out, "model/model.safetensors"));
}

// Machines sum f32 in other orders; ten steps at this rate amplify 1e-7 by less than a thousand.
constexpr double kCurveTolerance = 1e-4;

TEST(SftTest, TenStepLossCurve) {
  const std::string out = TempFolder();
  ALIDADE_ASSERT_OK(RunSft(Config(kInstructions), {"", Instructions()}, out, 1, Quiet()));
  const std::vector<double> losses = LossCurve(out);
  std::vector<std::string> text;
  for (const double loss : losses) text.push_back(absl::StrFormat("%.9g", loss));
  // A sameness golden: our own numbers, one thread. Updated from the message of a failure.
  const std::vector<double> golden = {7.99066782, 7.83300209, 7.47362518, 7.18000889, 6.88082981,
                                      6.62419939, 6.24176979, 6.18028069, 5.97161865, 5.85826683};
  ASSERT_EQ(losses.size(), 10);
  EXPECT_LT(RelativeError(losses, golden), kCurveTolerance) << absl::StrJoin(text, ", ");
}

TEST(SftTest, LossIsCaptionPlusWeightedAnswerCrossEntropy) {
  // The loss of the first step, from the model's own forward pass over each conversation alone.
  const std::string out = TempFolder(), initial = JoinPath(TempFolder(), "model");
  SftConfig config = Config(kInstructions);
  config.mutable_instructions()->set_batch_size(24);
  config.mutable_instructions()->set_answer_weight(2.5);
  config.mutable_loop()->set_steps(1);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const RunSummary summary,
                               RunSft(config, {"", Instructions()}, out, 1, Quiet()));
  ALIDADE_ASSERT_OK(WritePreset("tiny_world", 1, initial));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ModelFolder model, LoadModelFolder(initial));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto dataset, datasets::DatasetFolder::Open(Instructions()));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto records, dataset.InstructionRecords());
  ImageStore images(&dataset, model.preprocessor);
  std::map<std::string, double> sum, count;
  for (const datasets::InstructionRecord& record : records) {
    ALIDADE_ASSERT_OK_AND_ASSIGN(const EncodedConversation text,
                                 model.chat_template.Encode(*model.tokenizer, record.turns));
    ALIDADE_ASSERT_OK_AND_ASSIGN(const at::Tensor pixels,
                                 images.Pixels({images.Add(record.image)}));
    const int64_t length = static_cast<int64_t>(text.ids.size());
    const at::Tensor hidden =
        model.model.Forward(at::tensor(text.ids, at::kLong).unsqueeze(0),
                            model.model.EncodeImages(pixels), at::tensor({length}, at::kLong));
    const at::Tensor logp =
        at::log_softmax(at::linear(hidden, model.model.head()).to(at::kDouble), -1)[0];
    const int64_t patches = model.model.config().NumImageTokens();
    for (int64_t i = 0; i < length; ++i) {
      if (!text.scored[i]) continue;
      sum[record.kind] -= logp[i - 2 + patches][text.ids[i]].item<double>();
      count[record.kind] += 1;
    }
  }
  const double expected =
      sum["caption"] / count["caption"] + 2.5 * sum["questions"] / count["questions"];
  // f32 means over a few hundred tokens.
  EXPECT_NEAR(summary.final_loss, expected, 1e-5 * expected);
}

TEST(SftTest, StoppedAndContinuedGivesTheSameBits) {
  const std::string whole = TempFolder(), stopped = TempFolder();
  ALIDADE_ASSERT_OK(RunSft(Config(kInstructions), {"", Instructions()}, whole, 1, Quiet()));
  for (const int64_t stop : {3, 6, 10}) {
    EXPECT_THAT(RunSft(Config(kInstructions), {"", Instructions()}, stopped, 1, Quiet(stop)),
                StatusIs(absl::StatusCode::kCancelled));
  }
  ALIDADE_ASSERT_OK(RunSft(Config(kInstructions), {"", Instructions()}, stopped, 1, Quiet()));
  EXPECT_EQ(Weights(whole), Weights(stopped));
  EXPECT_EQ(*ReadFile(JoinPath(whole, "metrics.jsonl")),
            *ReadFile(JoinPath(stopped, "metrics.jsonl")));
}

TEST(SftTest, AccumulationEqualsTheBigBatch) {
  const std::string whole = TempFolder(), parts = TempFolder();
  SftConfig config = Config(kInstructions);
  config.mutable_loop()->set_steps(3);
  ALIDADE_ASSERT_OK(RunSft(config, {"", Instructions()}, whole, 1, Quiet()));
  config.mutable_loop()->set_accumulation(2);
  ALIDADE_ASSERT_OK(RunSft(config, {"", Instructions()}, parts, 1, Quiet()));
  EXPECT_LT(RelativeError(LossCurve(parts), LossCurve(whole)), 1e-5);
}

TEST(SftTest, ShardsGiveTheSameCurveAndTheSameBitsEveryTime) {
  const std::string whole = TempFolder(), first = TempFolder(), second = TempFolder();
  SftConfig config = Config(kInstructions);
  ALIDADE_ASSERT_OK(RunSft(config, {"", Instructions()}, whole, 1, Quiet()));
  config.mutable_loop()->set_shards(3);
  config.mutable_instructions()->set_batch_size(4);
  ALIDADE_ASSERT_OK(RunSft(config, {"", Instructions()}, first, 1, Quiet()));
  EXPECT_THAT(RunSft(config, {"", Instructions()}, second, 1, Quiet(6)),
              StatusIs(absl::StatusCode::kCancelled));
  ALIDADE_ASSERT_OK(RunSft(config, {"", Instructions()}, second, 1, Quiet()));
  EXPECT_EQ(Weights(first), Weights(second));
  EXPECT_LT(RelativeError(LossCurve(first), LossCurve(whole)), kCurveTolerance);
  config.mutable_loop()->set_accumulation(2);
  EXPECT_THAT(
      RunSft(config, {"", Instructions()}, TempFolder(), 1, Quiet()),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("loop.accumulation * loop.shards")));
}

TEST(SftTest, ChosenResponsesOfPairsStartFromAModel) {
  const std::string model = JoinPath(TempFolder(), "model"), out = TempFolder();
  ALIDADE_ASSERT_OK(WritePreset("tiny_world", 1, model));
  const SftConfig config = Config(R"(
    chosen { group { name: "captions" kind: "caption" batch_size: 4 } group { name: "answers" kind: "yes_no" batch_size: 8 weight: 3 } }
    frozen: "vision_tower."
    loop { epochs: 2 clip_norm: 1 log_every: 1 optimizer { learning_rate: 0.002 } schedule { decay: LINEAR warmup_steps: 2 } })");
  ALIDADE_ASSERT_OK_AND_ASSIGN(const RunSummary summary,
                               RunSft(config, {model, Pairs()}, out, 1, Quiet()));
  EXPECT_EQ(summary.steps, 6);
  const std::vector<double> losses = LossCurve(out);
  EXPECT_LT(losses.back(), losses.front());
  const auto first = nlohmann::json::parse(
      std::vector<std::string>(absl::StrSplit(*ReadFile(JoinPath(out, "metrics.jsonl")), '\n'))[0]);
  EXPECT_NEAR(first["loss"].get<double>(),
              first["captions/loss"].get<double>() + 3 * first["answers/loss"].get<double>(), 1e-5);
  // The frozen part is as it was, the rest is not.
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto before, models::Mllm::Load(model));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto after, models::Mllm::Load(JoinPath(out, "model")));
  for (const auto& [name, tensor] : before.parameters()) {
    EXPECT_EQ(at::equal(tensor, after.parameters().at(name)), name.rfind("vision_tower.", 0) == 0)
        << name;
  }
}

TEST(SftTest, ConfigErrors) {
  const std::string out = TempFolder();
  const auto run = [&](const std::string& text, const std::string& model = "") {
    return RunSft(Config(text), {model, Instructions()}, out, 1, Quiet()).status();
  };
  EXPECT_THAT(run("loop { steps: 1 }"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "data: expected one of instructions and chosen, got neither"));
  EXPECT_THAT(run("loop { steps: 1 } instructions { batch_size: 0 }"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "instructions.batch_size: expected >= 1, got 0"));
  EXPECT_THAT(run("loop { steps: 1 } instructions { answer_weight: -1 }"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "instructions.answer_weight: expected >= 0, got -1"));
  EXPECT_THAT(run("loop { steps: 1 } instructions {} preset: 'tiny_wrld'"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("tiny_world")));
  EXPECT_THAT(run("loop { steps: 1 } instructions {}"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "preset: expected either a preset or an input model, got neither"));
  EXPECT_THAT(run("loop { steps: 1 } instructions {} preset: 'tiny_world'", "model"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "preset: expected either a preset or an input model, got both"));
  EXPECT_THAT(run("loop { steps: 1 } instructions {} preset: 'tiny_world' frozen: 'vision.'"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("frozen[0]")));
  EXPECT_THAT(RunSft(Config(kInstructions), {"", "/absent"}, out, 1, Quiet()),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/absent")));
}

TEST(SftTest, AConversationLongerThanTheContextIsRefused) {
  // The same model with room for fewer tokens than a caption needs.
  const std::string model = JoinPath(TempFolder(), "model");
  ALIDADE_ASSERT_OK(WritePreset("tiny_world", 1, model));
  ALIDADE_ASSERT_OK_AND_ASSIGN(models::MllmConfig config,
                               models::LoadConfig(JoinPath(model, "config.json")));
  config.text.max_position_embeddings = 20;
  ALIDADE_ASSERT_OK(models::SaveConfig(config, JoinPath(model, "config.json")));
  EXPECT_THAT(RunSft(Config("loop { steps: 1 } instructions {}"), {model, Instructions()},
                     TempFolder(), 1, Quiet()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("record "), HasSubstr("at most the 20 tokens"),
                             HasSubstr("max_position_embeddings"))));
}

TEST(SftTest, AnEmptyOrAlteredDatasetIsRefused) {
  const std::string folder = JoinPath(TempFolder(), "data");
  ALIDADE_ASSERT_OK(WriteWorldInstructions(folder, 3, 1));
  const std::string records = JoinPath(folder, "records.jsonl");
  ALIDADE_ASSERT_OK(WriteFile(records, ""));
  EXPECT_THAT(RunSft(Config(kInstructions), {"", folder}, TempFolder(), 1, Quiet()),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("records.jsonl")));
}

TEST(PresetsTest, TheTinyWorldModelHasAbout196000Parameters) {
  const std::string folder = JoinPath(TempFolder(), "model"),
                    again = JoinPath(TempFolder(), "model");
  ALIDADE_ASSERT_OK(WritePreset("tiny_world", 1, folder));
  ALIDADE_ASSERT_OK(WritePreset("tiny_world", 1, again));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ModelFolder model, LoadModelFolder(folder));
  int64_t parameters = 0;
  for (const auto& [name, tensor] : model.model.parameters()) parameters += tensor.numel();
  EXPECT_GT(parameters, 190000);
  EXPECT_LT(parameters, 200000);
  EXPECT_EQ(*ModelFolderDigest(folder), *ModelFolderDigest(again));
  ALIDADE_ASSERT_OK(RemoveTree(again));
  ALIDADE_ASSERT_OK(WritePreset("tiny_world", 2, again));
  EXPECT_NE(*ModelFolderDigest(folder), *ModelFolderDigest(again));
}

}  // namespace
}  // namespace alidade::trainers
