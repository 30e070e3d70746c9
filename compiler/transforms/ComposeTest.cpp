// Expressions of objectives: what they mean, how they are spelled, and their errors.

#include "compiler/transforms/Compose/Compose.h"

#include <sys/stat.h>

#include <fstream>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include "absl/strings/str_cat.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include "common/status/status_matchers.h"
#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/reference/Interpreter.h"
#include "compiler/transforms/Pipeline.h"

namespace alidade::pref {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A pairwise, an unpaired and a likelihood objective, small ones.
const std::map<std::string, std::string> kDefinitions = {
    {"pair", R"(pref.objective @pair {
  %beta = pref.hyper "beta" default 0.1 in (0, inf)
  %pw = pref.logprob policy(chosen)
  %pl = pref.logprob policy(rejected)
  %rw = pref.logprob reference(chosen)
  %rl = pref.logprob reference(rejected)
  %w_t = pref.sub %pw, %rw
  %l_t = pref.sub %pl, %rl
  %w = pref.sum %w_t over token
  %l = pref.sum %l_t over token
  %d = pref.sub %w, %l
  %margin = pref.mul %beta, %d
  %ls = pref.log_sigmoid %margin
  %nll = pref.neg %ls
  %loss = pref.mean %nll over row
  pref.yield %loss metrics("margin" = %margin)
})"},
    {"level", R"(pref.objective @level {
  %beta = pref.hyper "beta" default 0.1 in (0, inf)
  %edge = pref.hyper "edge" default 0.5 in [-10, 10]
  %pw = pref.logprob policy(chosen)
  %rw = pref.logprob reference(chosen)
  %w_t = pref.sub %pw, %rw
  %w = pref.sum %w_t over token
  %r = pref.mul %beta, %w
  %s = pref.sub %r, %edge
  %steep = pref.mul %s, %s
  %shaped = pref.option "shape" default "plain" of "plain" = %s, "steep" = %steep
  %ls = pref.log_sigmoid %shaped
  %nll = pref.neg %ls
  %loss = pref.mean %nll over row
  pref.yield %loss metrics("reward" = %r)
})"},
    {"likely", R"(pref.objective @likely {
  %pw = pref.logprob policy(chosen)
  %n = pref.neg %pw
  %m = pref.mean %n over token
  %loss = pref.mean %m over row
  pref.yield %loss
})"},
    {"sharp", R"(pref.objective @sharp {
  %beta = pref.hyper "beta" default 0.3 in (0, inf)
  %pw = pref.logprob policy(chosen)
  %w = pref.sum %pw over token
  %r = pref.mul %beta, %w
  %loss = pref.mean %r over row
  pref.yield %loss
})"},
    {"ring", R"(pref.objective @ring {
  %loss = pref.apply @around
  pref.yield %loss
})"},
    {"around", R"(pref.objective @around {
  %loss = pref.apply @ring
  pref.yield %loss
})"},
    {"broken", "pref.objective @broken {"},
    {"misnamed", R"(pref.objective @other {
  %pw = pref.logprob policy(chosen)
  %w = pref.sum %pw over token
  %loss = pref.mean %w over row
  pref.yield %loss
})"},
};

// 0.8*pair + 0.2*level(beta=0.05)[shape=steep] + 0.5*likely, written by hand.
constexpr char kByHand[] = R"(pref.objective @by_hand {
  %beta = pref.hyper "beta" default 0.1 in (0, inf)
  %edge = pref.hyper "edge" default 0.5 in [-10, 10]
  %pw = pref.logprob policy(chosen)
  %pl = pref.logprob policy(rejected)
  %rw = pref.logprob reference(chosen)
  %rl = pref.logprob reference(rejected)
  %w_t = pref.sub %pw, %rw
  %l_t = pref.sub %pl, %rl
  %w = pref.sum %w_t over token
  %l = pref.sum %l_t over token
  %d = pref.sub %w, %l
  %margin = pref.mul %beta, %d
  %pair_ls = pref.log_sigmoid %margin
  %pair = pref.mean %pair_ls over row
  %small = pref.constant 0.05
  %r = pref.mul %small, %w
  %s = pref.sub %r, %edge
  %steep = pref.square %s
  %level_ls = pref.log_sigmoid %steep
  %level = pref.mean %level_ls over row
  %m = pref.mean %pw over token
  %likely = pref.mean %m over row
  %a = pref.constant 0.8
  %b = pref.constant 0.2
  %c = pref.constant 0.5
  %x = pref.mul %a, %pair
  %y = pref.mul %b, %level
  %z = pref.mul %c, %likely
  %xy = pref.add %x, %y
  %xyz = pref.add %xy, %z
  %loss = pref.neg %xyz
  pref.yield %loss metrics("margin" = %margin)
})";

ObjectiveResolver Resolver(std::map<std::string, std::string> definitions = kDefinitions) {
  ObjectiveResolver resolver;
  for (const auto& [name, unused] : definitions) resolver.names.push_back(name);
  resolver.definition = [definitions](llvm::StringRef name) -> std::optional<std::string> {
    auto found = definitions.find(name.str());
    if (found == definitions.end()) return std::nullopt;
    return found->second;
  };
  return resolver;
}

// Two rows of 2 and 1 chosen, 1 and 3 rejected tokens.
Batch MakeBatch() {
  Batch batch;
  batch.numRows = 2;
  batch.offsets["token(chosen)"] = {0, 2, 3};
  batch.offsets["token(rejected)"] = {0, 1, 4};
  batch.reads["policy.chosen"] = {-0.5, -1.5, -0.25};
  batch.reads["reference.chosen"] = {-0.75, -1.25, -2};
  batch.reads["policy.rejected"] = {-3, -1, -0.5, -2.5};
  batch.reads["reference.rejected"] = {-1, -1, -1, -2};
  return batch;
}

std::vector<std::string> HyperNames(const schedule::Signature& signature) {
  std::vector<std::string> names;
  for (const schedule::Hyperparameter& hyper : signature.hyperparameters)
    names.push_back(hyper.name);
  return names;
}

TEST(Expression, IsTheSumByHand) {
  mlir::MLIRContext context;
  absl::StatusOr<DerivedObjective> composed = deriveExpression(
      "0.8 * pair + 0.2*level(beta = 0.05)[shape=steep]+0.5*likely", Resolver(), context);
  ASSERT_THAT(composed, IsOk());
  absl::StatusOr<DerivedObjective> written = deriveObjectiveText(kByHand, "by_hand.mlir", context);
  ASSERT_THAT(written, IsOk());

  const schedule::Signature& signature = composed->signature;
  EXPECT_EQ(signature.name, "0.8*pair + 0.2*level(beta=0.05)[shape=steep] + 0.5*likely");
  EXPECT_THAT(HyperNames(signature), ElementsAre("beta", "edge"));
  EXPECT_THAT(signature.metrics,
              ElementsAre("pair.margin", "pair.loss", "level.reward", "level.loss", "likely.loss"));
  // What several terms read is one distribution and one read.
  EXPECT_EQ(signature.distributions.size(), 4);
  EXPECT_EQ(signature.reads.size(), 4);

  Batch batch = MakeBatch();
  batch.hyperparameters["beta"] = 0.4;
  batch.hyperparameters["edge"] = -0.25;
  absl::StatusOr<Evaluation> ours = interpret(composed->objective(), batch);
  absl::StatusOr<Evaluation> theirs = interpret(written->objective(), batch);
  ASSERT_THAT(ours, IsOk());
  ASSERT_THAT(theirs, IsOk());
  EXPECT_NEAR(ours->loss, theirs->loss, 1e-14);
  EXPECT_NEAR(ours->metrics["pair.margin"], theirs->metrics["margin"], 1e-14);
  EXPECT_NEAR(0.8 * ours->metrics["pair.loss"] + 0.2 * ours->metrics["level.loss"] +
                  0.5 * ours->metrics["likely.loss"],
              theirs->loss, 1e-14);
  ASSERT_EQ(ours->cotangents.size(), theirs->cotangents.size());
  for (const auto& [name, expected] : theirs->cotangents) {
    const std::vector<double>& cotangent = ours->cotangents[name];
    ASSERT_EQ(cotangent.size(), expected.size()) << name;
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(cotangent[i], expected[i], 1e-14);
  }
}

// A name alone is the objective itself: its symbol, its metrics.
TEST(Expression, MayBeAName) {
  mlir::MLIRContext context;
  absl::StatusOr<DerivedObjective> derived = deriveExpression(" pair ", Resolver(), context);
  ASSERT_THAT(derived, IsOk());
  EXPECT_EQ(derived->signature.name, "pair");
  EXPECT_THAT(derived->signature.metrics, ElementsAre("margin"));
}

TEST(Expression, HasOneSpelling) {
  mlir::MLIRContext context;
  context.loadDialect<PrefDialect>();
  for (auto [text, expected] : std::vector<std::pair<std::string, std::string>>{
           {"pair", "pair"},
           {"1.0*pair", "pair"},
           {" 2e0 * pair-1*likely ", "2*pair - likely"},
           {"-0.5*pair", "-0.5*pair"},
           {"level( edge = 1 ,beta=2.50 )", "level(beta=2.5, edge=1)"},
           {"level(edge=-1)[shape = steep] + pair", "level(edge=-1)[shape=steep] + pair"},
           {"level(beta=level_beta)", "level(beta=level_beta)"},
           {"10*pair + 2500*likely", "10*pair + 2500*likely"},
           {"1e-5*pair", "1.0e-05*pair"}}) {
    auto terms = parseExpression(text, "expression", context);
    ASSERT_TRUE(succeeded(terms)) << text;
    EXPECT_EQ(canonicalText(*terms), expected);
    auto again = parseExpression(expected, "expression", context);
    ASSERT_TRUE(succeeded(again)) << expected;
    EXPECT_EQ(canonicalText(*again), expected);
  }
}

// Terms whose hyperparameters differ can be told apart by new names.
TEST(Expression, RenamesHyperparameters) {
  mlir::MLIRContext context;
  absl::StatusOr<DerivedObjective> derived =
      deriveExpression("pair + sharp(beta=sharp_beta) + sharp(beta=2)", Resolver(), context);
  ASSERT_THAT(derived, IsOk());
  const schedule::Signature& signature = derived->signature;
  ASSERT_EQ(signature.hyperparameters.size(), 2);
  for (const schedule::Hyperparameter& hyper : signature.hyperparameters)
    EXPECT_EQ(hyper.default_value, hyper.name == "beta" ? 0.1 : 0.3) << hyper.name;
  EXPECT_THAT(signature.metrics,
              ElementsAre("pair.margin", "pair.loss", "sharp.loss", "sharp_2.loss"));
}

TEST(Expression, MayUseAnObjectiveOfApplies) {
  std::map<std::string, std::string> definitions = kDefinitions;
  definitions["mixed"] = R"(pref.objective @mixed {
  %half = pref.constant 0.5
  %a = pref.apply @pair
  %b = pref.apply @likely
  %h = pref.mul %half, %b
  %loss = pref.add %a, %h
  pref.yield %loss
})";
  mlir::MLIRContext context;
  absl::StatusOr<DerivedObjective> direct =
      deriveExpression("pair + 0.5*likely", Resolver(), context);
  absl::StatusOr<DerivedObjective> nested =
      deriveExpression("mixed(beta=temperature)", Resolver(definitions), context);
  ASSERT_THAT(direct, IsOk());
  ASSERT_THAT(nested, IsOk());
  EXPECT_THAT(HyperNames(nested->signature), ElementsAre("temperature"));
  EXPECT_THAT(nested->signature.metrics, ElementsAre("mixed.pair.margin", "mixed.pair.loss",
                                                     "mixed.likely.loss", "mixed.loss"));
  absl::StatusOr<Evaluation> ours = interpret(nested->objective(), MakeBatch());
  absl::StatusOr<Evaluation> theirs = interpret(direct->objective(), MakeBatch());
  ASSERT_THAT(ours, IsOk());
  ASSERT_THAT(theirs, IsOk());
  EXPECT_NEAR(ours->loss, theirs->loss, 1e-14);
}

// Every level applies the next: sixteen are allowed, seventeen are not.
TEST(Expression, MayNestSixteenDeep) {
  std::map<std::string, std::string> definitions;
  definitions["o16"] = R"(pref.objective @o16 {
  %t = pref.logprob policy(chosen)
  %s = pref.mean %t over token
  %loss = pref.mean %s over row
  pref.yield %loss
})";
  for (int i = 0; i < 16; ++i)
    definitions[absl::StrCat("o", i)] = absl::StrCat(
        "pref.objective @o", i, " {\n  %loss = pref.apply @o", i + 1, "\n  pref.yield %loss\n}");
  mlir::MLIRContext context;
  EXPECT_THAT(deriveExpression("o1", Resolver(definitions), context), IsOk());
  absl::StatusOr<DerivedObjective> deep = deriveExpression("o0", Resolver(definitions), context);
  EXPECT_THAT(std::string(deep.status().message()),
              HasSubstr("expected at most 16 objectives inside each other, got o0 -> o1 -> "));
}

// A file may apply the objectives beside it, and those in folders of their own beside its folder.
TEST(Neighbours, AreFound) {
  std::string root = testing::TempDir() + "/neighbours";
  for (const char* folder : {"", "/mixed", "/likely"}) mkdir((root + folder).c_str(), 0755);
  std::ofstream(root + "/mixed/pair.mlir") << kDefinitions.at("pair");
  std::ofstream(root + "/likely/likely.mlir") << kDefinitions.at("likely");
  std::string mixed = root + "/mixed/mixed.mlir";
  std::ofstream(mixed) << R"(pref.objective @mixed {
  %a = pref.apply @pair
  %b = pref.apply @likely
  %loss = pref.add %a, %b
  pref.yield %loss
})";
  mlir::MLIRContext context;
  absl::StatusOr<DerivedObjective> derived = deriveObjectiveFile(mixed, context);
  ASSERT_THAT(derived, IsOk());
  EXPECT_THAT(derived->signature.metrics, ElementsAre("pair.margin", "pair.loss", "likely.loss"));
  std::ofstream(mixed) << R"(pref.objective @mixed {
  %loss = pref.apply @likley
  pref.yield %loss
})";
  EXPECT_THAT(std::string(deriveObjectiveFile(mixed, context).status().message()),
              HasSubstr("no objective is named @likley: expected one of likely, mixed, pair; did "
                        "you mean 'likely'?"));
}

// Nothing evaluates an objective that is not inlined.
TEST(Apply, IsNotInterpreted) {
  mlir::MLIRContext context;
  context.loadDialect<PrefDialect>();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(kDefinitions.at("ring"), &context);
  ASSERT_TRUE(module);
  EXPECT_THAT(interpret(*module->getOps<ObjectiveOp>().begin(), Batch()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("pref.apply @around: expected an objective after pref-inline")));
}

struct BadExpression {
  const char* name;
  const char* text;
  std::vector<std::string> messages;  // parts of the error, all of them
};

class ExpressionErrors : public testing::TestWithParam<BadExpression> {};

TEST_P(ExpressionErrors, AreLocated) {
  mlir::MLIRContext context;
  absl::StatusOr<DerivedObjective> derived = deriveExpression(GetParam().text, Resolver(), context);
  ASSERT_EQ(derived.status().code(), absl::StatusCode::kInvalidArgument);
  for (const std::string& message : GetParam().messages)
    EXPECT_THAT(std::string(derived.status().message()), HasSubstr(message));
}

INSTANTIATE_TEST_SUITE_P(
    Texts, ExpressionErrors,
    testing::Values(
        BadExpression{"empty", "", {"expression:1:1: error: expected a weight or the name"}},
        BadExpression{
            "no_star", "0.5 pair", {"expression:1:5: error: expected '*' between a weight"}},
        BadExpression{
            "no_name", "0.5*", {"expression:1:5: error", "got the end of the expression"}},
        BadExpression{
            "no_sign", "pair likely", {"expression:1:6: error: expected '+', '-'", "got 'l'"}},
        BadExpression{"no_term", "pair + ", {"expected a weight or the name of an objective"}},
        BadExpression{"number", "1.2.3*pair", {"expected a finite number, got '1.2.3'"}},
        BadExpression{"huge", "1e999*pair", {"expected a finite number, got '1e999'"}},
        BadExpression{"binding",
                      "pair(=1)",
                      {"expression:1:6: error: expected the name of a hyperparameter"}},
        BadExpression{"binding_value",
                      "pair(beta=)",
                      {"expression:1:11: error: expected a number or the new name"}},
        BadExpression{"binding_equal", "pair(beta 1)", {"expected '='"}},
        BadExpression{
            "binding_twice", "pair(beta=1, beta=2)", {"expression:1:14: error: binds beta twice"}},
        BadExpression{"open", "pair(beta=1", {"expected ',' or ')', got the end"}},
        BadExpression{"choice", "level[=steep]", {"expected the name of an option"}},
        BadExpression{"choice_case", "level[shape=]", {"expected the case of the option"}},
        BadExpression{"choice_twice", "level[shape=plain, shape=steep]", {"chooses shape twice"}},
        BadExpression{"unknown",
                      "pair + lively",
                      {"expression:1:8: error: no objective is named @lively",
                       "did you mean 'likely'?", "pair + lively\n       ^"}},
        BadExpression{
            "unknown_name", "pairs", {"no objective is named @pairs", "did you mean 'pair'?"}},
        BadExpression{"unknown_hyper",
                      "0.5*pair(bta=1)",
                      {"expression:1:5: error", "@pair has no hyperparameter \"bta\"",
                       "did you mean 'beta'?"}},
        BadExpression{"unknown_renamed",
                      "pair(bta=gamma)",
                      {"@pair has no hyperparameter \"bta\"", "did you mean 'beta'?"}},
        BadExpression{"out_of_range",
                      "pair(beta=0)",
                      {"hyperparameter beta of @pair: expected (0, inf), got 0"}},
        BadExpression{"differ",
                      "pair + sharp",
                      {"expression:1:8: error", "declares hyperparameter \"beta\" differently",
                       "default 0.3 in (0, inf) and default 0.1 in (0, inf)"}},
        BadExpression{
            "renamed_differ",
            "pair(beta=b) + sharp(beta=b)",
            {"expression:1:22: error", "hyperparameter b stands for declarations that differ"}},
        BadExpression{"unknown_option", "level[shap=steep]", {"did you mean 'shape'?"}},
        BadExpression{"unknown_case", "level[shape=step]", {"did you mean 'steep'?"}},
        BadExpression{
            "circle", "ring", {"objectives apply each other in a circle: ring -> around -> ring"}},
        BadExpression{
            "broken",
            "pair + broken",
            {"broken.mlir:1:", "expression:1:8: error: the definition of @broken is not valid"}},
        BadExpression{"misnamed",
                      "misnamed + pair",
                      {"expected the symbol @misnamed, the name of the file, got @other"}}),
    [](const testing::TestParamInfo<BadExpression>& info) { return info.param.name; });

}  // namespace
}  // namespace alidade::pref
