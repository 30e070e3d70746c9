#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/status.h"
#include "c10/core/GradMode.h"
#include "c10/core/InferenceMode.h"
#include "common/status/status_matchers.h"
#include "compiler/runtime/abi.h"
#include "compiler/runtime/bind.h"
#include "compiler/runtime/contrast_testutil.h"
#include "compiler/runtime/objective.h"
#include "compiler/schedule/signature.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::runtime {
namespace {

using ::alidade::runtime::testing::Contrast;
using ::alidade::runtime::testing::ContrastInputs;
using ::alidade::runtime::testing::ContrastTable;
using ::alidade::runtime::testing::Integers;
using ::alidade::runtime::testing::kHidden;
using ::alidade::runtime::testing::kRows;
using ::alidade::runtime::testing::kVocabulary;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// f32 GEMMs over tens of terms against f64: relative to the largest element.
constexpr double kFloatTolerance = 1e-5;

const absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

// The same formula in f64 with LibTorch's autograd; gradients by input name.
std::map<std::string, at::Tensor> Reference(const ObjectiveInputs& inputs, double target,
                                            double weight) {
  std::map<std::string, at::Tensor> leaves, logp;
  for (const auto& [model, head] : inputs.heads) {
    leaves[model + ".head"] = head.detach().to(at::kDouble).set_requires_grad(head.requires_grad());
  }
  for (const auto& [name, tokens] : inputs.distributions) {
    leaves[name] =
        tokens.hidden.detach().to(at::kDouble).set_requires_grad(tokens.hidden.requires_grad());
    const at::Tensor logits =
        at::mm(leaves[name], leaves[name.substr(0, name.find('.')) + ".head"].t());
    logp[name] = at::log_softmax(logits, -1).gather(1, tokens.labels.unsqueeze(1)).squeeze(1);
  }
  at::Tensor loss = at::zeros({}, at::kDouble);
  for (int64_t row = 0; row < kRows; ++row) {
    const auto part = [&](const std::string& name) {
      const at::Tensor& o = inputs.distributions.at(name).offsets;
      return logp[name].slice(0, o[row].item<int64_t>(), o[row + 1].item<int64_t>());
    };
    const at::Tensor gap = part("policy.chosen").sum() - part("reference.chosen").sum() -
                           part("policy.rejected").sum() + part("reference.rejected").sum();
    const double count = std::max<int64_t>(1, part("policy.chosen").numel());
    loss = loss + (gap - target).square() - weight * part("policy.chosen").sum() / count;
  }
  loss = loss / kRows;
  loss.backward();
  std::map<std::string, at::Tensor> result = {{"loss", loss.detach()}};
  for (const auto& [name, leaf] : leaves) {
    if (leaf.requires_grad()) result[name] = leaf.grad();
  }
  return result;
}

void ExpectClose(const at::Tensor& got, const at::Tensor& expected) {
  ASSERT_TRUE(got.defined());
  const double error = (got.to(at::kDouble) - expected).abs().max().item<double>();
  EXPECT_LE(error, kFloatTolerance * std::max(1.0, expected.abs().max().item<double>()));
}

TEST(RuntimeTest, AgreesWithDoublePrecisionAutograd) {
  for (bool train_head : {true, false}) {
    for (bool train_hidden : {true, false}) {
      if (!train_head && !train_hidden) continue;
      for (const std::string kind : {"S2", "S3", "F"}) {
        if (kind == "F" && train_head) continue;
        for (int64_t chunk : {0, 1, 4}) {
          SCOPED_TRACE(kind + " chunk " + std::to_string(chunk) +
                       (train_head ? " full" : " frozen"));
          ObjectiveInputs inputs = ContrastInputs(train_head, train_hidden);
          inputs.hyperparameters = {{"target", 1.5}, {"weight", 0.5}};
          ALIDADE_ASSERT_OK_AND_ASSIGN(
              const ObjectiveOutputs outputs,
              Apply(Contrast(), inputs, {.schedule = kind, .chunk_tokens = chunk}));
          EXPECT_EQ(outputs.schedule, kind);
          outputs.loss.backward();
          const std::map<std::string, at::Tensor> expected = Reference(inputs, 1.5, 0.5);
          ExpectClose(outputs.loss, expected.at("loss"));
          if (train_head) ExpectClose(inputs.heads.at("policy").grad(), expected.at("policy.head"));
          for (const std::string name : {"policy.chosen", "policy.rejected"}) {
            if (train_hidden)
              ExpectClose(inputs.distributions.at(name).hidden.grad(), expected.at(name));
          }
          EXPECT_FALSE(inputs.heads.at("reference").grad().defined());
        }
      }
    }
  }
}

TEST(RuntimeTest, TwoRunsGiveTheSameBits) {
  ObjectiveInputs first = ContrastInputs(true), second = ContrastInputs(true);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ObjectiveOutputs a,
                               Apply(Contrast(), first, {.schedule = "S3", .chunk_tokens = 4}));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ObjectiveOutputs b,
                               Apply(Contrast(), second, {.schedule = "S3", .chunk_tokens = 4}));
  a.loss.backward();
  b.loss.backward();
  EXPECT_TRUE(at::equal(a.loss, b.loss));
  EXPECT_TRUE(at::equal(first.heads.at("policy").grad(), second.heads.at("policy").grad()));
}

TEST(RuntimeTest, WithoutGradModeNothingIsDifferentiated) {
  const ObjectiveInputs inputs = ContrastInputs(true);
  {
    const c10::InferenceMode inference;
    ALIDADE_ASSERT_OK_AND_ASSIGN(const ObjectiveOutputs outputs, Apply(Contrast(), inputs));
    EXPECT_EQ(outputs.schedule, "R");
  }
  // The workspace that inference mode left behind serves ordinary calls.
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ObjectiveOutputs outputs,
                               Apply(Contrast(), inputs, {.chunk_tokens = 5}));
  outputs.loss.backward();
  EXPECT_TRUE(inputs.heads.at("policy").grad().defined());
}

TEST(RuntimeTest, GivenLogProbabilitiesReplaceTheReference) {
  ObjectiveInputs inputs = ContrastInputs(true);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ObjectiveOutputs scored, Apply(Contrast(), inputs));
  for (const std::string name : {"reference.chosen", "reference.rejected"}) {
    ScoredTokens& tokens = inputs.distributions.at(name);
    tokens = {.logp = scored.logp.at(name), .offsets = tokens.offsets};
  }
  inputs.heads.erase("reference");
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ObjectiveOutputs given, Apply(Contrast(), inputs));
  EXPECT_TRUE(at::equal(given.loss, scored.loss));
  EXPECT_TRUE(at::equal(given.metrics.at("gap"), scored.metrics.at("gap")));
}

TEST(RuntimeTest, GivenLogProbabilitiesAreDifferentiable) {
  ObjectiveInputs inputs = ContrastInputs(false);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ObjectiveOutputs scored, Apply(Contrast(), inputs));
  for (auto& [name, tokens] : inputs.distributions) {
    tokens.hidden = at::Tensor();
    tokens.logp = scored.logp.at(name).clone().set_requires_grad(name.rfind("policy", 0) == 0);
  }
  inputs.heads.clear();
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ObjectiveOutputs outputs, Apply(Contrast(), inputs));
  outputs.loss.backward();
  const double gap = scored.logp.at("policy.rejected").slice(0, 2, 5).sum().item<double>() * -1 +
                     scored.logp.at("reference.rejected").slice(0, 2, 5).sum().item<double>();
  EXPECT_NEAR(inputs.distributions.at("policy.rejected").logp.grad()[2].item<double>(),
              -2 * (gap - 2) / kRows, 1e-4);
}

TEST(RuntimeTest, UpstreamGradientScalesAndAccumulates) {
  ObjectiveInputs inputs = ContrastInputs(true);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ObjectiveOutputs once, Apply(Contrast(), inputs));
  once.loss.backward({}, /*retain_graph=*/true);
  const at::Tensor single = inputs.heads.at("policy").grad().clone();
  (once.loss * 3).backward();
  EXPECT_TRUE(at::allclose(inputs.heads.at("policy").grad(), single * 4));
  EXPECT_THROW(once.loss.backward(), c10::Error);
}

TEST(RuntimeTest, EveryBadInputIsNamed) {
  const auto run = [](auto edit) {
    ObjectiveInputs inputs = ContrastInputs(true);
    edit(inputs);
    return Apply(Contrast(), inputs).status();
  };
  const auto chosen = [&](auto edit) {
    return run([&](ObjectiveInputs& i) { edit(i.distributions.at("policy.chosen")); });
  };
  EXPECT_THAT(chosen([](ScoredTokens& t) { t.hidden = t.hidden.detach().to(at::kDouble); }),
              StatusIs(kInvalid, HasSubstr("policy.chosen.hidden: expected Float, got Double")));
  EXPECT_THAT(
      chosen([](ScoredTokens& t) { t.hidden = at::randn({9, kHidden + 1}); }),
      StatusIs(kInvalid, HasSubstr("policy.chosen.hidden: expected shape [9, 6], got [9, 7]")));
  EXPECT_THAT(
      chosen([](ScoredTokens& t) { t.hidden = at::randn({kHidden, 9}).t(); }),
      StatusIs(kInvalid,
               HasSubstr("expected a contiguous tensor, got shape [9, 6] with strides [1, 9]")));
  EXPECT_THAT(
      chosen([](ScoredTokens& t) { t.hidden = t.hidden.detach().to(at::kMeta); }),
      StatusIs(kInvalid, HasSubstr("policy.chosen.hidden: expected a tensor on cpu, got meta")));
  EXPECT_THAT(
      chosen([](ScoredTokens& t) { t.labels = t.labels.clone(), t.labels[4] = kVocabulary; }),
      StatusIs(kInvalid,
               HasSubstr("policy.chosen.labels[4]: expected a token in [0, 11), got 11")));
  EXPECT_THAT(chosen([](ScoredTokens& t) { t.labels = (t.labels + 1).remainder(kVocabulary); }),
              StatusIs(kInvalid, HasSubstr("reference.chosen.labels[0]: expected")));
  EXPECT_THAT(
      chosen([](ScoredTokens& t) { t.offsets = Integers({0, 3, 2, 7, 9}); }),
      StatusIs(
          kInvalid,
          HasSubstr("policy.chosen.offsets[2]: expected at least 3 (offsets never fall), got 2")));
  EXPECT_THAT(chosen([](ScoredTokens& t) { t.offsets = Integers({1, 3, 3, 7, 9}); }),
              StatusIs(kInvalid, HasSubstr("policy.chosen.offsets[0]: expected 0, got 1")));
  EXPECT_THAT(
      chosen([](ScoredTokens& t) { t.offsets = Integers({0, 9}); }),
      StatusIs(
          kInvalid,
          HasSubstr(
              "reference.chosen.offsets: expected 1 rows as in policy.chosen.offsets, got 4")));
  EXPECT_THAT(
      chosen([](ScoredTokens& t) { t.offsets = Integers({0, 3, 3, 6, 9}); }),
      StatusIs(
          kInvalid,
          HasSubstr("reference.chosen.offsets[3]: expected 6 as in policy.chosen.offsets, got 7")));
  EXPECT_THAT(
      chosen([](ScoredTokens& t) { t.logp = at::zeros({9}); }),
      StatusIs(kInvalid, HasSubstr("policy.chosen: expected either hidden or logp, got both")));
  EXPECT_THAT(
      chosen([](ScoredTokens& t) { t.hidden = at::Tensor(), t.logp = at::zeros({9}); }),
      StatusIs(kInvalid,
               HasSubstr("policy.chosen.logp: expected a tensor that requires a gradient")));
  EXPECT_THAT(run([](ObjectiveInputs& i) { i.distributions.erase("reference.chosen"); }),
              StatusIs(kInvalid, HasSubstr("reference.chosen: expected its scored tokens")));
  EXPECT_THAT(run([](ObjectiveInputs& i) { i.distributions["policy.chozen"] = {}; }),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("did you mean 'policy.chosen'")));
  EXPECT_THAT(
      run([](ObjectiveInputs& i) { i.heads.erase("reference"); }),
      StatusIs(
          kInvalid,
          HasSubstr(
              "reference.head: expected a tensor [V, H] for reference.chosen.hidden, got none")));
  EXPECT_THAT(run([](ObjectiveInputs& i) { i.heads["polcy"] = at::zeros({1, 1}); }),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("did you mean 'policy'")));
  EXPECT_THAT(run([](ObjectiveInputs& i) { i.hyperparameters["wieght"] = 0; }),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("did you mean 'weight'")));
  EXPECT_THAT(
      run([](ObjectiveInputs& i) { i.hyperparameters["weight"] = 1.5; }),
      StatusIs(kInvalid, HasSubstr("hyperparameter weight: expected a number in [0, 1], got 1.5")));
  EXPECT_THAT(run([](ObjectiveInputs& i) { i.hyperparameters["target"] = HUGE_VAL; }),
              StatusIs(kInvalid,
                       HasSubstr("hyperparameter target: expected a number in (0, inf), got inf")));
  EXPECT_THAT(Apply(Contrast(), ContrastInputs(true), {.schedule = "F"}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("F is not exact here")));
  EXPECT_THAT(Apply(Contrast(), ContrastInputs(true), {.memory_budget_bytes = 8}),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("bytes, got 8;")));
  EXPECT_THAT(Apply(Contrast(), ContrastInputs(true), {.chunk_tokens = -1}),
              StatusIs(kInvalid, HasSubstr("chunk_tokens")));
}

TEST(ObjectiveTest, NamesAndTables) {
  EXPECT_THAT(ObjectiveNames(), ElementsAre("contrast"));
  EXPECT_THAT(FindObjective("contrats"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("did you mean 'contrast'")));
  AlidadeObjectiveTable table = *ContrastTable();
  table.abi_version = 99;
  EXPECT_THAT(
      Objective::FromTable(&table).status(),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("expected ABI version 2, got 99")));
  AlidadeVariant foreign[] = {ContrastTable()->variants[0]};
  foreign[0].cpu = "armv9";
  table = *ContrastTable();
  table.variants = foreign;
  EXPECT_THAT(Objective::FromTable(&table).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("this CPU runs none of its variants (armv9)")));
}

TEST(ObjectiveTest, OptionsAreThoseItWasCompiledWith) {
  static Signature signature = Contrast().signature();
  signature.name = "chooser";
  signature.options = {{.name = "divergence",
                        .chosen = "reverse",
                        .default_case = "reverse",
                        .cases = {"reverse", "forward"}}};
  static const std::string* const json = new std::string(SignatureToJson(signature));
  static AlidadeObjectiveTable table = *ContrastTable();
  table.name = "chooser";
  table.signature_json = json->c_str();
  alidade_register_objective(&table);
  EXPECT_THAT(FindObjective("chooser"), IsOk());
  EXPECT_THAT(FindObjective("chooser", {{"divergence", "reverse"}}), IsOk());
  EXPECT_THAT(FindObjective("chooser", {{"divergence", "forward"}}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("option divergence: the linked objective was compiled with "
                                 "'reverse', got 'forward'")));
  EXPECT_THAT(FindObjective("chooser", {{"divergence", "forwrad"}}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("did you mean 'forward'")));
  EXPECT_THAT(FindObjective("chooser", {{"divergense", "forward"}}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("did you mean 'divergence'")));
  // The same definition compiled with the other case stands beside it.
  static Signature forward = signature;
  forward.options[0].chosen = "forward";
  static const std::string* const forward_json = new std::string(SignatureToJson(forward));
  static AlidadeObjectiveTable forward_table = table;
  forward_table.signature_json = forward_json->c_str();
  alidade_register_objective(&forward_table);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Objective* found,
                               FindObjective("chooser", {{"divergence", "forward"}}));
  EXPECT_EQ(found->signature().options[0].chosen, "forward");
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Objective* plain, FindObjective("chooser"));
  EXPECT_EQ(plain->signature().options[0].chosen, "reverse");
}

// A scalar block that sums its loss over ranks, of which the test is all.
void SummingScalars(const AlidadeScalarArgs* args) {
  ContrastTable()->variants[0].scalars(args);
  if (args->all_reduce == nullptr) return;
  double loss = args->results[0];
  args->all_reduce(args->context, &loss, 1);
  args->results[0] = static_cast<float>(loss);
}

TEST(ObjectiveTest, RanksMeetOnceInTheCallThatKeepsResults) {
  Signature signature = Contrast().signature();
  signature.reduces_ranks = true;
  const std::string json = SignatureToJson(signature);
  AlidadeVariant variant = ContrastTable()->variants[0];
  variant.scalars = &SummingScalars;
  AlidadeObjectiveTable table = *ContrastTable();
  table.signature_json = json.c_str();
  table.variants = &variant;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto objective, Objective::FromTable(&table));
  ObjectiveInputs inputs = ContrastInputs(true);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ObjectiveOutputs alone,
                               Apply(*objective, inputs, {.schedule = "S3", .chunk_tokens = 3}));
  int calls = 0;
  inputs.all_reduce = [&calls](absl::Span<double> values) {
    ++calls;
    for (double& value : values) value *= 3;  // three ranks with the same numbers
  };
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ObjectiveOutputs together,
                               Apply(*objective, inputs, {.schedule = "S3", .chunk_tokens = 3}));
  EXPECT_EQ(calls, 1);
  EXPECT_FLOAT_EQ(together.loss.item<float>(), 3 * alone.loss.item<float>());
}

// Members of a prompt with advantages, labelled spans, a token to look at, a running mean.
Signature GroupSignature() {
  Signature signature;
  signature.name = "group";
  signature.axes = {{.kind = "member"},
                    {.kind = "token", .name = "member", .parent = 0},
                    {.kind = "token", .name = "chosen"},
                    {.kind = "segment", .name = "phrase"},
                    {.kind = "pair"}};
  signature.distributions = {
      {.model = "policy", .response = "member", .requires_grad = true, .axis = 1},
      {.model = "policy", .response = "chosen", .requires_grad = true, .axis = 2}};
  signature.inputs = {{.name = "advantage", .axis = 0},
                      {.name = "alternative", .axis = 1},
                      {.name = "scale", .axis = schedule::Input::kNone},
                      {.name = "desirable", .axis = schedule::Input::kRow}};
  signature.reads = {{.op = "logprob_at", .distribution = 0, .index_input = 1, .cotangent = 0},
                     {.op = "entropy", .distribution = 1, .cotangent = 1}};
  signature.states = {{.name = "mean", .default_value = 0.25}};
  AssignRowPrograms(signature);
  return signature;
}

ObjectiveInputs GroupInputs() {
  ObjectiveInputs inputs;
  inputs.offsets = {{"member", Integers({0, 2, 3})}, {"segment(phrase)", Integers({0, 1, 4})}};
  inputs.distributions["policy.member"] = {.hidden = at::zeros({5, 3}).set_requires_grad(true),
                                           .labels = Integers({0, 1, 2, 3, 4}),
                                           .offsets = Integers({0, 2, 2, 5})};
  inputs.distributions["policy.chosen"] = {.labels = Integers({1, 1}),
                                           .offsets = Integers({0, 1, 2}),
                                           .logits = at::zeros({2, 7}).set_requires_grad(true)};
  inputs.heads["policy"] = at::zeros({7, 3});
  inputs.inputs = {{"advantage", at::zeros({3})},
                   {"alternative", at::zeros({5})},
                   {"scale", at::zeros({})},
                   {"desirable", at::ones({2})}};
  return inputs;
}

TEST(BindTest, AxesInputsAndStateAreInTheOrderOfTheSignature) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const BoundInputs bound,
                               BindInputs(GroupSignature(), GroupInputs()));
  EXPECT_THAT(bound.problem.offsets,
              ElementsAre(ElementsAre(0, 2, 3), ElementsAre(0, 2, 2, 5), ElementsAre(0, 1, 2),
                          ElementsAre(0, 1, 4), ElementsAre(0, 1, 1)));
  ASSERT_EQ(bound.inputs.size(), 4u);
  EXPECT_EQ(bound.inputs[2].dim(), 1);
  EXPECT_TRUE(bound.problem.uses[1].logits_gradient);
  EXPECT_EQ(bound.state.item<double>(), 0.25);
}

TEST(BindTest, EveryBadInputIsNamed) {
  const auto bind = [](auto edit) {
    ObjectiveInputs inputs = GroupInputs();
    edit(inputs);
    return BindInputs(GroupSignature(), inputs).status();
  };
  const absl::StatusCode unknown = absl::StatusCode::kNotFound;
  EXPECT_THAT(bind([](ObjectiveInputs& i) { i.offsets.erase("member"); }),
              StatusIs(kInvalid, HasSubstr("member.offsets: expected a tensor [*], got none")));
  EXPECT_THAT(
      bind([](ObjectiveInputs& i) { i.distributions["policy.member"].offsets = Integers({0, 5}); }),
      StatusIs(kInvalid, HasSubstr("policy.member.offsets: expected shape [4], got [2]")));
  EXPECT_THAT(bind([](ObjectiveInputs& i) { i.offsets["segment(phrase)"] = Integers({0, 4}); }),
              StatusIs(kInvalid, HasSubstr("segment(phrase).offsets: expected 2 rows as in "
                                           "member.offsets, got 1")));
  EXPECT_THAT(bind([](ObjectiveInputs& i) { i.offsets["segment(phase)"] = Integers({0, 4}); }),
              StatusIs(unknown, HasSubstr("did you mean 'segment(phrase)'")));
  EXPECT_THAT(bind([](ObjectiveInputs& i) { i.inputs.erase("advantage"); }),
              StatusIs(kInvalid, HasSubstr("advantage: expected 3 numbers over member, which "
                                           "objective 'group' reads; got none")));
  EXPECT_THAT(bind([](ObjectiveInputs& i) { i.inputs["advantage"] = at::zeros({2}); }),
              StatusIs(kInvalid, HasSubstr("advantage: expected shape [3], got [2]")));
  EXPECT_THAT(bind([](ObjectiveInputs& i) { i.inputs["advantage"][1] = NAN; }),
              StatusIs(kInvalid, HasSubstr("advantage[1]: expected a finite number, got nan")));
  EXPECT_THAT(bind([](ObjectiveInputs& i) { i.inputs["alternative"][3] = 7; }),
              StatusIs(kInvalid, HasSubstr("alternative[3]: expected a token, a whole number in "
                                           "[0, 7), got 7")));
  EXPECT_THAT(bind([](ObjectiveInputs& i) { i.inputs["alternative"][3] = 1.5; }),
              StatusIs(kInvalid, HasSubstr("got 1.5")));
  EXPECT_THAT(bind([](ObjectiveInputs& i) { i.inputs["advantages"] = at::zeros({3}); }),
              StatusIs(unknown, HasSubstr("did you mean 'advantage'")));
  EXPECT_THAT(bind([](ObjectiveInputs& i) { i.state["mean"] = at::zeros({}); }),
              StatusIs(kInvalid, HasSubstr("mean: expected Double, got Float")));
  EXPECT_THAT(bind([](ObjectiveInputs& i) { i.state["maen"] = at::zeros({}); }),
              StatusIs(unknown, HasSubstr("did you mean 'mean'")));
  EXPECT_THAT(
      bind([](ObjectiveInputs& i) { i.state["mean"] = at::scalar_tensor(HUGE_VAL, at::kDouble); }),
      StatusIs(kInvalid, HasSubstr("mean: expected a finite number, got inf")));
  EXPECT_THAT(bind([](ObjectiveInputs& i) { i.temperatures["policy"] = 0; }),
              StatusIs(kInvalid, HasSubstr("temperature of policy: expected a number in (0, inf)"
                                           ", got 0")));
  EXPECT_THAT(bind([](ObjectiveInputs& i) { i.soft_caps["policy"] = -1; }),
              StatusIs(kInvalid, HasSubstr("soft cap of policy: expected a number in [0, inf)")));
  EXPECT_THAT(bind([](ObjectiveInputs& i) { i.biases["policy"] = at::zeros({6}); }),
              StatusIs(kInvalid, HasSubstr("policy.bias: expected shape [7], got [6]")));
  EXPECT_THAT(
      bind([](ObjectiveInputs& i) {
        i.distributions["policy.chosen"].logits = at::zeros({2, 6}).set_requires_grad(true);
      }),
      StatusIs(kInvalid, HasSubstr("policy.chosen.logits: expected shape [2, 7], got [2, 6]")));
  EXPECT_THAT(
      bind([](ObjectiveInputs& i) { i.distributions["policy.chosen"].logits.detach_(); }),
      StatusIs(kInvalid, HasSubstr("policy.chosen.logits: expected a tensor that requires")));
  EXPECT_THAT(bind([](ObjectiveInputs& i) {
                i.distributions["policy.chosen"] = {.logp = at::zeros({2}),
                                                    .offsets = Integers({0, 1, 2})};
                i.distributions["policy.chosen"].logp.set_requires_grad(true);
              }),
              StatusIs(kInvalid, HasSubstr("policy.chosen.logp: expected hidden states or logits, "
                                           "because the objective reads more")));
  EXPECT_THAT(
      bind([](ObjectiveInputs& i) { i.head_gradients["policy"] = at::zeros({7, 4}); }),
      StatusIs(kInvalid, HasSubstr("gradient of policy.head: expected shape [7, 3], got [7, 4]")));
  EXPECT_THAT(bind([](ObjectiveInputs& i) { i.bias_gradients["policy"] = at::zeros({7}); }),
              StatusIs(kInvalid, HasSubstr("gradient of policy.bias: expected no buffer, because "
                                           "no policy.bias is given")));
  EXPECT_THAT(bind([](ObjectiveInputs& i) { i.all_reduce = [](absl::Span<double>) {}; }),
              StatusIs(kInvalid, HasSubstr("all_reduce: expected none, because objective 'group' "
                                           "reduces nothing over ranks")));
}

}  // namespace
}  // namespace alidade::runtime
