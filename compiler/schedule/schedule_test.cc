#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/status/status_matchers.h"
#include "compiler/schedule/interpreter.h"
#include "compiler/schedule/planner.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/signature.h"
#include "compiler/testing/contrast.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::schedule {
namespace {

using ::alidade::testing::ContrastScalars;
using ::alidade::testing::ContrastSignature;
using ::testing::HasSubstr;

// Schedules differ only in the order of f64 sums of tens of terms.
constexpr double kOrderTolerance = 1e-12;
// Central differences at step 1e-5 of values near 1: truncation 1e-10, cancellation 1e-11.
constexpr double kDifferenceTolerance = 1e-7;
constexpr double kStep = 1e-5;

constexpr int64_t kHidden = 5, kVocabulary = 7;

absl::Status ContrastBlock(const ScalarCall& call) {
  ContrastScalars<double>(call.reads.data(), call.offsets.data(), call.hyperparameters.data(),
                          call.cotangents.data(), call.results, call.row_begin, call.row_end,
                          call.num_rows);
  return absl::OkStatus();
}

Problem TestProblem(bool head_gradient) {
  Problem problem;
  problem.offsets = {{0, 3, 3, 7, 9}, {0, 2, 5, 6, 10}};  // row 1 has no chosen token
  problem.uses = {{.hidden_gradient = true}, {.hidden_gradient = true}, {}, {}};
  problem.heads = {{"policy", {kHidden, kVocabulary, head_gradient}},
                   {"reference", {kHidden, kVocabulary, false}}};
  return problem;
}

std::vector<double> Normal(std::mt19937& generator, size_t size) {
  std::normal_distribution<double> normal;
  std::vector<double> values(size);
  for (double& value : values) value = normal(generator);
  return values;
}

InterpreterInputs TestInputs(const Signature& signature, const Problem& problem) {
  std::mt19937 generator(7);
  InterpreterInputs inputs;
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    const int64_t tokens = NumTokens(signature, problem, d);
    InterpreterInputs::Scores scores;
    scores.hidden = Normal(generator, tokens * kHidden);
    for (int64_t t = 0; t < tokens; ++t) scores.labels.push_back((3 * t) % kVocabulary);
    inputs.distributions.push_back(scores);
  }
  inputs.heads["policy"] = Normal(generator, kHidden * kVocabulary);
  inputs.heads["reference"] = Normal(generator, kHidden * kVocabulary);
  inputs.hyperparameters = {2.0, 0.25};
  return inputs;
}

InterpreterOutputs RunKind(const Problem& problem, const InterpreterInputs& inputs,
                           const std::string& kind, int64_t chunk_tokens) {
  const Signature signature = ContrastSignature();
  auto plan = MakePlan(signature, problem, {.schedule = kind, .chunk_tokens = chunk_tokens});
  EXPECT_THAT(plan, IsOk());
  auto outputs = InterpretSchedule(signature, problem, plan->schedule, inputs, ContrastBlock);
  EXPECT_THAT(outputs, IsOk());
  return *outputs;
}

void ExpectNear(const std::vector<double>& a, const std::vector<double>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i)
    EXPECT_NEAR(a[i], b[i], tolerance * std::max(1.0, std::abs(b[i]))) << i;
}

TEST(SignatureTest, JsonRoundTrip) {
  const std::string json = SignatureToJson(ContrastSignature());
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Signature read, SignatureFromJson(json));
  EXPECT_EQ(SignatureToJson(read), json);
  EXPECT_EQ(read.distributions[2].Name(), "reference.chosen");
  EXPECT_EQ(read.num_cotangents(), 2);
  EXPECT_TRUE(std::isinf(read.hyperparameters[0].high));
}

TEST(SignatureTest, NamesOfViews) {
  Distribution distribution{
      .model = "policy", .response = "chosen", .view = "corrupted", .view_argument = "crop"};
  EXPECT_EQ(distribution.Name(), "policy.chosen@corrupted(crop)");
  distribution.shared_view = true;
  EXPECT_EQ(distribution.Name(), "policy.chosen@corrupted(crop)+shared");
}

TEST(SignatureTest, ErrorsNameTheMember) {
  const auto edited = [](const std::string& from, const std::string& to) {
    std::string json = SignatureToJson(ContrastSignature());
    json.replace(json.find(from), from.size(), to);
    return SignatureFromJson(json).status();
  };
  const auto code = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(edited("\"rank\": 2", "\"rank\": \"2\""),
              StatusIs(code, HasSubstr("distributions[0].coupling.rank: expected")));
  EXPECT_THAT(edited("\"rank\": 2", "\"rnak\": 2"),
              StatusIs(code, HasSubstr("coupling.rank: missing")));
  EXPECT_THAT(edited("\"cotangent\": 1", "\"cotangent\": 3"),
              StatusIs(code, HasSubstr("reads[1].cotangent: expected -1 or 1, got 3")));
  EXPECT_THAT(edited("\"row\"", "\"rwo\""),
              StatusIs(code, HasSubstr("expected known, token, row, batch or ranks, got 'rwo'")));
  EXPECT_THAT(
      edited("\"default\": 0.25", "\"default\": 1.5"),
      StatusIs(code, HasSubstr("hyperparameters.weight.default: expected in [0, 1], got 1.5")));
  EXPECT_THAT(SignatureFromJson("{"), StatusIs(code, HasSubstr("not valid JSON")));
}

TEST(ScheduleTest, EveryScheduleGivesTheSameNumbers) {
  for (bool head_gradient : {true, false}) {
    const Problem problem = TestProblem(head_gradient);
    const InterpreterInputs inputs = TestInputs(ContrastSignature(), problem);
    const InterpreterOutputs expected = RunKind(problem, inputs, "S2", 0);
    for (const std::string kind : {"S2", "S3", "F"}) {
      if (kind == "F" && head_gradient) continue;
      for (int64_t chunk : {1, 4, 9, 100}) {
        SCOPED_TRACE(kind + " chunk " + std::to_string(chunk));
        const InterpreterOutputs got = RunKind(problem, inputs, kind, chunk);
        EXPECT_NEAR(got.loss, expected.loss, kOrderTolerance * std::abs(expected.loss));
        ExpectNear(got.metrics, expected.metrics, kOrderTolerance);
        for (size_t d = 0; d < 4; ++d) {
          ExpectNear(got.logp[d], expected.logp[d], kOrderTolerance);
          ExpectNear(got.hidden_gradients[d], expected.hidden_gradients[d], kOrderTolerance);
        }
        ASSERT_EQ(got.head_gradients.size(), head_gradient ? 1 : 0);
        if (head_gradient)
          ExpectNear(got.head_gradients.at("policy"), expected.head_gradients.at("policy"),
                     kOrderTolerance);
      }
    }
  }
}

TEST(ScheduleTest, GradientsAreCentralDifferences) {
  const Problem problem = TestProblem(true);
  InterpreterInputs inputs = TestInputs(ContrastSignature(), problem);
  const InterpreterOutputs outputs = RunKind(problem, inputs, "S3", 4);
  const auto difference = [&](double& value) {
    const double saved = value;
    value = saved + kStep;
    const double above = RunKind(problem, inputs, "S2", 0).loss;
    value = saved - kStep;
    const double below = RunKind(problem, inputs, "S2", 0).loss;
    value = saved;
    return (above - below) / (2 * kStep);
  };
  for (size_t d = 0; d < 2; ++d) {
    for (size_t i = 0; i < inputs.distributions[d].hidden.size(); i += 3) {
      const double expected = difference(inputs.distributions[d].hidden[i]);
      EXPECT_NEAR(outputs.hidden_gradients[d][i], expected,
                  kDifferenceTolerance * std::max(1.0, std::abs(expected)));
    }
  }
  for (size_t i = 0; i < inputs.heads["policy"].size(); i += 4) {
    const double expected = difference(inputs.heads["policy"][i]);
    EXPECT_NEAR(outputs.head_gradients.at("policy")[i], expected,
                kDifferenceTolerance * std::max(1.0, std::abs(expected)));
  }
}

TEST(ScheduleTest, ChunksOfS3HoldWholeRows) {
  const Signature signature = ContrastSignature();
  const Schedule schedule = BuildSchedule(signature, TestProblem(true), Kind::kS3,
                                          {.gradient_tokens = 6, .reference_tokens = 6});
  int64_t previous = 0;
  for (const Step& step : schedule.steps) {
    if (step.op != StepOp::kScalarBlock || step.results) continue;
    EXPECT_EQ(step.row_begin, previous);
    previous = step.row_end;
  }
  EXPECT_EQ(previous, 4);
  EXPECT_THAT(schedule.Print(signature), HasSubstr("head_grad_gemm #"));
}

TEST(PlannerTest, FrozenHeadTakesFOnlyWithoutHeadGradient) {
  const Signature signature = ContrastSignature();
  EXPECT_THAT(MakePlan(signature, TestProblem(true), {.schedule = "F"}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("the head of 'policy' requires a gradient")));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan plan,
                               MakePlan(signature, TestProblem(false), {.schedule = "F"}));
  EXPECT_EQ(plan.schedule.kind, Kind::kF);
}

TEST(PlannerTest, BatchCouplingRulesOutS3) {
  Signature signature = ContrastSignature();
  signature.distributions[1].coupling = {
      .granularity = Granularity::kBatch, .rank = 1, .reason = "a sort over rows"};
  EXPECT_THAT(MakePlan(signature, TestProblem(true), {.schedule = "S3"}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("policy.rejected need the scores of all rows: a sort")));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan plan, MakePlan(signature, TestProblem(true), {}));
  EXPECT_EQ(plan.schedule.kind, Kind::kS2);
}

TEST(PlannerTest, BudgetDecidesBetweenStoringAndChunks) {
  const Signature signature = ContrastSignature();
  Problem problem = TestProblem(true);
  problem.heads = {{"policy", {512, 32000, true}}, {"reference", {512, 32000, false}}};
  problem.offsets = {{0, 64, 128, 192, 256}, {0, 64, 128, 192, 256}};
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan wide,
                               MakePlan(signature, problem, {.memory_budget_bytes = 1 << 30}));
  EXPECT_EQ(wide.schedule.kind, Kind::kS2);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan narrow,
                               MakePlan(signature, problem, {.memory_budget_bytes = 40 << 20}));
  EXPECT_EQ(narrow.schedule.kind, Kind::kS3);
  EXPECT_LE(narrow.schedule.workspace_bytes(), 40 << 20);
  const std::string text = narrow.Explain(signature, problem);
  EXPECT_THAT(text, HasSubstr("exceeds the budget 40.0 MiB"));
  EXPECT_THAT(text, HasSubstr("chosen: fastest within the budget"));
  EXPECT_THAT(text, HasSubstr("the head of 'policy' requires a gradient"));
  EXPECT_THAT(text, HasSubstr("R: scored, logits never kept"));
  EXPECT_THAT(MakePlan(signature, problem, {.memory_budget_bytes = 1 << 20}),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("S3 needs")));
  EXPECT_THAT(MakePlan(signature, problem, {.schedule = "S4"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("expected one of S2, S3, F, got 'S4'")));
}

TEST(PlannerTest, NothingToDifferentiateIsR) {
  const Signature signature = ContrastSignature();
  Problem problem = TestProblem(false);
  problem.uses = {{}, {}, {.provided = true}, {.provided = true}};
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan plan, MakePlan(signature, problem, {}));
  EXPECT_EQ(plan.schedule.kind, Kind::kR);
  EXPECT_THAT(plan.Explain(signature, problem), HasSubstr("nothing requires a gradient"));
}

TEST(PlannerTest, GradientsThroughTwoModelsAreRefused) {
  Signature signature = ContrastSignature();
  signature.distributions[1].model = "second";
  Problem problem = TestProblem(true);
  problem.heads["second"] = {kHidden, kVocabulary, true};
  EXPECT_THAT(MakePlan(signature, problem, {}),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("'policy' and 'second'")));
}

}  // namespace
}  // namespace alidade::schedule
