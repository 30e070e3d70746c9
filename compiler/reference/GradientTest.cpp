// The derivative of every operation against central differences, in double precision.

#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "mlir/IR/MLIRContext.h"

#include "common/provenance/random_stream.h"
#include "common/status/status_matchers.h"
#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/reference/Interpreter.h"
#include "compiler/transforms/Pipeline.h"

namespace alidade::pref {
namespace {

// Central differences with step 1e-5 of values of order 1: truncation 1e-10, cancellation 1e-16 /
// 1e-5 = 1e-11.
constexpr double kTolerance = 1e-8;

// Lines that compute %y from %x and %z, token scores of the same response with gradient, all
// between -1 and 1 and at least 1e-3 away from 0 and from each other; %p is |x| + 0.1, %s and %u
// are their sums per row, %h is a hyperparameter.
struct Case {
  const char* name;
  const char* body;
};

constexpr Case kCases[] = {
    {"neg", "%y = pref.neg %x"},
    {"abs", "%y = pref.abs %x"},
    {"square", "%y = pref.square %x"},
    {"sqrt", "%y = pref.sqrt %p"},
    {"exp", "%y = pref.exp %x"},
    {"log", "%y = pref.log %p"},
    {"log1p", "%y = pref.log1p %p"},
    {"expm1", "%y = pref.expm1 %x"},
    {"sigmoid", "%y = pref.sigmoid %x"},
    {"log_sigmoid", "%y = pref.log_sigmoid %x"},
    {"softplus", "%y = pref.softplus %x"},
    {"log1mexp", "%n = pref.neg %p\n%y = pref.log1mexp %n"},
    {"relu", "%y = pref.relu %x"},
    {"sign", "%c = pref.stop_gradient %x\n%g = pref.sign %c\n%y = pref.mul %g, %x"},
    {"add", "%y = pref.add %x, %z"},
    {"sub", "%y = pref.sub %x, %z"},
    {"sub_row", "%y = pref.sub %s, %z"},
    {"mul", "%y = pref.mul %x, %z"},
    {"mul_row", "%y = pref.mul %x, %s"},
    {"mul_hyper", "%y = pref.mul %h, %x"},
    {"mul_twice", "%y = pref.mul %x, %x"},
    {"div", "%y = pref.div %x, %p"},
    {"div_row", "%q = pref.exp %s\n%y = pref.div %x, %q"},
    {"min", "%y = pref.min %x, %z"},
    {"max", "%y = pref.max %x, %z"},
    {"pow", "%y = pref.pow %p, %z"},
    {"pow_hyper", "%y = pref.pow %p, %h"},
    {"logaddexp", "%y = pref.logaddexp %x, %z"},
    {"logaddexp_row", "%y = pref.logaddexp %s, %z"},
    {"where",
     "%c = pref.stop_gradient %x\n%o = pref.compare gt %c, %z\n%y = pref.where %o, %x, %u"},
    {"clamp", "%a = pref.sub %z, %h\n%b = pref.add %z, %h\n%y = pref.clamp %x, %a, %b"},
    {"clamp_crossed", "%a = pref.add %z, %h\n%b = pref.sub %z, %h\n%y = pref.clamp %x, %a, %b"},
    {"mean", "%m = pref.mean %x over token\n%y = pref.mul %m, %z"},
    {"count", "%n = pref.count over token(chosen)\n%y = pref.div %x, %n"},
    {"broadcast",
     "%b = pref.broadcast %s to [row, token(chosen)]\n%c = pref.exp %b\n%y = pref.mul %c, %z"},
    {"reduce_max", "%m = pref.reduce_max %r over token\n%y = pref.mul %m, %z"},
    {"scan", "%y = pref.scan %x, %h over token"},
    {"scan_reverse",
     "%n = pref.count over token(chosen)\n%d = pref.div %h, %n\n"
     "%y = pref.scan %x, %d over token reverse"},
    {"sort", "%c = pref.sort %x over token\n%y = pref.mul %c, %z"},
    {"sort_by", "%c = pref.sort %x by %z over token\n%y = pref.mul %c, %z"},
    {"sort_row",
     "%c = pref.sort %s over row\n%d = pref.sort %u by %s over row\n%e = pref.mul %c, %d\n"
     "%y = pref.mul %e, %x"},
    {"unsort", "%c = pref.unsort %x by %z over token\n%y = pref.mul %c, %z"},
    {"unsort_row", "%c = pref.unsort %s by %u over row\n%y = pref.mul %c, %z"},
    {"weighted_sum", "%m = pref.weighted_sum %x, %z over token\n%y = pref.mul %m, %x"},
    {"weighted_sum_normalized",
     "%m = pref.weighted_sum %x, %p over token normalized\n%y = pref.mul %m, %z"},
    {"std", "%m = pref.std %s over row\n%y = pref.mul %m, %x"},
    {"std_unbiased", "%m = pref.std %u over row unbiased\n%y = pref.mul %m, %x"},
    {"leave_one_out", "%m = pref.leave_one_out %x over token\n%y = pref.mul %m, %z"},
    {"leave_one_out_row", "%m = pref.leave_one_out %s over row\n%y = pref.mul %m, %z"},
    {"whiten", "%m = pref.whiten %x by %h over token\n%y = pref.mul %m, %z"},
    {"whiten_row", "%m = pref.whiten %s by %h over row\n%y = pref.mul %m, %z"},
    {"sum_first",
     "%n = pref.constant 2\n%a = pref.sum_first %x, %n over token\n%y = pref.mul %a, %z"},
    {"sum_after",
     "%n = pref.constant 1\n%a = pref.sum_after %x, %n over token\n%y = pref.mul %a, %z"},
    {"scatter_at",
     "%n = pref.constant 0\n%a = pref.scatter_at %u, %n over token(chosen)\n%y = pref.mul %a, %x"},
    {"quantile", "%m = pref.quantile %r at %h over token\n%y = pref.mul %m, %z"},
    {"random_subset",
     "%c = pref.sum %r over token\n%a = pref.abs %c\n%m = pref.random_subset %a, %h, %h over row\n"
     "%y = pref.mul %m, %z"},
    {"segment_sum",
     "%i = pref.position over token(chosen)\n%a = pref.segment_sum %x by %i to segment(phrase)\n"
     "%b = pref.exp %a\n%c = pref.sum %b over segment\n%y = pref.mul %c, %z"},
    {"segment_gather",
     "%w = pref.input \"w\" over [row, segment(phrase)]\n%a = pref.mul %w, %s\n"
     "%i = pref.position over token(chosen)\n%b = pref.segment_gather %a by %i\n"
     "%y = pref.mul %b, %x"},
    {"pair_gather",
     "%t = pref.logprob policy(member)\n%c = pref.sum %t over token\n"
     "%a = pref.pair_gather %c first\n%b = pref.pair_gather %c second\n%d = pref.sub %a, %b\n"
     "%e = pref.softplus %d\n%q = pref.sum %e over pair\n%y = pref.mul %q, %x"},
    {"pair_scatter",
     "%t = pref.logprob policy(member)\n%c = pref.sum %t over token\n"
     "%a = pref.pair_gather %c first\n%b = pref.exp %a\n%d = pref.pair_scatter %b second\n"
     "%e = pref.mul %d, %c\n%f = pref.pair_scatter %b first\n%g = pref.add %e, %f\n"
     "%q = pref.sum %g over member\n%y = pref.mul %q, %x"},
    {"scan_members",
     "%t = pref.logprob policy(member)\n%a = pref.scan %t, %h over token reverse\n"
     "%b = pref.mul %a, %t\n%c = pref.sum %b over token\n%d = pref.scan %c, %h over member\n"
     "%e = pref.log1p %d\n%q = pref.mean %e over member\n%y = pref.mul %q, %x"},
    {"sort_members",
     "%t = pref.logprob policy(member)\n%c = pref.sum %t over token\n"
     "%a = pref.sort %c over member\n%b = pref.mul %a, %c\n"
     "%d = pref.leave_one_out %b over member\n%e = pref.mul %d, %c\n"
     "%q = pref.sum %e over member\n%y = pref.mul %q, %x"},
    {"batch", "%m = pref.mean %s over row\n%e = pref.exp %m\n%y = pref.mul %e, %x"},
    {"batch_sum", "%m = pref.sum %s over row\n%e = pref.sigmoid %m\n%y = pref.mul %e, %x"},
    {"batch_broadcast",
     "%m = pref.mean %s over row\n%b = pref.broadcast %m to [row]\n%y = pref.mul %b, %x"},
    {"input", "%i = pref.input \"w\" over [row, token(chosen)]\n%y = pref.mul %i, %x"},
    {"option",
     "%o = pref.option \"o\" default \"a\" of \"a\" = %s, \"b\" = %x\n%y = pref.mul %o, %z"},
    {"state", "%d = pref.state \"d\" default 0.5\npref.update \"d\" = %h\n%y = pref.mul %d, %x"},
    {"position", "%i = pref.position over token(chosen)\n%y = pref.mul %i, %x"},
    {"pair_index",
     "%i = pref.pair_index first\n%j = pref.pair_index second\n%d = pref.sub %i, %j\n"
     "%q = pref.sum %d over pair\n%y = pref.mul %q, %x"},
    {"uniform", "%o = pref.uniform %h over row\n%y = pref.mul %o, %x"},
    {"logprob_at",
     "%i = pref.input \"i\" over [row, token(chosen)]\n%l = pref.logprob policy(chosen) at %i\n"
     "%y = pref.mul %l, %x"},
    {"logprob_mix",
     "%l = pref.logprob policy(chosen) mix reference(chosen) by %h\n%y = pref.mul %l, %x"},
    {"entropy", "%e = pref.entropy policy(chosen)\n%y = pref.mul %e, %x"},
    {"collision", "%c = pref.collision policy(chosen) detached\n%y = pref.mul %c, %x"},
    {"logit", "%l = pref.logit policy(chosen)\n%y = pref.mul %l, %z"},
    {"argmax",
     "%i = pref.argmax reference(chosen)\n%l = pref.logit policy(chosen) at %i\n"
     "%y = pref.mul %l, %x"},
    {"kl", "%k = pref.kl reference(chosen), policy(chosen)\n%y = pref.mul %k, %x"},
    {"kl_to", "%k = pref.kl policy(chosen), reference(chosen)\n%y = pref.mul %k, %x"},
    {"members",
     "%t = pref.logprob policy(member)\n%c = pref.sum %t over token\n%o = pref.mul %c, %u\n"
     "%e = pref.exp %o\n%q = pref.mean %e over member\n%d = pref.sub %c, %q\n"
     "%f = pref.mul %d, %t\n%g = pref.mean %f over token\n%i = pref.sum %g over member\n"
     "%y = pref.mul %i, %x"},
    {"segments",
     "%w = pref.input \"w\" over [row, segment(phrase)]\n%c = pref.mul %w, %s\n"
     "%e = pref.exp %c\n%q = pref.mean %e over segment\n%y = pref.mul %q, %x"},
};

// The result enters the loss with a different weight at every token.
std::string Objective(const Case& test) {
  return absl::StrReplaceAll(R"(pref.objective @NAME {
  %h = pref.hyper "h" default 0.5 in (0, inf)
  %x = pref.logprob policy(chosen)
  %z = pref.logprob policy(chosen) on blank
  %r = pref.logprob reference(chosen)
  %abs_x = pref.abs %x
  %tenth = pref.constant 0.1
  %p = pref.add %abs_x, %tenth
  %s = pref.sum %x over token
  %u = pref.sum %z over token
  BODY
  %weighted = pref.mul %r, %y
  %all = pref.add %weighted, %z
  %more = pref.add %all, %x
  %scaled = pref.mul %more, %h
  %rows = pref.sum %scaled over token
  %other = pref.add %s, %u
  %both = pref.add %rows, %other
  %shifted = pref.add %both, %p
  %back = pref.sum %shifted over token
  %loss = pref.mean %back over row
  pref.yield %loss
})",
                             {{"NAME", test.name}, {"BODY", test.body}});
}

// Three rows: of 1 to 4 tokens, 1 to 3 members with 1 to 3 tokens each, and 0 to 2 segments.
std::map<std::string, std::vector<int64_t>> Offsets(ObjectiveOp objective) {
  const std::map<std::string, std::vector<int64_t>> all = {
      {"token(chosen)", {0, 3, 4, 8}},
      {"member", {0, 2, 3, 6}},
      {"token(member)", {0, 2, 3, 5, 6, 9, 10}},
      {"segment(phrase)", {0, 2, 2, 3}},
  };
  std::map<std::string, std::vector<int64_t>> offsets;
  for (Axis axis : axesOf(objective))
    if (!axis.isPair()) offsets[toString(axis)] = all.at(toString(axis));
  return offsets;
}

// Everything that the objective takes; scores as Case wants them.
Batch MakeBatch(ObjectiveOp objective) {
  Batch batch;
  batch.numRows = 3;
  batch.offsets = Offsets(objective);
  RandomStream random(17, "gradient");
  std::vector<double>&x = batch.reads["policy.chosen"], &z = batch.reads["policy.chosen@blank"];
  while (x.size() < 8) {
    double a = 2 * random.Uniform() - 1, b = 2 * random.Uniform() - 1;
    // Away from the kinks of abs, relu, min, max and of a clamp to z - 0.5 .. z + 0.5.
    if (std::fabs(a) < 1e-3 || std::fabs(a - b) < 1e-3 || std::fabs(std::fabs(a - b) - 0.5) < 1e-3)
      continue;
    x.push_back(a);
    z.push_back(b);
  }
  auto numbers = [&](mlir::Value value, std::vector<double>& out) {
    llvm::ArrayRef<Axis> axes = axesOf(value);
    int64_t count = axes.size() == 1 ? 3 : batch.offsets.at(toString(axes.back())).back();
    for (int64_t i = 0; i < count; ++i) out.push_back(random.Uniform() - 2);
  };
  for (const Read& read : readsOf(objective))
    if (batch.reads.count(read.name) == 0)
      numbers(read.first()->getResult(0), batch.reads[read.name]);
  for (InputOp input : inputsOf(objective))
    numbers(input.getResult(), batch.inputs[input.getName().str()]);
  return batch;
}

class GradientTest : public testing::TestWithParam<Case> {};

TEST_P(GradientTest, MatchesCentralDifferences) {
  mlir::MLIRContext context;
  absl::StatusOr<DerivedObjective> derived =
      deriveObjectiveText(Objective(GetParam()), absl::StrCat(GetParam().name, ".mlir"), context);
  ASSERT_THAT(derived, IsOk());
  Batch batch = MakeBatch(objectiveOf(*derived->definition));
  absl::StatusOr<Evaluation> result = interpret(derived->objective(), batch);
  ASSERT_THAT(result, IsOk());
  ASSERT_GE(result->cotangents.size(), 2);
  for (const auto& [read, cotangent] : result->cotangents) {
    absl::StatusOr<std::vector<double>> expected =
        centralDifferences(objectiveOf(*derived->definition), batch, read);
    ASSERT_THAT(expected, IsOk());
    ASSERT_EQ(cotangent.size(), expected->size());
    for (size_t i = 0; i < cotangent.size(); ++i)
      EXPECT_NEAR(cotangent[i], (*expected)[i],
                  kTolerance * std::max(1.0, std::fabs((*expected)[i])))
          << read << " point " << i;
  }
  // Canonicalisation and differentiation keep the loss: only the order of operations may differ.
  absl::StatusOr<Evaluation> written = interpret(objectiveOf(*derived->definition), batch);
  ASSERT_THAT(written, IsOk());
  EXPECT_NEAR(result->loss, written->loss, 1e-12 * std::fabs(written->loss));
}

INSTANTIATE_TEST_SUITE_P(Ops, GradientTest, testing::ValuesIn(kCases),
                         [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

// Every operation that computes a value occurs in a case above.
TEST(GradientCases, CoverTheDialect) {
  std::string text;
  for (const Case& test : kCases) text += Objective(test) + "\n";
  mlir::MLIRContext context;
  context.loadDialect<PrefDialect>();
  int count = 0;
  for (mlir::RegisteredOperationName op : context.getRegisteredOperationsByDialect("pref")) {
    // pref.apply is inlined before anything is differentiated.
    if (!op.hasInterface<TermOpInterface>() || op.getStringRef() == "pref.apply") continue;
    ++count;
    EXPECT_NE(text.find(absl::StrCat(std::string(op.getStringRef()), " ")), std::string::npos)
        << "no case for " << op.getStringRef().str();
  }
  EXPECT_GE(count, 40);
}

// The derivative of a stopped or detached value is not taken, although the loss depends on it.
TEST(Gradient, StopsWhereAsked) {
  mlir::MLIRContext context;
  absl::StatusOr<DerivedObjective> derived = deriveObjectiveText(R"(pref.objective @stopped {
    %x = pref.logprob policy(chosen)
    %d = pref.logprob policy(chosen) detached
    %e = pref.exp %x
    %s = pref.stop_gradient %e
    %w = pref.mul %s, %d
    %y = pref.mul %w, %x
    %r = pref.sum %y over token
    %l = pref.sum %r over row
    pref.yield %l
  })",
                                                                 "stopped.mlir", context);
  ASSERT_THAT(derived, IsOk());
  Batch batch;
  batch.numRows = 1;
  batch.offsets["token(chosen)"] = {0, 2};
  batch.reads["policy.chosen"] = {-0.5, -2};
  absl::StatusOr<Evaluation> result = interpret(derived->objective(), batch);
  ASSERT_THAT(result, IsOk());
  // d/dx of (exp(x) x) x with the product in parentheses held.
  EXPECT_DOUBLE_EQ(result->cotangents["policy.chosen"][0], std::exp(-0.5) * -0.5);
  EXPECT_DOUBLE_EQ(result->cotangents["policy.chosen"][1], std::exp(-2.0) * -2.0);
}

}  // namespace
}  // namespace alidade::pref
