// Names, JSON and the invariants of signatures that use everything a signature can say.

#include "compiler/schedule/signature.h"

#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status/status_matchers.h"
#include "compiler/testing/contrast.h"

namespace alidade::schedule {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Members of a prompt with advantages; a KL divergence to a reference; the probability of a given
// and of the likeliest token; a state; an option.
Signature FullSignature() {
  Signature s;
  s.name = "full";
  s.axes = {{.kind = "member"},
            {.kind = "token", .name = "member", .parent = 0},
            {.kind = "token", .name = "chosen"},
            {.kind = "segment", .name = "phrase"},
            {.kind = "pair"}};
  const Coupling coupling = {.granularity = Granularity::kRanks,
                             .rank = 1,
                             .dense = true,
                             .uniform = true,
                             .reason = "a mean over the rows of all ranks"};
  s.distributions = {
      {.model = "policy",
       .response = "chosen",
       .requires_grad = true,
       .coupling = coupling,
       .axis = 2,
       .partner = 2},
      {.model = "policy", .response = "member", .requires_grad = true, .axis = 1},
      {.model = "reference(2)",
       .response = "chosen",
       .view = "corrupted",
       .view_argument = "crop",
       .shared_view = true,
       .feeds_known = true,
       .axis = 2},
  };
  s.hyperparameters = {{.name = "gamma", .default_value = 1, .low = 0, .high = 2}};
  s.inputs = {{.name = "advantage", .axis = 0, .doc = "group-normalised reward"},
              {.name = "token", .axis = 2},
              {.name = "weight", .axis = Input::kRow},
              {.name = "steps", .axis = Input::kNone}};
  s.options = {{.name = "divergence",
                .chosen = "js",
                .default_case = "kl",
                .cases = {"kl", "js"},
                .doc = "which divergence"}};
  s.states = {{.name = "mean", .default_value = 0.5, .doc = "running mean of rewards"}};
  s.reads = {{.op = "kl_from", .distribution = 0, .partner = 2, .cotangent = 0},
             {.op = "logprob_mix", .distribution = 0, .partner = 2, .scale_hyper = 0},
             {.op = "argmax", .distribution = 0},
             {.op = "logprob_at", .distribution = 0, .index_input = 1},
             {.op = "logprob_at", .distribution = 0, .index_read = 2, .cotangent = 1},
             {.op = "logprob", .distribution = 1, .cotangent = 2}};
  s.metrics = {"margin"};
  s.reduces_ranks = true;
  s.known_values = 2;
  AssignRowPrograms(s);
  return s;
}

TEST(Signature, KeepsEverythingInJson) {
  const std::string json = SignatureToJson(FullSignature());
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Signature read, SignatureFromJson(json));
  EXPECT_EQ(SignatureToJson(read), json);
  EXPECT_EQ(read.distributions[0].coupling.granularity, Granularity::kRanks);
  EXPECT_TRUE(read.distributions[0].coupling.uniform);
  EXPECT_TRUE(read.distributions[2].feeds_known);
  EXPECT_EQ(read.inputs[3].axis, Input::kNone);
  EXPECT_EQ(read.options[0].chosen, "js");
  EXPECT_DOUBLE_EQ(read.states[0].default_value, 0.5);
  EXPECT_EQ(read.reads[1].scale_hyper, 0);
  EXPECT_TRUE(read.reduces_ranks);
  EXPECT_EQ(read.known_values, 2);
}

TEST(Signature, NamesAxesAndReads) {
  const Signature s = FullSignature();
  std::vector<std::string> names;
  for (const Axis& axis : s.axes) names.push_back(axis.Name());
  EXPECT_THAT(names,
              ElementsAre("member", "token(member)", "token(chosen)", "segment(phrase)", "pair"));
  EXPECT_EQ(s.FindAxis("pair"), 4);
  EXPECT_EQ(s.FindResponse("member"), 1);
  EXPECT_EQ(s.FindResponse("phrase"), std::nullopt);
  EXPECT_THAT(s.Responses(), ElementsAre("member", "chosen"));
  EXPECT_THAT(s.ReadNames(), ElementsAre("policy.chosen#kl_from", "policy.chosen#logprob_mix",
                                         "policy.chosen#argmax", "policy.chosen#logprob_at",
                                         "policy.chosen#logprob_at#2", "policy.member"));
  EXPECT_EQ(s.num_cotangents(), 3);
}

TEST(Signature, RowProgramsAreDistinct) {
  const Signature s = FullSignature();
  ASSERT_EQ(s.row_programs.size(), 2);
  EXPECT_EQ(s.row_programs[0].ToString(), "kl_from* logprob_mix argmax logprob_at logprob_at*");
  EXPECT_EQ(s.row_programs[1].ToString(), "logprob*");
  EXPECT_EQ(s.distributions[1].program, 1);
  EXPECT_EQ(s.distributions[2].program, -1);  // read by its partner's kernel alone
  const Signature contrast = alidade::testing::ContrastSignature();
  EXPECT_EQ(contrast.row_programs.size(), 2);
  EXPECT_EQ(contrast.distributions[3].program, contrast.distributions[2].program);
}

struct Broken {
  const char* name;
  std::function<void(Signature&)> edit;
  const char* message;
};

class SignatureErrors : public ::testing::TestWithParam<Broken> {};

TEST_P(SignatureErrors, NameTheMember) {
  Signature s = FullSignature();
  ASSERT_THAT(ValidateSignature(s), IsOk());
  GetParam().edit(s);
  EXPECT_THAT(ValidateSignature(s),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(GetParam().message)));
}

INSTANTIATE_TEST_SUITE_P(
    Members, SignatureErrors,
    ::testing::Values(
        Broken{"kind", [](Signature& s) { s.axes[3].kind = "span"; },
               "axes[3].kind: expected token, member, segment or pair, got 'span'"},
        Broken{"axis_name", [](Signature& s) { s.axes[3].name = ""; },
               "axes[3].name: expected a name"},
        Broken{"axis_twice", [](Signature& s) { s.axes.push_back(s.axes[3]); },
               "axes: 'segment(phrase)' twice"},
        Broken{"parent", [](Signature& s) { s.axes[2].parent = 0; },
               "axes[2].parent: expected row, got member"},
        Broken{"parent_later", [](Signature& s) { s.axes[1].parent = 3; },
               "axes[1].parent: expected [-1, 1), got 3"},
        Broken{"pair_alone", [](Signature& s) { s.axes = {{.kind = "pair"}}; },
               "axes[0]: expected the axis member before pair"},
        Broken{"input_axis", [](Signature& s) { s.inputs[0].axis = 9; },
               "inputs[0].axis: expected [-2, 5), got 9"},
        Broken{"input_twice", [](Signature& s) { s.inputs[1].name = "weight"; },
               "inputs: 'weight' twice"},
        Broken{"option", [](Signature& s) { s.options[0].chosen = "hellinger"; },
               "options.divergence: expected one of kl, js, got 'hellinger'"},
        Broken{"op", [](Signature& s) { s.reads[0].op = "kl"; }, "reads[0].op: no operation 'kl'"},
        Broken{"partner", [](Signature& s) { s.reads[0].partner = 1; },
               "reads[0].partner: expected the partner of its distribution, got 1"},
        Broken{"two_indexes", [](Signature& s) { s.reads[4].index_input = 1; },
               "reads[4]: expected either index_input or index_read"},
        Broken{"index", [](Signature& s) { s.reads[4].index_read = 1; },
               "reads[4].index_read: expected an argmax, got logprob_mix"},
        Broken{"gradient", [](Signature& s) { s.reads[2].cotangent = 1; },
               "reads[2].cotangent: argmax has no gradient"},
        Broken{"cotangent", [](Signature& s) { s.reads[4].cotangent = 2; },
               "reads[4].cotangent: expected -1 or 1, got 2"},
        Broken{"axis", [](Signature& s) { s.distributions[0].axis = 1; },
               "distributions[0].axis: expected token(chosen), got token(member)"},
        Broken{"partner_axis", [](Signature& s) { s.distributions[1].partner = 0; },
               "distributions[1].partner: expected another distribution over token(member)"},
        Broken{"program", [](Signature& s) { s.distributions[0].program = 1; },
               "distributions[0].program: expected the reads kl_from* logprob_mix argmax "
               "logprob_at logprob_at*, got logprob*"},
        Broken{"requires_grad", [](Signature& s) { s.distributions[2].requires_grad = true; },
               "distributions[2].requires_grad: expected false"}),
    [](const ::testing::TestParamInfo<Broken>& info) { return info.param.name; });

}  // namespace
}  // namespace alidade::schedule
