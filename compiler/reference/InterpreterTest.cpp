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
  batch.offsets["chosen"] = {0, 3, 3, 4};
  batch.logProbs["policy.chosen"] = {-1, -2, -6, -4};
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
    batch.offsets["chosen"] = {0, 1, 3};
    batch.logProbs["policy.chosen"] = {-1, -2, -3};
    batch.logProbs["reference.chosen"] = {-1, -1, -1};
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
  EXPECT_THAT(Message(), HasSubstr("offsets chosen: missing"));
}

TEST_F(BatchTest, RejectsWrongNumberOfOffsets) {
  batch.offsets["chosen"] = {0, 3};
  EXPECT_THAT(Message(), HasSubstr("offsets chosen: expected 3 numbers (rows + 1), got 2"));
}

TEST_F(BatchTest, RejectsDecreasingOffsets) {
  batch.offsets["chosen"] = {0, 3, 2};
  EXPECT_THAT(Message(), HasSubstr("offsets chosen[2]: expected at least 3, got 2"));
}

TEST_F(BatchTest, RejectsOffsetsThatDoNotStartAtZero) {
  batch.offsets["chosen"] = {1, 2, 3};
  EXPECT_THAT(Message(), HasSubstr("offsets chosen[0]: expected 0, got 1"));
}

TEST_F(BatchTest, RejectsUnknownResponse) {
  batch.offsets["chosem"] = {0, 1, 3};
  EXPECT_THAT(Message(),
              HasSubstr("offsets chosem: expected one of chosen; did you mean 'chosen'?"));
}

TEST_F(BatchTest, RejectsMissingScores) {
  batch.logProbs.erase("reference.chosen");
  EXPECT_THAT(Message(), HasSubstr("log-probabilities reference.chosen: missing"));
}

TEST_F(BatchTest, RejectsWrongNumberOfScores) {
  batch.logProbs["policy.chosen"].pop_back();
  EXPECT_THAT(Message(), HasSubstr("log-probabilities policy.chosen: expected 3 tokens, got 2"));
}

TEST_F(BatchTest, RejectsInfiniteScores) {
  batch.logProbs["policy.chosen"][1] = -kInf;
  EXPECT_THAT(Message(),
              HasSubstr("log-probabilities policy.chosen[1]: expected a finite number, got -inf"));
}

TEST_F(BatchTest, RejectsUnknownDistribution) {
  batch.logProbs["policy.rejected"] = {};
  EXPECT_THAT(Message(),
              HasSubstr("log-probabilities policy.rejected: expected one of policy.chosen, "
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

}  // namespace
}  // namespace alidade::pref
