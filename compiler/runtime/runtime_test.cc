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
#include "compiler/runtime/objective.h"
#include "compiler/schedule/signature.h"
#include "compiler/testing/contrast.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::runtime {
namespace {

using ::alidade::testing::ContrastScalars;
using ::alidade::testing::ContrastSignature;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// f32 GEMMs over tens of terms against f64: relative to the largest element.
constexpr double kFloatTolerance = 1e-5;

constexpr int64_t kHidden = 6, kVocabulary = 11, kRows = 4;
const absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

void Rows(const AlidadeRowArgs* args) {
  for (int64_t r = 0; r < args->rows; ++r) {
    float* row = args->logits + r * args->stride;
    double sum = 0;
    for (int64_t v = 0; v < args->vocab; ++v) sum += std::exp(double{row[v]});
    args->reads[0][r] = row[args->labels[r]] - std::log(sum);
    for (int64_t v = 0; args->mode == ALIDADE_ROWS_UNSCALED && v < args->vocab; ++v)
      row[v] = (v == args->labels[r]) - std::exp(row[v]) / sum;
  }
}
constexpr AlidadeRowFn kRowKernels[] = {&Rows};

void Scalars(const AlidadeScalarArgs* args) {
  ContrastScalars<float>(args->reads, args->offsets, args->hyperparameters, args->cotangents,
                         args->results, args->row_begin, args->row_end, args->num_rows);
}

const AlidadeObjectiveTable* ContrastTable() {
  static const auto* json = new std::string(schedule::SignatureToJson(ContrastSignature()));
  static const AlidadeVariant variants[] = {{"x86-64-v3", kRowKernels, nullptr, Scalars}};
  static const AlidadeObjectiveTable table = {.abi_version = ALIDADE_ABI_VERSION,
                                              .name = "contrast",
                                              .signature_json = json->c_str(),
                                              .num_variants = 1,
                                              .variants = variants};
  return &table;
}
const bool registered = (alidade_register_objective(ContrastTable()), true);

const Objective& Contrast() { return **FindObjective("contrast"); }

at::Tensor Integers(const std::vector<int64_t>& values) { return at::tensor(values, at::kLong); }

ObjectiveInputs TestInputs(bool train_head, bool train_hidden = true) {
  at::manual_seed(3);
  const std::map<std::string, at::Tensor> offsets = {{"chosen", Integers({0, 3, 3, 7, 9})},
                                                     {"rejected", Integers({0, 2, 5, 6, 10})}};
  const std::map<std::string, at::Tensor> labels = {
      {"chosen", at::randint(kVocabulary, {9}, at::kLong)},
      {"rejected", at::randint(kVocabulary, {10}, at::kLong)}};
  ObjectiveInputs inputs;
  for (const Distribution& d : Contrast().signature().distributions) {
    const int64_t tokens = labels.at(d.response).numel();
    inputs.distributions[d.Name()] = {
        .hidden = at::randn({tokens, kHidden}).set_requires_grad(d.requires_grad && train_hidden),
        .labels = labels.at(d.response),
        .offsets = offsets.at(d.response)};
  }
  inputs.heads = {{"policy", at::randn({kVocabulary, kHidden}).set_requires_grad(train_head)},
                  {"reference", at::randn({kVocabulary, kHidden})}};
  return inputs;
}

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
          ObjectiveInputs inputs = TestInputs(train_head, train_hidden);
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
  ObjectiveInputs first = TestInputs(true), second = TestInputs(true);
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
  const ObjectiveInputs inputs = TestInputs(true);
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
  ObjectiveInputs inputs = TestInputs(true);
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
  ObjectiveInputs inputs = TestInputs(false);
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
  ObjectiveInputs inputs = TestInputs(true);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ObjectiveOutputs once, Apply(Contrast(), inputs));
  once.loss.backward({}, /*retain_graph=*/true);
  const at::Tensor single = inputs.heads.at("policy").grad().clone();
  (once.loss * 3).backward();
  EXPECT_TRUE(at::allclose(inputs.heads.at("policy").grad(), single * 4));
  EXPECT_THROW(once.loss.backward(), c10::Error);
}

TEST(RuntimeTest, EveryBadInputIsNamed) {
  const auto run = [](auto edit) {
    ObjectiveInputs inputs = TestInputs(true);
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
      StatusIs(kInvalid,
               HasSubstr(
                   "policy.rejected.offsets: expected 1 rows as in policy.chosen.offsets, got 4")));
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
  EXPECT_THAT(Apply(Contrast(), TestInputs(true), {.schedule = "F"}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("F is not exact here")));
  EXPECT_THAT(
      Apply(Contrast(), TestInputs(true), {.memory_budget_bytes = 8}),
      StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("memory budget: got 8 bytes")));
  EXPECT_THAT(Apply(Contrast(), TestInputs(true), {.chunk_tokens = -1}),
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
  const AlidadeVariant foreign[] = {{"armv9", kRowKernels, nullptr, Scalars}};
  table = *ContrastTable();
  table.variants = foreign;
  EXPECT_THAT(Objective::FromTable(&table).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("this CPU runs none of its variants (armv9)")));
}

}  // namespace
}  // namespace alidade::runtime
