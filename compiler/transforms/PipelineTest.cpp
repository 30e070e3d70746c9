// From text to signature, and the errors that an author of an objective meets.

#include "compiler/transforms/Pipeline.h"

#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include "mlir/IR/MLIRContext.h"

#include "common/status/status_matchers.h"
#include "compiler/dialect/pref/ObjectiveInfo.h"

namespace alidade::pref {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Two views, two models, two hyperparameters, metrics of both kinds.
constexpr char kPair[] =
    R"(pref.objective @pair attributes {paper = "arXiv:0000.00000", doc = "a pair"} {
  %beta = pref.hyper "beta" default 0.1 in (0, inf) doc "temperature"
  %edge = pref.hyper "edge" default 0 in [-1, 1]
  %w = pref.logprob policy(chosen)
  %c = pref.logprob policy(chosen) on corrupted("crop")
  %r = pref.logprob reference(chosen)
  %l = pref.logprob policy(rejected)
  %wr = pref.sub %w, %r
  %cr = pref.sub %wr, %c
  %s = pref.sum %cr over token
  %t = pref.mean %l over token
  %d = pref.sub %s, %t
  %u = pref.mul %d, %beta
  %v = pref.sub %u, %edge
  %ls = pref.log_sigmoid %v
  %m = pref.mean %ls over row
  %loss = pref.neg %m
  pref.yield %loss metrics("margin" = %u, "mean_log_sigmoid" = %m)
}
)";

TEST(Pipeline, DerivesTheSignature) {
  mlir::MLIRContext context;
  absl::StatusOr<DerivedObjective> derived =
      deriveObjectiveText(kPair, "some/folder/pair.mlir", context);
  ASSERT_THAT(derived, IsOk());
  const schedule::Signature& signature = derived->signature;
  EXPECT_EQ(signature.name, "pair");
  EXPECT_EQ(signature.paper, "arXiv:0000.00000");
  EXPECT_EQ(signature.doc, "a pair");
  EXPECT_THAT(signature.Responses(), ElementsAre("chosen", "rejected"));
  EXPECT_THAT(signature.metrics, ElementsAre("margin", "mean_log_sigmoid"));

  ASSERT_EQ(signature.distributions.size(), 4);
  std::vector<std::string> names;
  std::vector<bool> gradients;
  for (const schedule::Distribution& distribution : signature.distributions) {
    names.push_back(distribution.Name());
    gradients.push_back(distribution.requires_grad);
  }
  EXPECT_THAT(names, ElementsAre("policy.chosen", "policy.chosen@corrupted(crop)",
                                 "reference.chosen", "policy.rejected"));
  EXPECT_THAT(gradients, ElementsAre(true, true, false, true));
  EXPECT_EQ(signature.distributions[0].coupling.granularity, schedule::Granularity::kRow);
  EXPECT_EQ(signature.distributions[0].coupling.rank, 1);
  EXPECT_FALSE(signature.distributions[0].coupling.dense);

  std::vector<int64_t> cotangents;
  for (const schedule::VocabularyRead& read : signature.reads) cotangents.push_back(read.cotangent);
  EXPECT_THAT(cotangents, ElementsAre(0, 1, -1, 2));

  ASSERT_EQ(signature.hyperparameters.size(), 2);
  EXPECT_EQ(signature.hyperparameters[0].name, "beta");
  EXPECT_EQ(signature.hyperparameters[0].doc, "temperature");
  EXPECT_EQ(signature.hyperparameters[0].Range(), "(0, inf)");
  EXPECT_EQ(signature.hyperparameters[1].Range(), "[-1, 1]");
}

// The names that the dialect and the contract give to a distribution are the same.
TEST(Pipeline, DistributionsHaveOneName) {
  mlir::MLIRContext context;
  absl::StatusOr<DerivedObjective> derived = deriveObjectiveText(kPair, "pair.mlir", context);
  ASSERT_THAT(derived, IsOk());
  llvm::SmallVector<Read> reads = readsOf(derived->objective());
  ASSERT_EQ(reads.size(), derived->signature.distributions.size());
  for (size_t i = 0; i < reads.size(); ++i) {
    EXPECT_EQ(reads[i].distribution.getName(), derived->signature.distributions[i].Name());
    EXPECT_EQ(readIndexOf(reads[i].first()), i);
  }
}

// Everything that a signature can say.
constexpr char kFull[] = R"(pref.objective @full {
  %two = pref.constant 2
  %gamma = pref.hyper "gamma" default 1.5 in (0, inf)
  %step = pref.input "step" over []
  %label = pref.input "label" over [row] doc "1: desirable"
  %adv = pref.input "advantage" over [row, member]
  %mean = pref.state "mean" default 0.5 doc "running mean"
  %z = pref.logprob policy(mismatched) detached
  %zs = pref.sum %z over token
  %z0 = pref.mean %zs over row
  %best = pref.argmax reference(2)(chosen) on corrupted("crop") shared
  %w = pref.logprob policy(chosen)
  %k = pref.kl reference(chosen) on blank, policy(chosen)
  %b = pref.logprob policy(chosen) at %best
  %mix = pref.logprob old_policy(chosen) mix policy(chosen) on retrieved by %gamma
  %half = pref.logprob reference(chosen) mix reference(2)(chosen) by %two
  %t = pref.logprob policy(member)
  %ts = pref.sum %t over token
  %ta = pref.mul %ts, %adv
  %tr = pref.mean %ta over member
  %i = pref.pair_index first
  %is = pref.sum %i over pair
  %a0 = pref.add %w, %k
  %a1 = pref.add %a0, %b
  %a2 = pref.add %a1, %mix
  %a3 = pref.add %a2, %half
  %s = pref.sum %a3 over token
  %mean_s = pref.mean %a3 over token
  %o = pref.option "norm" default "sum" of "sum" = %s, "mean" = %mean_s doc "of tokens"
  %d = pref.sub %o, %z0
  %e = pref.sigmoid %d
  %f = pref.mul %e, %label
  %g = pref.add %f, %tr
  %h = pref.add %g, %is
  %j = pref.add %h, %step
  %l = pref.add %j, %mean
  %loss = pref.mean %l over row
  pref.update "mean" = %loss
  pref.yield %loss metrics("score" = %o)
}
)";

TEST(Pipeline, DerivesAxesInputsStatesAndOptions) {
  mlir::MLIRContext context;
  absl::StatusOr<DerivedObjective> derived =
      deriveObjectiveText(kFull, "full.mlir", context, {{"norm", "mean"}});
  ASSERT_THAT(derived, IsOk());
  const schedule::Signature& s = derived->signature;
  std::vector<std::string> axes;
  for (const schedule::Axis& axis : s.axes) axes.push_back(axis.Name());
  EXPECT_THAT(axes,
              ElementsAre("member", "token(mismatched)", "token(chosen)", "token(member)", "pair"));
  EXPECT_EQ(s.axes[3].parent, 0);
  ASSERT_EQ(s.inputs.size(), 3);
  EXPECT_EQ(s.inputs[0].axis, schedule::Input::kNone);
  EXPECT_EQ(s.inputs[1].axis, schedule::Input::kRow);
  EXPECT_EQ(s.inputs[1].doc, "1: desirable");
  EXPECT_EQ(s.inputs[2].axis, 0);
  ASSERT_EQ(s.states.size(), 1);
  EXPECT_EQ(s.states[0].name, "mean");
  EXPECT_EQ(s.states[0].default_value, 0.5);
  ASSERT_EQ(s.options.size(), 1);
  EXPECT_EQ(s.options[0].name, "norm");
  EXPECT_EQ(s.options[0].chosen, "mean");
  EXPECT_EQ(s.options[0].default_case, "sum");
  EXPECT_THAT(s.options[0].cases, ElementsAre("sum", "mean"));
  EXPECT_FALSE(s.reduces_ranks);
}

TEST(Pipeline, DerivesReadsAndPrograms) {
  mlir::MLIRContext context;
  absl::StatusOr<DerivedObjective> derived = deriveObjectiveText(kFull, "full.mlir", context);
  ASSERT_THAT(derived, IsOk());
  const schedule::Signature& s = derived->signature;
  EXPECT_THAT(s.ReadNames(),
              ElementsAre("policy.mismatched", "reference(2).chosen@corrupted(crop)+shared#argmax",
                          "policy.chosen", "policy.chosen#kl_from", "policy.chosen#logprob_at",
                          "old_policy.chosen#logprob_mix", "reference.chosen#logprob_mix",
                          "policy.member"));
  std::vector<std::string> reads;
  for (const Read& read : readsOf(derived->objective())) reads.push_back(read.name);
  EXPECT_EQ(s.ReadNames(), reads);
  std::vector<std::string> programs;
  for (const schedule::Distribution& d : s.distributions)
    programs.push_back(d.Name() + ": " +
                       (d.program < 0 ? "-" : s.row_programs[d.program].ToString()));
  EXPECT_THAT(programs, ElementsAre("policy.mismatched: logprob",
                                    "reference(2).chosen@corrupted(crop)+shared: argmax",
                                    "policy.chosen: logprob* kl_from* logprob_at*",
                                    "reference.chosen@blank: -", "old_policy.chosen: logprob_mix",
                                    "policy.chosen@retrieved: -", "reference.chosen: logprob_mix",
                                    "reference(2).chosen: -", "policy.member: logprob*"));
  EXPECT_EQ(s.reads[4].index_read, 1);
  EXPECT_EQ(s.reads[5].scale_hyper, 0);
  EXPECT_EQ(s.reads[6].scale_hyper, -1);
  EXPECT_EQ(s.reads[6].scale_constant, 2);
  EXPECT_EQ(s.distributions[2].partner, 3);
  EXPECT_TRUE(s.distributions[2].coupling.dense);
  EXPECT_TRUE(s.distributions[0].feeds_known);
  EXPECT_FALSE(s.distributions[1].feeds_known);
  EXPECT_EQ(s.known_values, 1);
  EXPECT_EQ(s.distributions[8].coupling.granularity, schedule::Granularity::kKnown);
  EXPECT_TRUE(s.distributions[8].coupling.uniform);
}

TEST(Pipeline, FindsSumsOverRanks) {
  mlir::MLIRContext context;
  auto text = [](const char* scope) {
    return std::string(R"(pref.objective @ranked {
  %t = pref.logprob policy(response)
  %s = pref.sum %t over token
  %r = pref.logprob reference(response)
  %q = pref.sum %r over token
  %b = pref.mean %q over row)") +
           scope + R"(
  %d = pref.sub %s, %b
  %l = pref.sigmoid %d
  %m = pref.mean %l over row
  pref.yield %m
})";
  };
  absl::StatusOr<DerivedObjective> local = deriveObjectiveText(text(""), "ranked.mlir", context);
  ASSERT_THAT(local, IsOk());
  EXPECT_FALSE(local->signature.reduces_ranks);
  absl::StatusOr<DerivedObjective> ranked =
      deriveObjectiveText(text(" scope ranks"), "ranked.mlir", context);
  ASSERT_THAT(ranked, IsOk());
  EXPECT_TRUE(ranked->signature.reduces_ranks);
  EXPECT_EQ(ranked->signature.known_values, 1);
  EXPECT_TRUE(ranked->signature.distributions[1].feeds_known);
}

TEST(Pipeline, RefusesUnknownOptions) {
  mlir::MLIRContext context;
  const auto code = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(deriveObjectiveText(kFull, "full.mlir", context, {{"nrm", "mean"}}).status(),
              StatusIs(code, HasSubstr("option \"nrm\": expected one of norm; did you mean "
                                       "'norm'?")));
  EXPECT_THAT(deriveObjectiveText(kFull, "full.mlir", context, {{"norm", "mea"}}).status(),
              StatusIs(code, HasSubstr("option \"norm\": expected one of sum, mean, got \"mea\"; "
                                       "did you mean 'mean'?")));
}

// What is printed can be derived again, and derives the same.
TEST(Pipeline, PrintsWhatItReads) {
  mlir::MLIRContext context;
  absl::StatusOr<DerivedObjective> derived = deriveObjectiveText(kPair, "pair.mlir", context);
  ASSERT_THAT(derived, IsOk());
  absl::StatusOr<DerivedObjective> again =
      deriveObjectiveText(printModule(*derived->definition), "pair.mlir", context);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(printModule(*again->differentiated), printModule(*derived->differentiated));
  EXPECT_EQ(schedule::SignatureToJson(again->signature),
            schedule::SignatureToJson(derived->signature));
}

struct BadText {
  const char* name;
  std::string text;
  std::vector<std::string> messages;  // parts of the error, all of them
};

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

class PipelineErrors : public testing::TestWithParam<BadText> {};

TEST_P(PipelineErrors, AreLocated) {
  mlir::MLIRContext context;
  absl::StatusOr<DerivedObjective> derived =
      deriveObjectiveText(GetParam().text, "pair.mlir", context);
  ASSERT_EQ(derived.status().code(), absl::StatusCode::kInvalidArgument);
  for (const std::string& message : GetParam().messages)
    EXPECT_THAT(std::string(derived.status().message()), HasSubstr(message));
}

INSTANTIATE_TEST_SUITE_P(
    Texts, PipelineErrors,
    testing::Values(
        BadText{"mixed_axes",
                Replaced(kPair, "pref.sub %wr, %c", "pref.sub %wr, %l"),
                {"pair.mlir:9:9: error: 'pref.sub' op (C1) cannot combine axes [row, "
                 "token(chosen)] with [row, "
                 "token(rejected)]",
                 "pair.mlir:8:9: note: this value has axes [row, token(chosen)]",
                 "pair.mlir:7:8: note: this value has axes [row, token(rejected)]"}},
        BadText{
            "name",
            Replaced(kPair, "@pair", "@pear"),
            {"pair.mlir:1:1: error", "expected the symbol @pair, the name of the file, got @pear"}},
        BadText{"unused_hyper",
                Replaced(kPair, "pref.sub %u, %edge", "pref.sub %u, %beta"),
                {"pair.mlir:3:11: error: 'pref.hyper' op has no effect: its result is never used"}},
        BadText{"unused_value",
                Replaced(kPair, "pref.mul %d, %beta", "pref.mul %s, %beta"),
                {"pair.mlir:12:8: error: 'pref.sub' op has no effect"}},
        BadText{"row_loss",
                Replaced(kPair, "pref.yield %loss", "pref.yield %ls"),
                {"(C1) loss must be [], got [row]; reduce it with pref.mean ... over row"}},
        BadText{"default_out_of_range",
                Replaced(kPair, "default 0.1", "default -0.1"),
                {"pair.mlir:2:11: error", "beta: expected a default in (0, inf), got -0.1"}},
        BadText{"two_objectives",
                std::string(kPair) + Replaced(kPair, "@pair", "@other"),
                {"pair.mlir:20:1: error: expected one pref.objective per file"}},
        BadText{"empty", "", {"expected one pref.objective, got none"}},
        BadText{"value_only",
                Replaced(kPair, "pref.log_sigmoid", "pref.sign"),
                {"pair.mlir:15:9: error: 'pref.sign' op is value-only",
                 "pair.mlir:14:8: note: a gradient is wanted for this value"}},
        BadText{"syntax",
                Replaced(kPair, "over token", "over tokens"),
                {"pair.mlir:10:", "did you mean 'token'?"}}),
    [](const testing::TestParamInfo<BadText>& info) { return info.param.name; });

TEST(PipelineFile, IsNotFound) {
  mlir::MLIRContext context;
  EXPECT_THAT(deriveObjectiveFile("absent/pair.mlir", context),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent/pair.mlir")));
}

TEST(PipelineFile, IsRead) {
  std::string path = testing::TempDir() + "/pair.mlir";
  std::ofstream(path) << kPair;
  mlir::MLIRContext context;
  absl::StatusOr<DerivedObjective> derived = deriveObjectiveFile(path, context);
  ASSERT_THAT(derived, IsOk());
  EXPECT_EQ(derived->signature.name, "pair");
}

}  // namespace
}  // namespace alidade::pref
