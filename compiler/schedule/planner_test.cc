#include "compiler/schedule/planner.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/status/status_matchers.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/signature.h"
#include "compiler/testing/contrast.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::schedule {
namespace {

using ::alidade::testing::ContrastSignature;
using ::testing::HasSubstr;

Problem WideProblem(bool head_gradient) {
  Problem problem;
  problem.offsets = {{0, 64, 128, 192, 256}, {0, 64, 128, 192, 256}};
  problem.uses = {{.hidden_gradient = true}, {.hidden_gradient = true}, {}, {}};
  problem.heads = {{"policy", {512, 32000, head_gradient}}, {"reference", {512, 32000, false}}};
  return problem;
}

// Why `kind` is refused; empty: it is exact.
std::string Refusal(const Signature& signature, const Problem& problem, Kind kind) {
  const auto plan = MakePlan(signature, problem, {});
  EXPECT_THAT(plan, IsOk());
  for (const Candidate& candidate : plan->candidates) {
    if (candidate.kind == kind) return candidate.legal ? "" : candidate.reason;
  }
  return "not considered";
}

TEST(PlannerTest, ExactnessFollowsFromTheCoupling) {
  Signature signature = ContrastSignature();
  for (int64_t d : {0, 1}) signature.distributions[d].coupling.uniform = true;
  const Problem trained = WideProblem(true), frozen = WideProblem(false);
  EXPECT_EQ(Refusal(signature, trained, Kind::kS3), "");
  EXPECT_EQ(Refusal(signature, trained, Kind::kD), "");
  EXPECT_EQ(Refusal(signature, frozen, Kind::kF), "");
  EXPECT_THAT(Refusal(signature, trained, Kind::kF),
              HasSubstr("the head of 'policy' requires a gradient"));
  signature.distributions[0].coupling.uniform = false;
  EXPECT_EQ(Refusal(signature, trained, Kind::kD),
            "the weights of policy.chosen differ between tokens of a row");
  for (const Granularity granularity : {Granularity::kBatch, Granularity::kRanks}) {
    signature.distributions[1].coupling = {
        .granularity = granularity, .rank = 1, .reason = "a sort over rows"};
    for (const Kind kind : {Kind::kS3, Kind::kD}) {
      EXPECT_THAT(Refusal(signature, trained, kind),
                  HasSubstr("policy.rejected need the scores of all rows"));
    }
    EXPECT_EQ(Refusal(signature, frozen, Kind::kF), "");
    EXPECT_EQ(Refusal(signature, trained, Kind::kRC), "");
  }
  signature.distributions[0].coupling.granularity = Granularity::kKnown;
  signature.distributions[1].coupling.granularity = Granularity::kKnown;
  EXPECT_EQ(Refusal(signature, trained, Kind::kF), "");
}

TEST(PlannerTest, DenseCotangentsNeedTheirWeights) {
  Signature signature = ContrastSignature();
  signature.reads.push_back({.op = "entropy", .distribution = 0, .cotangent = 2});
  signature.distributions[0].coupling.dense = true;
  AssignRowPrograms(signature);
  for (const Kind kind : {Kind::kF, Kind::kD}) {
    EXPECT_THAT(Refusal(signature, WideProblem(false), kind),
                HasSubstr("the logit cotangent of policy.chosen is dense"));
  }
  signature.reads.back().op = "logit";
  signature.distributions[0].coupling.dense = false;
  AssignRowPrograms(signature);
  EXPECT_EQ(Refusal(signature, WideProblem(false), Kind::kF),
            "the logit cotangent of policy.chosen adds up several reads, each with its own weight");
}

TEST(PlannerTest, NamesDoNotMatter) {
  Signature signature = ContrastSignature();
  const Problem problem = WideProblem(true);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan plan, MakePlan(signature, problem, {}));
  signature.name = "kto";
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan renamed, MakePlan(signature, problem, {}));
  EXPECT_EQ(plan.schedule.Print(signature), renamed.schedule.Print(signature));
}

TEST(PlannerTest, AskingForWhatIsNotExactIsAnError) {
  const Signature signature = ContrastSignature();
  EXPECT_THAT(MakePlan(signature, WideProblem(true), {.schedule = "F"}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("F is not exact here: the head of 'policy'")));
  EXPECT_THAT(MakePlan(signature, WideProblem(true), {.schedule = "R"}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("it computes no gradient, which policy.chosen wants")));
  EXPECT_THAT(MakePlan(signature, WideProblem(true), {.schedule = "S4"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("expected one of R, S2, S3, F, D, RC, got 'S4'")));
}

TEST(PlannerTest, BudgetDecidesBetweenStoringAndChunks) {
  const Signature signature = ContrastSignature();
  const Problem problem = WideProblem(true);
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
  EXPECT_THAT(text, HasSubstr("slower than S3 by the cost model"));
  EXPECT_THAT(text, HasSubstr("the head of 'policy' requires a gradient"));
  EXPECT_THAT(text, HasSubstr("R: scored, logits never kept"));
  EXPECT_THAT(text, HasSubstr("target cpu"));
}

TEST(PlannerTest, EveryBudgetIsKept) {
  const Signature signature = ContrastSignature();
  const int64_t token = 4 * (32000 + 512);
  for (const bool head_gradient : {true, false}) {
    const Problem problem = WideProblem(head_gradient);
    for (const int64_t budget : {token, 3 * token, 100 * token, 200 * token, 1000 * token}) {
      ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan plan,
                                   MakePlan(signature, problem, {.memory_budget_bytes = budget}));
      EXPECT_LE(plan.schedule.workspace_bytes(), budget);
    }
    EXPECT_THAT(MakePlan(signature, problem, {.memory_budget_bytes = token - 1}),
                StatusIs(absl::StatusCode::kResourceExhausted,
                         HasSubstr("expected at least 130048 bytes, got 130047; S2 needs")));
  }
}

// One pair that fits no budget: its tokens are taken in pieces where its weight is one number, and
// twice where they have several.
TEST(PlannerTest, ARowLongerThanTheBudget) {
  Signature signature = ContrastSignature();
  Problem problem = WideProblem(true);
  problem.offsets = {{0, 4000}, {0, 4000}};
  problem.heads = {{"policy", {64, 2000, true}}, {"reference", {64, 2000, false}}};
  const int64_t budget = 8 << 20;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan twice,
                               MakePlan(signature, problem, {.memory_budget_bytes = budget}));
  EXPECT_EQ(twice.schedule.kind, Kind::kRC);
  for (int64_t d : {0, 1}) signature.distributions[d].coupling.uniform = true;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan pieces,
                               MakePlan(signature, problem, {.memory_budget_bytes = budget}));
  EXPECT_EQ(pieces.schedule.kind, Kind::kD);
  EXPECT_LE(pieces.schedule.workspace_bytes(), budget);
  EXPECT_EQ(pieces.schedule.accumulator_floats, 2 * 64 * 2000);
}

TEST(PlannerTest, EqualHeadsShareAGemmWhereThatFits) {
  const Signature signature = ContrastSignature();
  Problem problem = WideProblem(false);
  problem.offsets = {{0, 4, 8}, {0, 4, 8}};
  problem.heads["reference"].same_as = "policy";
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan plan, MakePlan(signature, problem, {}));
  EXPECT_THAT(plan.Explain(signature, problem), HasSubstr("equal heads share their GEMM"));
  EXPECT_THAT(plan.Explain(signature, problem), HasSubstr("the same tensor as policy"));
  int64_t gemms = 0;
  for (const Step& step : plan.schedule.steps) gemms += step.op == StepOp::kHeadGemm;
  EXPECT_EQ(gemms, 1);
  problem.heads["reference"].same_as = "refrence";
  EXPECT_THAT(MakePlan(signature, problem, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("got 'refrence'")));
}

TEST(PlannerTest, TargetsDiffer) {
  const Signature signature = ContrastSignature();
  Problem problem = WideProblem(true);
  problem.element_bytes = 2;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Machine gpu, FindMachine("h100"));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan plan, MakePlan(signature, problem, {.machine = gpu}));
  EXPECT_THAT(plan.Explain(signature, problem), HasSubstr("target h100"));
  EXPECT_THAT(plan.Explain(signature, problem), HasSubstr("bf16"));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan cpu, MakePlan(signature, problem, {}));
  EXPECT_LT(100 * plan.candidates[0].seconds, cpu.candidates[0].seconds);
  EXPECT_THAT(FindMachine("h10"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("did you mean 'h100'")));
}

// 2.5 and 2.2 of the analysis that the cost model follows: full head 3 GEMMs and 1 for the
// reference, frozen 2 and 1, recomputation one more.
TEST(PlannerTest, FlopsAreCounted) {
  const Signature signature = ContrastSignature();
  const double gemm = 2.0 * 512 * 512 * 32000;
  for (const bool head_gradient : {true, false}) {
    const Problem problem = WideProblem(head_gradient);
    ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan plan,
                                 MakePlan(signature, problem, {.chunk_tokens = 64}));
    const double passes = head_gradient ? 4 : 3;
    for (const Candidate& candidate : plan.candidates) {
      const double twice = candidate.kind == Kind::kRC ? 7.0 / 8 : 0;
      const bool head_in_f = head_gradient && candidate.kind == Kind::kF;
      if (head_in_f) continue;
      EXPECT_DOUBLE_EQ(candidate.flops, gemm * (passes + twice)) << KindName(candidate.kind);
    }
  }
}

TEST(PlannerTest, NothingToDifferentiateIsR) {
  const Signature signature = ContrastSignature();
  Problem problem = WideProblem(false);
  problem.uses = {{}, {}, {.provided = true}, {.provided = true}};
  for (const std::string asked : {"", "R", "S2"}) {
    ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan plan,
                                 MakePlan(signature, problem, {.schedule = asked}));
    EXPECT_EQ(plan.schedule.kind, Kind::kR);
    EXPECT_THAT(plan.Explain(signature, problem), HasSubstr("nothing requires a gradient"));
  }
  EXPECT_THAT(MakePlan(signature, problem, {.memory_budget_bytes = 1000}),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("R needs 130048")));
}

TEST(PlannerTest, ProblemsThatDoNotFitAreErrors) {
  const Signature signature = ContrastSignature();
  const auto expect = [&signature](const Problem& problem, const std::string& text) {
    EXPECT_THAT(MakePlan(signature, problem, {}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text)));
  };
  Problem problem = WideProblem(true);
  problem.offsets[1].pop_back();
  expect(problem, "offsets of token(rejected): expected 5 numbers, got 4");
  problem = WideProblem(true);
  problem.offsets[0][2] = 3;
  expect(problem, "offsets of token(chosen)[2]: expected at least 64, got 3");
  problem = WideProblem(true);
  problem.heads.erase("reference");
  expect(problem, "reference.head: expected a tensor [V, H] for reference.chosen, got none");
  problem = WideProblem(true);
  problem.uses[2] = {.provided = true, .logits = true};
  expect(problem, "reference.chosen: expected one of log-probabilities, logits and nothing");
  problem = WideProblem(true);
  problem.uses[2] = {.absent = true};
  expect(problem, "reference.chosen: expected its scored tokens, because there is no gradient");
  problem = WideProblem(true);
  problem.uses.pop_back();
  expect(problem, "uses: expected those of 4 distributions, got 3");
}

TEST(PlannerTest, LogProbabilitiesDoNotSufficeForOtherReads) {
  Signature signature = ContrastSignature();
  signature.reads.push_back({.op = "entropy", .distribution = 2});
  AssignRowPrograms(signature);
  Problem problem = WideProblem(true);
  problem.uses[2] = {.provided = true};
  EXPECT_THAT(MakePlan(signature, problem, {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("reference.chosen.logp: expected hidden states or logits")));
}

TEST(PlannerTest, GradientsThroughTwoModelsAreRefused) {
  Signature signature = ContrastSignature();
  signature.distributions[1].model = "second";
  Problem problem = WideProblem(true);
  problem.heads["second"] = {512, 32000, true};
  EXPECT_THAT(MakePlan(signature, problem, {}),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("'policy' and 'second'")));
}

}  // namespace
}  // namespace alidade::schedule
