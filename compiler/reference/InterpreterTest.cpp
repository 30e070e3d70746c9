// Values of operations, ragged reductions and the checks of a batch.

#include "compiler/reference/Interpreter.h"

#include <cmath>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include "absl/strings/str_cat.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"

#include "common/status/status_matchers.h"
#include "compiler/dialect/pref/ObjectiveInfo.h"

namespace alidade::pref {
namespace {

using testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();

// Parses without simplifying, so that the interpreter and not the folder computes.
mlir::OwningOpRef<mlir::ModuleOp> Parse(const std::string& text, mlir::MLIRContext& context) {
  context.loadDialect<PrefDialect>();
  return mlir::parseSourceString<mlir::ModuleOp>(text, &context);
}

ObjectiveOp Objective(mlir::OwningOpRef<mlir::ModuleOp>& module) {
  return *module->getOps<ObjectiveOp>().begin();
}

struct PointCase {
  const char* line;  // computes %y of %a, %b, %c
  double a, b, c;
  double expected;
};

// Expected values are from the definition of the operation, at points where a careless formula
// fails.
const PointCase kPoints[] = {
    {"%y = pref.log_sigmoid %a", -1e4, 0, 0, -1e4},
    {"%y = pref.log_sigmoid %a", 1e4, 0, 0, 0},
    {"%y = pref.log_sigmoid %a", 0, 0, 0, -std::log(2.0)},
    {"%y = pref.softplus %a", 1e4, 0, 0, 1e4},
    {"%y = pref.softplus %a", -1e4, 0, 0, 0},
    {"%y = pref.sigmoid %a", -1e4, 0, 0, 0},
    {"%y = pref.sigmoid %a", 1e4, 0, 0, 1},
    {"%y = pref.sigmoid %a", 2, 0, 0, 0.88079707797788243},
    {"%y = pref.log1mexp %a", -1e-12, 0, 0, std::log(1e-12) - 5e-13},
    {"%y = pref.log1mexp %a", -800, 0, 0, 0},
    {"%y = pref.log1mexp %a", -1, 0, 0, std::log(1 - std::exp(-1.0))},
    {"%y = pref.logaddexp %a, %b", 1e4, 1e4, 0, 1e4 + std::log(2.0)},
    {"%y = pref.logaddexp %a, %b", -1e4, 1e4, 0, 1e4},
    {"%y = pref.log1p %a", 1e-18, 0, 0, 1e-18},
    {"%y = pref.expm1 %a", 1e-18, 0, 0, 1e-18},
    {"%y = pref.exp %a", 1e4, 0, 0, kInf},
    {"%y = pref.log %a", 0, 0, 0, -kInf},
    {"%y = pref.neg %a", 3, 0, 0, -3},
    {"%y = pref.abs %a", -3, 0, 0, 3},
    {"%y = pref.square %a", -3, 0, 0, 9},
    {"%y = pref.sqrt %a", 9, 0, 0, 3},
    {"%y = pref.relu %a", -3, 0, 0, 0},
    {"%y = pref.relu %a", 3, 0, 0, 3},
    {"%y = pref.sign %a", -3, 0, 0, -1},
    {"%y = pref.sign %a", 0, 0, 0, 0},
    {"%y = pref.stop_gradient %a", 5, 0, 0, 5},
    {"%y = pref.add %a, %b", 2, 5, 0, 7},
    {"%y = pref.sub %a, %b", 2, 5, 0, -3},
    {"%y = pref.mul %a, %b", 2, 5, 0, 10},
    {"%y = pref.div %a, %b", 2, 5, 0, 0.4},
    {"%y = pref.min %a, %b", 2, 5, 0, 2},
    {"%y = pref.max %a, %b", 2, 5, 0, 5},
    {"%y = pref.pow %a, %b", 2, 5, 0, 32},
    {"%y = pref.compare eq %a, %b", 2, 5, 0, 0},
    {"%y = pref.compare ne %a, %b", 2, 5, 0, 1},
    {"%y = pref.compare lt %a, %b", 2, 5, 0, 1},
    {"%y = pref.compare le %a, %b", 5, 5, 0, 1},
    {"%y = pref.compare gt %a, %b", 2, 5, 0, 0},
    {"%y = pref.compare ge %a, %b", 5, 5, 0, 1},
    {"%y = pref.where %a, %b, %c", 0, 5, 7, 7},
    {"%y = pref.where %a, %b, %c", -1, 5, 7, 5},
    {"%y = pref.clamp %a, %b, %c", 1, 2, 3, 2},
    {"%y = pref.clamp %a, %b, %c", 4, 2, 3, 3},
    {"%y = pref.clamp %a, %b, %c", 2.5, 2, 3, 2.5},
};

TEST(Interpreter, Points) {
  mlir::MLIRContext context;
  for (const PointCase& point : kPoints) {
    auto module = Parse(absl::StrCat(R"(pref.objective @point {
      %a = pref.hyper "a" default 1 in (-inf, inf)
      %b = pref.hyper "b" default 1 in (-inf, inf)
      %c = pref.hyper "c" default 1 in (-inf, inf)
      )",
                                     point.line, R"(
      pref.yield %y
    })"),
                        context);
    ASSERT_TRUE(module) << point.line;
    Batch batch;
    batch.hyperparameters = {{"a", point.a}, {"b", point.b}, {"c", point.c}};
    absl::StatusOr<Evaluation> result = interpret(Objective(module), batch);
    ASSERT_THAT(result, IsOk()) << point.line;
    EXPECT_DOUBLE_EQ(result->loss, point.expected)
        << point.line << " of " << point.a << ", " << point.b;
  }
}

// Ragged responses, one of them empty: a mean of nothing is 0.
TEST(Interpreter, Reductions) {
  mlir::MLIRContext context;
  auto module = Parse(R"(pref.objective @reductions {
    %t = pref.logprob policy(chosen)
    %s = pref.sum %t over token
    %m = pref.mean %t over token
    %n = pref.count over token(chosen)
    %rows = pref.count over row
    %centred = pref.sub %t, %m
    %zero = pref.sum %centred over token
    %total = pref.sum %s over row
    pref.yield %total metrics("sum" = %s, "mean" = %m, "count" = %n, "rows" = %rows, "centred" = %zero)
  })",
                      context);
  ASSERT_TRUE(module);
  Batch batch;
  batch.numRows = 3;
  batch.offsets["token(chosen)"] = {0, 3, 3, 4};
  batch.reads["policy.chosen"] = {-1, -2, -6, -4};
  absl::StatusOr<Evaluation> result = interpret(Objective(module), batch);
  ASSERT_THAT(result, IsOk());
  EXPECT_DOUBLE_EQ(result->loss, -13);
  EXPECT_DOUBLE_EQ(result->metrics["sum"], -13.0 / 3);
  EXPECT_DOUBLE_EQ(result->metrics["mean"], (-3.0 + 0 - 4) / 3);
  EXPECT_DOUBLE_EQ(result->metrics["count"], 4.0 / 3);
  EXPECT_DOUBLE_EQ(result->metrics["rows"], 3);
  EXPECT_DOUBLE_EQ(result->metrics["centred"], 0);
  EXPECT_TRUE(result->cotangents.empty());
}

// Two prompts with 2 and 3 responses: reductions go from tokens to members to rows.
TEST(Interpreter, Members) {
  mlir::MLIRContext context;
  auto module = Parse(R"(pref.objective @members {
    %a = pref.input "advantage" over [row, member]
    %t = pref.logprob policy(member)
    %s = pref.sum %t over token
    %w = pref.mul %s, %a
    %g = pref.mean %w over member
    %n = pref.count over member
    %length = pref.count over token(member)
    %longest = pref.mean %length over member
    %place = pref.position over token(member)
    %late = pref.mul %t, %place
    %l = pref.sum %late over token
    %m = pref.sum %l over member
    %i = pref.pair_index first
    %j = pref.pair_index second
    %ten = pref.constant 10
    %i10 = pref.mul %i, %ten
    %code = pref.add %i10, %j
    %codes = pref.sum %code over pair
    %pairs = pref.count over pair
    %loss = pref.sum %g over row
    pref.yield %loss metrics("n" = %n, "length" = %longest, "late" = %m, "codes" = %codes, "pairs" = %pairs)
  })",
                      context);
  ASSERT_TRUE(module);
  Batch batch;
  batch.numRows = 2;
  batch.offsets["member"] = {0, 2, 5};
  batch.offsets["token(member)"] = {0, 2, 3, 4, 4, 7};
  batch.reads["policy.member"] = {-1, -2, -3, -4, -5, -6, -7};
  batch.inputs["advantage"] = {1, -1, 2, 3, 0.5};
  absl::StatusOr<Evaluation> result = interpret(Objective(module), batch);
  ASSERT_THAT(result, IsOk());
  EXPECT_DOUBLE_EQ(result->loss, (-3.0 + 3) / 2 + (-8.0 + 0 - 9) / 3);
  EXPECT_DOUBLE_EQ(result->metrics["n"], 2.5);
  EXPECT_DOUBLE_EQ(result->metrics["length"], (1.5 + 4.0 / 3) / 2);
  EXPECT_DOUBLE_EQ(result->metrics["late"], (-2.0 + -6 - 14) / 2);
  EXPECT_DOUBLE_EQ(result->metrics["codes"], (1.0 + (1 + 2 + 12)) / 2);
  EXPECT_DOUBLE_EQ(result->metrics["pairs"], 2);
}

TEST(Interpreter, StatesOptionsAndInputs) {
  mlir::MLIRContext context;
  auto module = Parse(R"(pref.objective @running {
    %mean = pref.state "mean" default 0.25
    %decay = pref.input "decay" over []
    %t = pref.logprob policy(chosen)
    %h = pref.entropy policy(chosen)
    %s = pref.sum %t over token
    %e = pref.mean %h over token
    %x = pref.option "of" default "score" of "score" = %s, "entropy" = %e, "state" = %mean
    %m = pref.mean %x over row
    %old = pref.mul %decay, %mean
    %new = pref.add %old, %m
    pref.update "mean" = %new
    pref.yield %m metrics("mean" = %mean)
  })",
                      context);
  ASSERT_TRUE(module);
  Batch batch;
  batch.numRows = 2;
  batch.offsets["token(chosen)"] = {0, 1, 3};
  batch.reads["policy.chosen"] = {-1, -2, -3};
  batch.reads["policy.chosen#entropy"] = {4, 2, 6};
  batch.inputs["decay"] = {0.5};
  absl::StatusOr<Evaluation> result = interpret(Objective(module), batch);
  ASSERT_THAT(result, IsOk());
  EXPECT_DOUBLE_EQ(result->loss, -3);
  EXPECT_DOUBLE_EQ(result->metrics["mean"], 0.25);
  EXPECT_DOUBLE_EQ(result->states["mean"], 0.125 - 3);
  batch.states["mean"] = 8;
  batch.options["of"] = "entropy";
  result = interpret(Objective(module), batch);
  ASSERT_THAT(result, IsOk());
  EXPECT_DOUBLE_EQ(result->loss, 4);
  EXPECT_DOUBLE_EQ(result->states["mean"], 8);
  batch.options["of"] = "state";
  EXPECT_DOUBLE_EQ(interpret(Objective(module), batch)->loss, 8);
}

// The first numbers of splitmix64 from the state seed * 0x9E3779B97F4A7C15 + k + 1, computed apart.
TEST(Interpreter, UniformNumbers) {
  EXPECT_DOUBLE_EQ(uniformAt(0, 0), 0.3381666012719898);
  EXPECT_DOUBLE_EQ(uniformAt(0, 1), 0.8586764687735633);
  EXPECT_DOUBLE_EQ(uniformAt(7.9, 3), 0.9206799357119668);
  EXPECT_DOUBLE_EQ(uniformAt(-1, 0), 0.9186752475135012);
  EXPECT_DOUBLE_EQ(uniformAt(1e300, 5), uniformAt(0x1p62, 5));
  EXPECT_DOUBLE_EQ(uniformAt(std::nan(""), 5), uniformAt(0, 5));
  double sum = 0, squares = 0;
  for (int i = 0; i < 10000; ++i) {
    double u = uniformAt(3, i);
    ASSERT_GT(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    squares += u * u;
  }
  // Standard errors 0.0029 and 0.003.
  EXPECT_NEAR(sum / 10000, 0.5, 0.015);
  EXPECT_NEAR(squares / 10000, 1.0 / 3, 0.015);
}

TEST(Interpreter, PairsFollowFromMembers) {
  EXPECT_EQ(pairOffsets({0, 4, 5, 5, 7}), (std::vector<int64_t>{0, 6, 6, 6, 7}));
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (int64_t i = 0; i < 6; ++i) pairs.push_back(pairMembers(i, 4));
  EXPECT_EQ(pairs, (std::vector<std::pair<int64_t, int64_t>>{
                       {0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}}));
}

class BatchTest : public testing::Test {
 protected:
  BatchTest()
      : module(Parse(R"(pref.objective @batch {
    %beta = pref.hyper "beta" default 0.1 in (0, inf)
    %t = pref.logprob policy(chosen)
    %r = pref.logprob reference(chosen)
    %d = pref.sub %t, %r
    %s = pref.sum %d over token
    %b = pref.mul %s, %beta
    %m = pref.mean %b over row
    pref.yield %m
  })",
                     context)) {
    batch.numRows = 2;
    batch.offsets["token(chosen)"] = {0, 1, 3};
    batch.reads["policy.chosen"] = {-1, -2, -3};
    batch.reads["reference.chosen"] = {-1, -1, -1};
  }

  // The message of the error that the batch gives.
  std::string Message() {
    absl::StatusOr<Evaluation> result = interpret(Objective(module), batch);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(result.status().message());
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  Batch batch;
};

TEST_F(BatchTest, Accepts) {
  absl::StatusOr<Evaluation> result = interpret(Objective(module), batch);
  ASSERT_THAT(result, IsOk());
  EXPECT_DOUBLE_EQ(result->loss, 0.1 * -3 / 2);
}

TEST_F(BatchTest, RejectsMissingOffsets) {
  batch.offsets.clear();
  EXPECT_THAT(Message(), HasSubstr("offsets token(chosen): missing"));
}

TEST_F(BatchTest, RejectsWrongNumberOfOffsets) {
  batch.offsets["token(chosen)"] = {0, 3};
  EXPECT_THAT(Message(), HasSubstr("offsets token(chosen): expected 3 numbers (rows + 1), got 2"));
}

TEST_F(BatchTest, RejectsDecreasingOffsets) {
  batch.offsets["token(chosen)"] = {0, 3, 2};
  EXPECT_THAT(Message(), HasSubstr("offsets token(chosen)[2]: expected at least 3, got 2"));
}

TEST_F(BatchTest, RejectsOffsetsThatDoNotStartAtZero) {
  batch.offsets["token(chosen)"] = {1, 2, 3};
  EXPECT_THAT(Message(), HasSubstr("offsets token(chosen)[0]: expected 0, got 1"));
}

TEST_F(BatchTest, RejectsUnknownResponse) {
  batch.offsets["token(chosem)"] = {0, 1, 3};
  EXPECT_THAT(Message(),
              HasSubstr("offsets token(chosem): expected one of token(chosen); did you mean "
                        "'token(chosen)'?"));
}

TEST_F(BatchTest, RejectsMissingScores) {
  batch.reads.erase("reference.chosen");
  EXPECT_THAT(Message(), HasSubstr("read reference.chosen: missing"));
}

TEST_F(BatchTest, RejectsWrongNumberOfScores) {
  batch.reads["policy.chosen"].pop_back();
  EXPECT_THAT(Message(),
              HasSubstr("read policy.chosen: expected 3 numbers, one per token(chosen), got 2"));
}

TEST_F(BatchTest, RejectsInfiniteScores) {
  batch.reads["policy.chosen"][1] = -kInf;
  EXPECT_THAT(Message(), HasSubstr("read policy.chosen[1]: expected a finite number, got -inf"));
}

TEST_F(BatchTest, RejectsUnknownDistribution) {
  batch.reads["policy.rejected"] = {};
  EXPECT_THAT(Message(), HasSubstr("read policy.rejected: expected one of policy.chosen, "
                                   "reference.chosen"));
}

TEST_F(BatchTest, RejectsHyperparameterOutOfRange) {
  batch.hyperparameters["beta"] = 0;
  EXPECT_THAT(Message(), HasSubstr("hyperparameter beta: expected (0, inf), got 0"));
}

TEST_F(BatchTest, RejectsUnknownHyperparameter) {
  batch.hyperparameters["betta"] = 1;
  EXPECT_THAT(Message(),
              HasSubstr("hyperparameter betta: expected one of beta; did you mean 'beta'?"));
}

TEST_F(BatchTest, RejectsWhatTheObjectiveDoesNotTake) {
  batch.inputs["weight"] = {1, 2};
  EXPECT_THAT(Message(), HasSubstr("input weight: the objective takes none"));
  batch.inputs.clear();
  batch.states["mean"] = 1;
  EXPECT_THAT(Message(), HasSubstr("state mean: the objective takes none"));
  batch.states.clear();
  batch.options["norm"] = "sum";
  EXPECT_THAT(Message(), HasSubstr("option norm: the objective takes none"));
}

// The errors of what a batch can hold beside reads.
TEST(Batch, RejectsWrongTrees) {
  mlir::MLIRContext context;
  auto module = Parse(R"(pref.objective @tree {
    %w = pref.input "weight" over [row, member]
    %d = pref.state "d" default 0
    %t = pref.logprob policy(member)
    %s = pref.sum %t over token
    %x = pref.option "o" default "plain" of "plain" = %s, "weighted" = %w
    %y = pref.mul %x, %w
    %g = pref.sum %y over member
    %m = pref.mean %g over row
    pref.update "d" = %m
    pref.yield %m
  })",
                      context);
  ASSERT_TRUE(module);
  Batch good;
  good.numRows = 1;
  good.offsets["member"] = {0, 2};
  good.offsets["token(member)"] = {0, 1, 3};
  good.reads["policy.member"] = {-1, -2, -3};
  good.inputs["weight"] = {1, 2};
  ASSERT_THAT(interpret(Objective(module), good), IsOk());
  auto message = [&](auto edit) {
    Batch batch = good;
    edit(batch);
    return std::string(interpret(Objective(module), batch).status().message());
  };
  EXPECT_THAT(message([](Batch& b) { b.offsets.erase("member"); }),
              HasSubstr("offsets member: missing; the objective has this axis"));
  EXPECT_THAT(message([](Batch& b) { b.offsets["token(member)"] = {0, 3}; }),
              HasSubstr("offsets token(member): expected 3 numbers (members + 1), got 2"));
  EXPECT_THAT(message([](Batch& b) { b.inputs["weight"] = {1}; }),
              HasSubstr("input weight: expected 2 numbers, one per member, got 1"));
  EXPECT_THAT(message([](Batch& b) { b.inputs["weight"][1] = kInf; }),
              HasSubstr("input weight[1]: expected a finite number, got inf"));
  EXPECT_THAT(message([](Batch& b) { b.inputs.clear(); }),
              HasSubstr("input weight: missing; the objective takes it"));
  EXPECT_THAT(message([](Batch& b) { b.inputs["wieght"] = {}; }),
              HasSubstr("input wieght: expected one of weight; did you mean 'weight'?"));
  EXPECT_THAT(message([](Batch& b) { b.states["e"] = 1; }),
              HasSubstr("state e: expected one of d"));
  EXPECT_THAT(message([](Batch& b) { b.states["d"] = kInf; }),
              HasSubstr("state d: expected a finite number, got inf"));
  EXPECT_THAT(message([](Batch& b) { b.options["o"] = "wieghted"; }),
              HasSubstr("option o: expected one of plain, weighted, got wieghted; did you mean "
                        "'weighted'?"));
}

}  // namespace
}  // namespace alidade::pref
