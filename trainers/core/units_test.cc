// Optimiser, schedules, data order, config checks, curves: each against hand calculation or another
// implementation.
#include <ATen/ATen.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/status/status_matchers.h"
#include "common/tensor/named_tensors.h"
#include "common/testing/testing.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "trainers/core/adamw.h"
#include "trainers/core/append_file.h"
#include "trainers/core/config.h"
#include "trainers/core/data_order.h"
#include "trainers/core/event.pb.h"
#include "trainers/core/event_file.h"
#include "trainers/core/metrics_log.h"
#include "trainers/core/schedule.h"

namespace alidade::trainers {
namespace {

using ::google::protobuf::TextFormat;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// f32 rounds at 6e-8; a few operations per step over a few steps stay below this.
constexpr double kFloatTolerance = 2e-6;

LoopConfig Loop(const std::string& text) {
  LoopConfig config;
  EXPECT_TRUE(TextFormat::ParseFromString(text, &config)) << text;
  return config;
}

TEST(AdamWTest, FollowsTheAlgorithmByHand) {
  OptimizerConfig config;
  config.set_weight_decay(0.05);
  const NamedTensors parameters = {{"a", at::tensor({1.0f, -2.0f}).set_requires_grad(true)},
                                   {"b", at::tensor({0.5f}).set_requires_grad(true)}};
  AdamW optimizer(config, parameters);
  std::vector<double> p = {1.0, -2.0, 0.5}, m(3), v(3);
  for (int t = 1; t <= 5; ++t) {
    const double rate = 0.01 * t;
    const std::vector<double> g = {0.3 * t, -0.1, 2.0 - t};
    parameters.at("a").mutable_grad() = at::tensor({float(g[0]), float(g[1])});
    parameters.at("b").mutable_grad() = at::tensor({float(g[2])});
    ALIDADE_ASSERT_OK(optimizer.Step(rate));
    for (int i = 0; i < 3; ++i) {
      p[i] -= rate * 0.05 * p[i];
      m[i] = 0.9 * m[i] + 0.1 * g[i];
      v[i] = 0.98 * v[i] + 0.02 * g[i] * g[i];
      p[i] -= rate * (m[i] / (1 - std::pow(0.9, t))) /
              (std::sqrt(v[i] / (1 - std::pow(0.98, t))) + 1e-8);
    }
  }
  const at::Tensor a = parameters.at("a").detach(), b = parameters.at("b").detach();
  EXPECT_NEAR(a[0].item<double>(), p[0], kFloatTolerance);
  EXPECT_NEAR(a[1].item<double>(), p[1], kFloatTolerance);
  EXPECT_NEAR(b[0].item<double>(), p[2], kFloatTolerance);
  EXPECT_EQ(optimizer.num_updates(), 5);
}

TEST(AdamWTest, NormScalingAndMissingGradients) {
  OptimizerConfig config;
  config.set_weight_decay(0.5);
  const NamedTensors parameters = {{"a", at::ones({2}).set_requires_grad(true)},
                                   {"b", at::ones({1}).set_requires_grad(true)}};
  AdamW optimizer(config, parameters);
  EXPECT_THAT(optimizer.Step(0.1),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("none of the 2")));
  parameters.at("a").mutable_grad() = at::tensor({3.0f, 0.0f});
  ALIDADE_ASSERT_OK(optimizer.Step(0.1));
  EXPECT_LT(parameters.at("a")[0].item<double>(), 0.95);
  EXPECT_EQ(parameters.at("b").item<double>(), 1);  // not even decayed
  parameters.at("a").mutable_grad() = at::tensor({3.0f, 0.0f});
  parameters.at("b").mutable_grad() = at::tensor({4.0f});
  EXPECT_DOUBLE_EQ(optimizer.GradientNorm(), 5.0);
  optimizer.ScaleGradients(0.5);
  EXPECT_DOUBLE_EQ(optimizer.GradientNorm(), 2.5);
}

TEST(AdamWTest, RestoreChecksNamesAndShapes) {
  AdamW optimizer(OptimizerConfig(), {{"a", at::zeros({2})}});
  NamedTensors state = optimizer.State();
  EXPECT_EQ(state.size(), 2);
  state["first_moment.a"] = at::zeros({3});
  EXPECT_THAT(optimizer.Restore(state, 1),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("first_moment.a"), HasSubstr("[2]"), HasSubstr("[3]"))));
  state.erase("first_moment.a");
  EXPECT_THAT(optimizer.Restore(state, 1),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("is missing")));
  state["moment"] = at::zeros({1});
  EXPECT_THAT(optimizer.Restore(state, 1),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("unexpected tensor moment")));
}

TEST(ScheduleTest, RisesDecaysAndEndsAtTheFloor) {
  ScheduleConfig config;
  config.set_warmup_steps(10);
  EXPECT_DOUBLE_EQ(LearningRate(config, 2.0, 0, 111), 0.2);
  EXPECT_DOUBLE_EQ(LearningRate(config, 2.0, 9, 111), 2.0);
  EXPECT_DOUBLE_EQ(LearningRate(config, 2.0, 10, 111), 2.0);
  EXPECT_NEAR(LearningRate(config, 2.0, 60, 111), 2.0 * (0.05 + 0.95 * 0.5), 1e-12);
  EXPECT_NEAR(LearningRate(config, 2.0, 110, 111), 0.1, 1e-12);
  config.set_decay(ScheduleConfig::LINEAR);
  EXPECT_NEAR(LearningRate(config, 2.0, 35, 111), 2.0 * (0.05 + 0.95 * 0.75), 1e-12);
  EXPECT_NEAR(LearningRate(config, 2.0, 110, 111), 0.1, 1e-12);
  config.set_floor(1);
  EXPECT_DOUBLE_EQ(LearningRate(config, 2.0, 77, 111), 2.0);
}

TEST(DataOrderTest, EveryEpochHoldsEveryRecordOnceInAnotherOrder) {
  DataOrder order(7, {{"captions", 10, 4}, {"answers", 3, 5}});
  std::vector<int64_t> seen;
  for (int64_t step = 0; step < 5; ++step) {
    const std::vector<int64_t> rows = order.Rows(0, step);
    seen.insert(seen.end(), rows.begin(), rows.end());
  }
  const std::vector<int64_t> first(seen.begin(), seen.begin() + 10),
      second(seen.begin() + 10, seen.end());
  EXPECT_EQ(std::set<int64_t>(first.begin(), first.end()).size(), 10);
  EXPECT_EQ(std::set<int64_t>(second.begin(), second.end()).size(), 10);
  EXPECT_NE(first, second);
  EXPECT_EQ(order.Rows(1, 0).size(), 5);
  // A step's rows do not depend on what was asked for before.
  DataOrder fresh(7, {{"captions", 10, 4}, {"answers", 3, 5}});
  EXPECT_EQ(fresh.Rows(0, 3), order.Rows(0, 3));
  DataOrder other_seed(8, {{"captions", 10, 4}});
  EXPECT_NE(other_seed.Rows(0, 0), fresh.Rows(0, 0));
}

TEST(ConfigTest, LoopErrorsNameFieldExpectedAndGot) {
  ALIDADE_EXPECT_OK(ValidateLoop(Loop("epochs: 2"), "loop"));
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "loop: expected one of epochs and steps, got neither"},
      {"steps: 0", "loop.steps: expected >= 1, got 0"},
      {"epochs: -1", "loop.epochs: expected > 0, got -1"},
      {"steps: 1 clip_norm: 0", "loop.clip_norm: expected > 0, got 0"},
      {"steps: 1 accumulation: 0", "loop.accumulation: expected >= 1, got 0"},
      {"steps: 1 shards: 0", "loop.shards: expected >= 1, got 0"},
      {"steps: 1 checkpoint_every: 0", "loop.checkpoint_every: expected >= 1, got 0"},
      {"steps: 1 log_every: -3", "loop.log_every: expected >= 1, got -3"},
      {"steps: 1 optimizer { learning_rate: -0.1 }",
       "loop.optimizer.learning_rate: expected > 0, got -0.1"},
      {"steps: 1 optimizer { beta1: 1 }", "loop.optimizer.beta1: expected 0 <= beta1 < 1, got 1"},
      {"steps: 1 optimizer { beta2: nan }",
       "loop.optimizer.beta2: expected 0 <= beta2 < 1, got nan"},
      {"steps: 1 optimizer { epsilon: 0 }", "loop.optimizer.epsilon: expected > 0, got 0"},
      {"steps: 1 optimizer { weight_decay: inf }",
       "loop.optimizer.weight_decay: expected >= 0, got inf"},
      {"steps: 1 schedule { warmup_steps: -1 }",
       "loop.schedule.warmup_steps: expected >= 0, got -1"},
      {"steps: 1 schedule { floor: 1.5 }",
       "loop.schedule.floor: expected 0 <= floor <= 1, got 1.5"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(ValidateLoop(Loop(text), "loop"),
                StatusIs(absl::StatusCode::kInvalidArgument, message))
        << text;
  }
}

google::protobuf::RepeatedPtrField<RecordGroup> Groups(const std::vector<std::string>& texts) {
  google::protobuf::RepeatedPtrField<RecordGroup> groups;
  for (const std::string& text : texts)
    EXPECT_TRUE(TextFormat::ParseFromString(text, groups.Add())) << text;
  return groups;
}

TEST(ConfigTest, GroupErrors) {
  const std::string captions = "name: 'captions' kind: 'caption' batch_size: 4";
  ALIDADE_EXPECT_OK(ValidateGroups(Groups({captions}), "group"));
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "group: expected at least one, got none"},
      {{"name: 'A' kind: 'x' batch_size: 1"},
       "group[0].name: expected lower-case letters and underscores, got \"A\""},
      {{captions, captions}, "group[1].name: expected a new name, got \"captions\" again"},
      {{captions, "name: 'b' kind: 'caption' batch_size: 4"},
       "group[1].kind: expected a kind that no other group takes, got \"caption\" again"},
      {{"name: 'b' batch_size: 4"}, "group[0].kind: expected at least one, got none"},
      {{"name: 'b' kind: 'x'"}, "group[0].batch_size: expected >= 1, got 0"},
      {{"name: 'b' kind: 'x' batch_size: 1 weight: 0"}, "group[0].weight: expected > 0, got 0"},
  };
  for (const auto& [texts, message] : cases) {
    EXPECT_THAT(ValidateGroups(Groups(texts), "group"),
                StatusIs(absl::StatusCode::kInvalidArgument, message));
  }
}

TEST(ConfigTest, EveryKindNeedsAGroupAndEveryGroupRecords) {
  const auto groups = Groups({"name: 'c' kind: 'caption' batch_size: 1",
                              "name: 'a' kind: 'yes_no' kind: 'count' batch_size: 1"});
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto rows,
                               AssignToGroups(groups, "group", {"count", "caption", "yes_no"}));
  EXPECT_THAT(rows, ElementsAre(ElementsAre(1), ElementsAre(0, 2)));
  EXPECT_THAT(AssignToGroups(groups, "group", {"caption", "colour"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("no group takes records of kind \"colour\"")));
  EXPECT_THAT(AssignToGroups(groups, "group", {"caption"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("group[1] (a)")));
}

TEST(ConfigTest, FrozenPrefixesMustFit) {
  const NamedTensors parameters = {{"vision.a", at::zeros({1})}, {"text.b", at::zeros({1})}};
  google::protobuf::RepeatedPtrField<std::string> frozen;
  *frozen.Add() = "vision.";
  ALIDADE_ASSERT_OK_AND_ASSIGN(const NamedTensors trained, TrainedParameters(parameters, frozen));
  EXPECT_EQ(trained.count("text.b"), 1);
  EXPECT_EQ(trained.size(), 1);
  *frozen.Add() = "visoin.a";
  EXPECT_THAT(TrainedParameters(parameters, frozen),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("frozen[1]"), HasSubstr("vision.a"))));
  frozen[1] = "text";
  EXPECT_THAT(TrainedParameters(parameters, frozen),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("got none")));
}

TEST(EventFileTest, ChecksumOfTheStandard) {
  // RFC 3720, appendix B.4.
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
}

uint64_t ReadLittleEndian(const std::string& bytes, size_t begin, int count) {
  uint64_t value = 0;
  for (int i = count - 1; i >= 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[begin + i]);
  return value;
}

uint32_t Unmask(uint32_t masked) {
  const uint32_t rotated = masked - 0xa282ead8u;
  return (rotated >> 17) | (rotated << 15);
}

// Reads all events of a file, with both checksums checked.
std::vector<Event> ReadEvents(const std::string& bytes) {
  std::vector<Event> events;
  for (size_t at = 0; at < bytes.size();) {
    const uint64_t length = ReadLittleEndian(bytes, at, 8);
    EXPECT_EQ(Unmask(ReadLittleEndian(bytes, at + 8, 4)), Crc32c(bytes.substr(at, 8)));
    const std::string payload = bytes.substr(at + 12, length);
    EXPECT_EQ(Unmask(ReadLittleEndian(bytes, at + 12 + length, 4)), Crc32c(payload));
    EXPECT_TRUE(events.emplace_back().ParseFromString(payload));
    at += 16 + length;
  }
  return events;
}

TEST(EventFileTest, RecordBytesByHand) {
  // Event { step: 3 summary { value { tag: "a" simple_value: 1.0 } } wall_time: 0.0 } in the wire
  // format.
  const std::string payload(
      "\x09\0\0\0\0\0\0\0\0\x10\x03\x2a\x0a\x0a\x08\x0a\x01\x61\x15\0\0\x80\x3f", 23);
  EXPECT_EQ(EncodeScalars(0, 3, {{"a", 1.0}}), EncodeRecord(payload));
}

TEST(MetricsLogTest, SamePointsInBothFilesAndCutBackToAPosition) {
  const std::string folder = TempFolder();
  MetricsPosition position;
  {
    ALIDADE_ASSERT_OK_AND_ASSIGN(auto log, MetricsLog::Open(folder, {}));
    ALIDADE_ASSERT_OK(log->Write(1, {{"loss", 0.1}, {"rate", 1e-5}}));
    ALIDADE_ASSERT_OK_AND_ASSIGN(position, log->Sync());
    ALIDADE_ASSERT_OK(log->Write(2, {{"loss", 99}}));
  }
  {
    ALIDADE_ASSERT_OK_AND_ASSIGN(auto log, MetricsLog::Open(folder, position));
    ALIDADE_ASSERT_OK(log->Write(2, {{"loss", 0.25}}));
    EXPECT_THAT(log->Write(3, {{"loss", NAN}}),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         AllOf(HasSubstr("step 3"), HasSubstr("loss"), HasSubstr("nan"))));
  }
  EXPECT_THAT(
      ReadFile(JoinPath(folder, "metrics.jsonl")),
      IsOkAndHolds("{\"step\":1,\"loss\":0.1,\"rate\":1e-05}\n{\"step\":2,\"loss\":0.25}\n"));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string bytes,
                               ReadFile(JoinPath(folder, "events/events.out.tfevents.alidade")));
  const std::vector<Event> events = ReadEvents(bytes);
  ASSERT_EQ(events.size(), 3);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_EQ(events[1].step(), 1);
  EXPECT_EQ(events[1].summary().value(1).tag(), "rate");
  EXPECT_EQ(events[1].summary().value(1).simple_value(), 1e-5f);
  EXPECT_EQ(events[2].summary().value(0).simple_value(), 0.25f);
}

TEST(MetricsLogTest, ACurveShorterThanItsCheckpointIsDataLoss) {
  const std::string folder = TempFolder();
  ALIDADE_ASSERT_OK(WriteFile(JoinPath(folder, "metrics.jsonl"), "{}\n"));
  EXPECT_THAT(MetricsLog::Open(folder, {100, 0}),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("metrics.jsonl"), HasSubstr("100"), HasSubstr("got 3"))));
  EXPECT_THAT(ReadFile(JoinPath(folder, "metrics.jsonl")), IsOkAndHolds("{}\n"));
  EXPECT_THAT(AppendFile::Open(JoinPath(folder, "absent"), 5),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("the file is gone")));
}

}  // namespace
}  // namespace alidade::trainers
