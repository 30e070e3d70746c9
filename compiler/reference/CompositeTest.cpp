// Operations across points: their values by hand, and composites against their expansion.

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include "absl/strings/str_cat.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

#include "common/status/status_matchers.h"
#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/reference/Interpreter.h"
#include "compiler/transforms/ExpandComposites/ExpandComposites.h"

namespace alidade::pref {
namespace {

// A few dozen operations in double precision.
constexpr double kTolerance = 1e-12;

// Lines that compute %y from %x and %z, scores of the tokens of four rows of 3, 0, 1 and 2 tokens;
// %s, %u are their sums over token, %h is a hyperparameter of value 0.5, kInputs may be taken. %y
// may have any prefix of the axes [row, token(chosen)]; `expected` has it at all six tokens.
struct Case {
  const char* name;
  std::string body;
  std::vector<double> expected;
};

const std::vector<double> kX = {3, 1, 2, -4, 5, 5};
const std::vector<double> kZ = {-1, 2, 0.5, 2, 1, -3};

std::string Objective(const Case& test) {
  return absl::StrCat(R"(pref.objective @points {
  %h = pref.hyper "h" default 0.5 in (0, 1)
  %x = pref.logprob policy(chosen)
  %z = pref.logprob reference(chosen)
  %s = pref.sum %x over token
  %u = pref.sum %z over token
  %none = pref.constant 0
)",
                      test.body, R"(
  %wide = pref.mul %x, %none
  %points = pref.add %wide, %y
  %row = pref.sum %points over token
  %loss = pref.sum %row over row
  pref.yield %loss metrics("s" = %s, "u" = %u) cotangents("policy.chosen" = %points)
})");
}

// Four rows of 3, 0, 1 and 2 tokens, of 2, 0, 3 and 1 members, of 2, 0, 1 and 1 phrases.
const std::map<std::string, std::vector<int64_t>> kOffsets = {
    {"token(chosen)", {0, 3, 3, 4, 6}},
    {"member", {0, 2, 2, 5, 6}},
    {"token(member)", {0, 2, 3, 3, 4, 6, 7}},
    {"segment(phrase)", {0, 2, 2, 3, 4}},
};
const std::map<std::string, std::vector<double>> kReads = {
    {"policy.chosen", kX},
    {"reference.chosen", kZ},
    {"reference.member", {1, 2, 3, 4, 5, 6, 7}},
};
const std::map<std::string, std::vector<double>> kInputs = {
    {"n", {2, 5, 0, 1}},               // [row]
    {"weight", {1, 0, 0, 2}},          // [row]
    {"id", {1, 0, -1, 0, 0, 7}},       // [row, token(chosen)]
    {"phrase", {10, 20, 30, 40}},      // [row, segment(phrase)]
    {"reward", {1, 2, 4, 8, 16, 32}},  // [row, member]
    {"distance", {1, 10, 20, 30}},     // [row, pair]
    {"seed", {7}},                     // []
};

// What the objective takes of these.
Batch MakeBatch(ObjectiveOp objective) {
  Batch batch;
  batch.numRows = 4;
  for (Axis axis : axesOf(objective))
    if (!axis.isPair()) batch.offsets[toString(axis)] = kOffsets.at(toString(axis));
  for (const Read& read : readsOf(objective)) batch.reads[read.name] = kReads.at(read.name);
  for (InputOp input : inputsOf(objective))
    batch.inputs[input.getName().str()] = kInputs.at(input.getName().str());
  return batch;
}

void ExpectPoints(ObjectiveOp objective, const std::vector<double>& expected) {
  absl::StatusOr<Evaluation> result = interpret(objective, MakeBatch(objective));
  ASSERT_THAT(result, IsOk());
  const std::vector<double>& points = result->cotangents["policy.chosen"];
  ASSERT_EQ(points.size(), expected.size());
  for (size_t i = 0; i < points.size(); ++i)
    EXPECT_NEAR(points[i], expected[i], kTolerance) << "token " << i;
}

int NumComposites(ObjectiveOp objective) {
  auto composites = objective.getBody().front().getOps<CompositeOpInterface>();
  return std::distance(composites.begin(), composites.end());
}

class PointsTest : public testing::TestWithParam<Case> {};

TEST_P(PointsTest, AreAsByHand) {
  mlir::MLIRContext context;
  context.loadDialect<PrefDialect>();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(Objective(GetParam()), &context);
  ASSERT_TRUE(module);
  ObjectiveOp objective = *module->getOps<ObjectiveOp>().begin();
  ExpectPoints(objective, GetParam().expected);
  if (NumComposites(objective) == 0) return;
  expandAllComposites(objective);
  EXPECT_EQ(NumComposites(objective), 0);
  ASSERT_TRUE(succeeded(mlir::verify(objective)));
  ExpectPoints(objective, GetParam().expected);
}

constexpr char kReward[] = "%reward = pref.input \"reward\" over [row, member]\n";
constexpr char kDistance[] = "%distance = pref.input \"distance\" over [row, pair]\n";
constexpr char kId[] = "%id = pref.input \"id\" over [row, token(chosen)]\n";
constexpr char kN[] = "%n = pref.input \"n\" over [row]\n";
constexpr char kWeight[] =
    "%weight = pref.input \"weight\" over [row]\n"
    "%seed = pref.input \"seed\" over []\n";

// Sums over token of x: 6, 0, -4, 10; of z: 1.5, 0, 2, -2.
INSTANTIATE_TEST_SUITE_P(
    Ops, PointsTest,
    testing::Values(
        Case{"sum_ranks", "%y = pref.sum %s over row scope ranks", {12, 12, 12, 12, 12, 12}},
        Case{"mean_ranks", "%y = pref.mean %s over row scope ranks", {3, 3, 3, 3, 3, 3}},
        Case{"reduce_max", "%y = pref.reduce_max %x over token", {3, 3, 3, -4, 5, 5}},
        Case{"reduce_max_row", "%y = pref.reduce_max %s over row", {10, 10, 10, 10, 10, 10}},
        Case{"reduce_max_of_nothing",
             // The empty row has -inf, of which exp is 0.
             "%m = pref.reduce_max %x over token\n%o = pref.sort %m over row\n"
             "%e = pref.exp %o\n%y = pref.sum %e over row",
             std::vector<double>(6, std::exp(3.0) + std::exp(-4.0) + std::exp(5.0))},
        Case{"scan", "%y = pref.scan %x, %h over token", {3, 2.5, 3.25, -4, 5, 7.5}},
        Case{"scan_reverse", "%y = pref.scan %x, %h over token reverse", {4, 2, 2, -4, 7.5, 5}},
        Case{"scan_row_decay", "%y = pref.scan %x, %u over token", {3, 5.5, 10.25, -4, 5, -5}},
        Case{"sort", "%y = pref.sort %x over token", {1, 2, 3, -4, 5, 5}},
        Case{"sort_row",
             // 6, 0, -4, 10 becomes -4, 0, 6, 10.
             "%y = pref.sort %s over row",
             {-4, -4, -4, 6, 10, 10}},
        Case{"sort_by", "%y = pref.sort %x by %z over token", {3, 2, 1, -4, 5, 5}},
        Case{"sort_by_equal", "%y = pref.sort %z by %x over token", {2, 0.5, -1, 2, 1, -3}},
        Case{"unsort", "%y = pref.unsort %z by %x over token", {0.5, -1, 2, 2, 1, -3}},
        Case{"unsort_sorted",
             "%o = pref.sort %z by %x over token\n%y = pref.unsort %o by %x over token", kZ},
        Case{"unsort_row",
             // Ranks of 6, 0, -4, 10 are 2, 1, 0, 3: 1.5, 0, 2, -2 becomes 2, 0, 1.5, -2.
             "%y = pref.unsort %u by %s over row",
             {2, 2, 2, 1.5, -2, -2}},
        Case{"sort_nan",
             // log of a negative number, twice: the number comes first.
             "%l = pref.log %z\n%o = pref.sort %l over token\n%f = pref.exp %o\n"
             "%a = pref.compare gt %f, %none\n%y = pref.where %a, %f, %none",
             {0.5, 2, 0, 2, 1, 0}},
        Case{"weighted_sum", "%y = pref.weighted_sum %x, %z over token", {0, 0, 0, -8, -10, -10}},
        Case{"weighted_sum_normalized",
             "%y = pref.weighted_sum %x, %z over token normalized",
             {0, 0, 0, -4, 5, 5}},
        Case{"weighted_sum_of_no_weight",
             "%w = pref.mul %z, %none\n%y = pref.weighted_sum %x, %w over token normalized",
             {0, 0, 0, 0, 0, 0}},
        Case{"std",
             "%y = pref.std %x over token",
             {std::sqrt(2 / 3.0), std::sqrt(2 / 3.0), std::sqrt(2 / 3.0), 0, 0, 0}},
        Case{"std_unbiased", "%y = pref.std %x over token unbiased", {1, 1, 1, 0, 0, 0}},
        Case{"std_row",
             // 6, 0, -4, 10 have mean 3 and squared distances 9, 9, 49, 49.
             "%y = pref.std %s over row", std::vector<double>(6, std::sqrt(29))},
        Case{"std_row_unbiased", "%y = pref.std %s over row unbiased",
             std::vector<double>(6, std::sqrt(116 / 3.0))},
        Case{"leave_one_out", "%y = pref.leave_one_out %x over token", {1.5, 2.5, 2, 0, 5, 5}},
        Case{"leave_one_out_row",
             "%y = pref.leave_one_out %s over row",
             {2, 2, 2, 16 / 3.0, 2 / 3.0, 2 / 3.0}},
        Case{"whiten",
             "%y = pref.whiten %x by %h over token",
             {std::sqrt(2 / 3.0), -std::sqrt(2 / 3.0), 0, 0, 0, 0}},
        Case{"whiten_row",
             "%e = pref.constant 1\n%y = pref.whiten %s by %e over row",
             {3 / std::sqrt(119 / 3.0), 3 / std::sqrt(119 / 3.0), 3 / std::sqrt(119 / 3.0),
              -7 / std::sqrt(119 / 3.0), 7 / std::sqrt(119 / 3.0), 7 / std::sqrt(119 / 3.0)}}),
    [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

// Rewards of the members: 1, 2 and none and 4, 8, 16 and 32; pairs are (0, 1) and none and (0, 1),
// (0, 2), (1, 2) and none.
INSTANTIATE_TEST_SUITE_P(
    Trees, PointsTest,
    testing::Values(
        Case{"segment_sum",
             // Phrases have 1, 3; none; -4; 5, of which the second counts twice.
             absl::StrCat(kId,
                          "%g = pref.segment_sum %x by %id to segment(phrase)\n"
                          "%i = pref.position over segment(phrase)\n%w = pref.mul %g, %i\n"
                          "%d = pref.add %g, %w\n%y = pref.sum %d over segment"),
             {7, 7, 7, -4, 5, 5}},
        Case{"segment_gather",
             absl::StrCat(kId,
                          "%g = pref.input \"phrase\" over [row, segment(phrase)]\n"
                          "%y = pref.segment_gather %g by %id"),
             {20, 10, 0, 30, 40, 0}},
        Case{"pair_first",
             absl::StrCat(kReward,
                          "%a = pref.pair_gather %reward first\n"
                          "%y = pref.sum %a over pair"),
             {1, 1, 1, 16, 0, 0}},
        Case{"pair_second",
             absl::StrCat(kReward,
                          "%a = pref.pair_gather %reward second\n"
                          "%y = pref.sum %a over pair"),
             {2, 2, 2, 40, 0, 0}},
        Case{"pair_both",
             absl::StrCat(kReward,
                          "%a = pref.pair_gather %reward first\n"
                          "%b = pref.pair_gather %reward second\n%c = pref.mul %a, %b\n"
                          "%y = pref.sum %c over pair"),
             {2, 2, 2, 224, 0, 0}},
        Case{"scatter_first",
             // Members have 1, 0; none; 30, 30, 0; 0.
             absl::StrCat(kReward, kDistance,
                          "%a = pref.pair_scatter %distance first\n"
                          "%b = pref.mul %a, %reward\n%y = pref.sum %b over member"),
             {1, 1, 1, 360, 0, 0}},
        Case{"scatter_second",
             absl::StrCat(kReward, kDistance,
                          "%a = pref.pair_scatter %distance second\n"
                          "%b = pref.mul %a, %reward\n%y = pref.sum %b over member"),
             {2, 2, 2, 880, 0, 0}},
        Case{"leave_one_out_member",
             // The others' means are 2, 1; none; 12, 10, 6; 0.
             absl::StrCat(kReward,
                          "%a = pref.leave_one_out %reward over member\n"
                          "%b = pref.mul %a, %reward\n%y = pref.sum %b over member"),
             {4, 4, 4, 224, 0, 0}},
        Case{"std_member",
             absl::StrCat(kReward, "%y = pref.std %reward over member unbiased"),
             {std::sqrt(0.5), std::sqrt(0.5), std::sqrt(0.5), std::sqrt(112 / 3.0), 0, 0}},
        Case{"sort_member",
             absl::StrCat(kReward,
                          "%m = pref.neg %reward\n%a = pref.sort %reward by %m over member\n"
                          "%b = pref.mul %a, %reward\n%y = pref.sum %b over member"),
             {4, 4, 4, 192, 1024, 1024}},
        Case{"scan_member_tokens",
             // Members' scans are 1, 2.5; 3; and none; 4; 5, 8.5; and 7.
             "%t = pref.logprob reference(member)\n%a = pref.scan %t, %h over token\n"
             "%b = pref.sum %a over token\n%y = pref.sum %b over member",
             {6.5, 6.5, 6.5, 17.5, 7, 7}},
        Case{"sum_first",
             absl::StrCat(kN, "%y = pref.sum_first %x, %n over token"),
             {4, 4, 4, 0, 5, 5}},
        Case{"sum_after",
             absl::StrCat(kN, "%y = pref.sum_after %x, %n over token"),
             {2, 2, 2, -4, 5, 5}},
        Case{"sum_first_row",
             "%n = pref.constant 1\n%y = pref.sum_first %s, %n over row",
             {6, 6, 6, 6, 6, 6}},
        Case{"sum_after_row",
             "%n = pref.constant 1\n%y = pref.sum_after %s, %n over row",
             {6, 6, 6, 6, 6, 6}},
        Case{"scatter_at",
             absl::StrCat(kN, "%y = pref.scatter_at %s, %n over token(chosen)"),
             {0, 0, 6, -4, 0, 10}},
        Case{"scatter_at_members",
             absl::StrCat(kReward,
                          "%one = pref.constant 1\n"
                          "%a = pref.scatter_at %reward, %one over token(member)\n"
                          "%b = pref.logprob reference(member)\n%c = pref.mul %a, %b\n"
                          "%d = pref.sum %c over token\n%y = pref.sum %d over member"),
             {2, 2, 2, 96, 0, 0}},
        Case{"quantile", "%y = pref.quantile %x at %h over token", {2, 2, 2, -4, 5, 5}},
        Case{"quantile_between",
             // Place 0.75 among -4, 0, 6, 10.
             "%q = pref.constant 0.25\n%y = pref.quantile %s at %q over row",
             {-1, -1, -1, -1, -1, -1}},
        Case{"quantile_beyond",
             "%q = pref.constant 2\n%y = pref.quantile %s at %q over row",
             {10, 10, 10, 10, 10, 10}},
        Case{"quantile_of_nothing",
             absl::StrCat(kReward,
                          "%q = pref.quantile %reward at %h over member\n"
                          "%y = pref.sum %q over row"),
             std::vector<double>(6, 1.5 + 0 + 8 + 32)},
        Case{"random_subset_of_all",
             absl::StrCat(kWeight,
                          "%all = pref.constant 1\n"
                          "%y = pref.random_subset %weight, %all, %seed over row"),
             {1, 1, 1, 1, 1, 1}},
        Case{"random_subset_of_none",
             absl::StrCat(kWeight,
                          "%little = pref.constant 0.12\n"
                          "%y = pref.random_subset %weight, %little, %seed over row"),
             {0, 0, 0, 0, 0, 0}},
        Case{"random_subset_by_weight",
             absl::StrCat(kWeight, "%y = pref.random_subset %weight, %h, %seed over row"),
             {1, 1, 1, 0, 1, 1}}),
    [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

// One of four rows with weights 1, 0, 0, 2 is the first in a third and the last in two thirds of
// the draws; direct evaluation and expansion draw the same.
TEST(RandomSubset, FollowsTheWeights) {
  mlir::MLIRContext context;
  context.loadDialect<PrefDialect>();
  const Case draw{"draw",
                  absl::StrCat(kWeight, R"(%quarter = pref.constant 0.25
  %mask = pref.random_subset %weight, %quarter, %seed over row
  %i = pref.position over row
  %drawn = pref.mul %mask, %i
  %y = pref.sum %drawn over row)"),
                  {}};
  auto direct = mlir::parseSourceString<mlir::ModuleOp>(Objective(draw), &context);
  auto expanded = mlir::parseSourceString<mlir::ModuleOp>(Objective(draw), &context);
  ASSERT_TRUE(direct && expanded);
  ObjectiveOp written = *direct->getOps<ObjectiveOp>().begin();
  ObjectiveOp formula = *expanded->getOps<ObjectiveOp>().begin();
  expandAllComposites(formula);
  constexpr int kDraws = 600;
  int last = 0;
  for (int seed = 0; seed < kDraws; ++seed) {
    Batch batch = MakeBatch(written);
    batch.inputs["seed"] = {static_cast<double>(seed)};
    absl::StatusOr<Evaluation> result = interpret(written, batch);
    absl::StatusOr<Evaluation> same = interpret(formula, batch);
    ASSERT_THAT(result, IsOk());
    ASSERT_THAT(same, IsOk());
    double row = result->cotangents["policy.chosen"][0];
    EXPECT_EQ(row, same->cotangents["policy.chosen"][0]) << "seed " << seed;
    EXPECT_TRUE(row == 0 || row == 3) << row;
    last += row == 3;
  }
  // Five standard deviations of the binomial distribution.
  EXPECT_NEAR(last, kDraws * 2 / 3.0, 5 * std::sqrt(kDraws * 2 / 9.0));
}

}  // namespace
}  // namespace alidade::pref
