// The executor in f32 against the f64 interpreter of schedules, over every sort of coupling, read,
// axis and input, with objectives and kernels written by hand.

#include "compiler/runtime/executor.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "compiler/runtime/bind.h"
#include "compiler/runtime/objective.h"
#include "compiler/schedule/interpret_row.h"
#include "compiler/schedule/interpreter.h"
#include "compiler/schedule/planner.h"
#include "compiler/schedule/quadratic_testutil.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::runtime {
namespace {

using schedule::InterpreterInputs;
using schedule::InterpreterOutputs;
using schedule::kTestHidden;
using schedule::kTestVocabulary;
using schedule::Problem;
using schedule::QuadraticBlock;
using schedule::QuadraticObjective;
using schedule::ScalarCall;

// f32 GEMMs over few terms against f64, relative to the array's norm or, where terms near 1 cancel,
// to 1.
constexpr double kFloatTolerance = 2e-5;
constexpr double kFloor = 1;

// Kernels are plain functions: what they compute with is here.
const QuadraticObjective* current = nullptr;
const Problem* current_problem = nullptr;
QuadraticBlock* current_block = nullptr;

std::vector<double> Doubles(const float* values, int64_t count) {
  return std::vector<double>(values, values + count);
}

std::vector<double> Transform(const float* z, int64_t vocab, const float* bias,
                              double inverse_temperature, double soft_cap,
                              std::function<void(std::vector<double>&)>* pull_back = nullptr) {
  const std::vector<double> biases = bias ? Doubles(bias, vocab) : std::vector<double>();
  const std::vector<double> logits = Doubles(z, vocab);
  const schedule::HeadTransform transform = {bias ? biases.data() : nullptr, inverse_temperature,
                                             soft_cap};
  if (pull_back != nullptr) {
    *pull_back = [=](std::vector<double>& gradient) {
      std::vector<double> z_gradient = logits;
      schedule::HeadTransform same = transform;
      same.bias = biases.empty() ? nullptr : biases.data();
      same.PullBack(z_gradient.data(), gradient);
      gradient = z_gradient;
    };
  }
  return transform.Apply(logits.data(), vocab);
}

void RunProgram(const schedule::RowProgram& program, const AlidadeRowArgs& a) {
  for (int64_t r = 0; r < a.rows; ++r) {
    float* z = a.logits + r * a.stride;
    std::function<void(std::vector<double>&)> pull_back;
    const std::vector<double> x =
        Transform(z, a.vocab, a.bias, a.inverse_temperature, a.soft_cap, &pull_back);
    std::vector<double> partner;
    if (program.has_partner()) {
      partner = Transform(a.partner + r * a.partner_stride, a.vocab, a.partner_bias,
                          a.partner_inverse_temperature, a.partner_soft_cap);
    }
    std::vector<double> gradient(a.vocab, 0.0);
    int64_t next_cotangent = 0;
    for (size_t i = 0; i < program.reads.size(); ++i) {
      const schedule::RowRead& read = program.reads[i];
      const int64_t token =
          a.indexes[i] != nullptr ? static_cast<int64_t>(a.indexes[i][r]) : a.labels[r];
      const schedule::RowOperands operands = {token, a.scale};
      if (a.reads[i] != nullptr)
        a.reads[i][r] = static_cast<float>(schedule::ReadRow(read.op, x, partner, operands));
      if (!read.gradient || a.mode == ALIDADE_ROWS_READ) continue;
      const double weight =
          a.mode == ALIDADE_ROWS_UNSCALED ? 1.0 : a.cotangents[next_cotangent++][r];
      schedule::AddReadGradient(read.op, x, partner, operands, weight, gradient);
    }
    if (a.mode == ALIDADE_ROWS_READ) continue;
    pull_back(gradient);
    for (int64_t v = 0; v < a.vocab; ++v) z[v] = static_cast<float>(gradient[v]);
  }
}

template <int kProgram>
void Rows(const AlidadeRowArgs* args) {
  RunProgram(current->signature.row_programs[kProgram], *args);
}
constexpr AlidadeRowFn kRowKernels[] = {&Rows<0>, &Rows<1>, &Rows<2>, &Rows<3>};

// The block in double precision on what the executor gives in single.
void RunBlock(const AlidadeScalarArgs* args, bool known) {
  const Signature& signature = current->signature;
  ScalarCall call;
  std::vector<std::vector<double>> reads, cotangents, inputs;
  for (size_t r = 0; r < signature.reads.size(); ++r) {
    const int64_t tokens = NumTokens(signature, *current_problem, signature.reads[r].distribution);
    reads.push_back(Doubles(args->reads[r], tokens));
    if (signature.reads[r].cotangent >= 0) cotangents.emplace_back(tokens);
  }
  for (const auto& read : reads) call.reads.push_back(read.data());
  for (size_t c = 0; c < cotangents.size(); ++c)
    call.cotangents.push_back(args->cotangents[c] ? cotangents[c].data() : nullptr);
  for (size_t axis = 0; axis < signature.axes.size(); ++axis)
    call.offsets.push_back(args->offsets[axis]);
  std::vector<double> results(1 + signature.metrics.size());
  double new_state = 0;
  call.state = args->state;
  call.new_state = args->new_state != nullptr ? &new_state : nullptr;
  call.results = args->new_state != nullptr ? results.data() : nullptr;
  call.row_begin = args->row_begin;
  call.row_end = args->row_end;
  call.num_rows = args->num_rows;
  call.known = known;
  ALIDADE_CHECK((*current_block)(call).ok());
  if (known) {
    args->known[0] = 1;  // there is room
    return;
  }
  for (size_t i = 0; call.results != nullptr && i < results.size(); ++i)
    args->results[i] = static_cast<float>(results[i]);
  if (args->new_state != nullptr) args->new_state[0] = new_state;
  // Only the points of the rows asked for, as generated code does.
  for (const schedule::VocabularyRead& read : signature.reads) {
    if (read.cotangent < 0 || args->cotangents[read.cotangent] == nullptr) continue;
    const int64_t begin =
        FirstToken(signature, *current_problem, read.distribution, args->row_begin);
    const int64_t end = FirstToken(signature, *current_problem, read.distribution, args->row_end);
    for (int64_t t = begin; t < end; ++t)
      args->cotangents[read.cotangent][t] = static_cast<float>(cotangents[read.cotangent][t]);
  }
}
void Scalars(const AlidadeScalarArgs* args) { RunBlock(args, /*known=*/false); }
void Known(const AlidadeScalarArgs* args) { RunBlock(args, /*known=*/true); }

// A hand-written objective as a compiled one.
class Subject {
 public:
  explicit Subject(QuadraticObjective objective)
      : objective_(std::move(objective)),
        json_(SignatureToJson(objective_.signature)),
        variant_{"x86-64-v3", kRowKernels, objective_.signature.has_known() ? &Known : nullptr,
                 &Scalars} {
    table_.abi_version = ALIDADE_ABI_VERSION;
    table_.name = "quadratic";
    table_.signature_json = json_.c_str();
    table_.known_fixed = objective_.signature.has_known() ? 1 : 0;
    table_.num_variants = 1;
    table_.variants = &variant_;
    auto compiled = Objective::FromTable(&table_);
    EXPECT_THAT(compiled, IsOk());
    if (compiled.ok()) compiled_ = std::move(*compiled);
    current = &objective_;
  }

  const Objective& compiled() const { return *compiled_; }
  const QuadraticObjective& objective() const { return objective_; }
  const Signature& signature() const { return objective_.signature; }

 private:
  const QuadraticObjective objective_;
  const std::string json_;
  const AlidadeVariant variant_;
  AlidadeObjectiveTable table_ = {};
  std::unique_ptr<Objective> compiled_;
};

at::Tensor ToTensor(const std::vector<double>& values, at::IntArrayRef sizes) {
  return at::tensor(values, at::kDouble).to(at::kFloat).view(sizes);
}

std::vector<double> ToDoubles(const at::Tensor& tensor) {
  const at::Tensor values = tensor.detach().to(at::kDouble).contiguous();
  return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

// What a case changes of the plain call, in which all hidden states are given.
struct Variation {
  bool head_gradient = true, hidden_gradient = true;
  bool bias = false, transform = false, buffers = false, shared_head = false;
  bool logits = false, overwrite = false;  // of the distributions with gradient
};

// One batch for both sides; numbers that f32 holds.
class Batch {
 public:
  Batch(const Signature& signature, const Variation& variation)
      : signature_(signature), variation_(variation) {
    const Problem shape = schedule::QuadraticProblem(signature, variation.head_gradient);
    exact_ = schedule::QuadraticInputs(signature, shape, /*seed=*/11);
    RoundAll();
    for (size_t axis = 0; axis < signature.axes.size(); ++axis) {
      if (signature.axes[axis].kind != "token")
        inputs.offsets[signature.axes[axis].Name()] = at::tensor(shape.offsets[axis], at::kLong);
    }
    for (size_t d = 0; d < signature.distributions.size(); ++d) AddDistribution(shape, d);
    AddModels();
    for (size_t i = 0; i < signature.inputs.size(); ++i) {
      inputs.inputs[signature.inputs[i].name] =
          ToTensor(exact_.inputs[i], {static_cast<int64_t>(exact_.inputs[i].size())});
    }
    inputs.state = {{"sum", at::scalar_tensor(0.25, at::kDouble)}};
    exact_.state = {0.25};
  }

  const InterpreterInputs& exact() const { return exact_; }
  ObjectiveInputs inputs;

 private:
  void RoundAll() {
    const auto round = [](std::vector<double>& values) {
      for (double& value : values) value = static_cast<float>(value);
    };
    for (auto& scores : exact_.distributions) {
      round(scores.hidden);
      round(scores.logits);
    }
    for (auto& [model, values] : exact_.heads) round(values);
    for (auto& [model, values] : exact_.biases) round(values);
    for (auto& [model, values] : exact_.head_gradients) round(values);
    for (auto& [model, values] : exact_.bias_gradients) round(values);
  }

  void AddDistribution(const Problem& shape, int64_t d) {
    const Distribution& distribution = signature_.distributions[d];
    const InterpreterInputs::Scores& scores = exact_.distributions[d];
    const int64_t tokens = NumTokens(signature_, shape, d);
    ScoredTokens given;
    given.labels = at::tensor(scores.labels, at::kLong);
    given.offsets = at::tensor(shape.offsets[distribution.axis], at::kLong);
    if (variation_.logits && distribution.requires_grad) {
      given.logits =
          ToTensor(scores.logits, {tokens, kTestVocabulary}).clone().set_requires_grad(true);
      given.overwrite_logits = variation_.overwrite;
    } else {
      given.hidden =
          ToTensor(scores.hidden, {tokens, kTestHidden})
              .set_requires_grad(variation_.hidden_gradient && distribution.requires_grad);
    }
    inputs.distributions[distribution.Name()] = given;
  }

  void AddModels() {
    const std::vector<std::string> trained = signature_.Models(/*with_gradient=*/true);
    for (const std::string& model : signature_.Models()) {
      const bool is_trained = std::find(trained.begin(), trained.end(), model) != trained.end();
      if (variation_.shared_head && model != "policy") exact_.heads[model] = exact_.heads["policy"];
      const at::Tensor head = ToTensor(exact_.heads[model], {kTestVocabulary, kTestHidden});
      if (variation_.logits && is_trained) {
        exact_.heads[model].clear();  // there is none
      } else {
        inputs.heads[model] =
            variation_.shared_head && model != "policy" ? inputs.heads.at("policy") : head;
        if (is_trained && !variation_.buffers)
          inputs.heads[model].set_requires_grad(variation_.head_gradient);
      }
      if (variation_.bias) {
        inputs.biases[model] = ToTensor(exact_.biases[model], {kTestVocabulary});
        if (is_trained && !variation_.buffers) inputs.biases[model].set_requires_grad(true);
      } else {
        exact_.biases.erase(model);
      }
      if (variation_.buffers && is_trained) {
        inputs.head_gradients[model] =
            ToTensor(exact_.head_gradients[model], {kTestVocabulary, kTestHidden});
        if (variation_.bias)
          inputs.bias_gradients[model] = ToTensor(exact_.bias_gradients[model], {kTestVocabulary});
      }
      if (variation_.transform) {
        inputs.temperatures[model] = model == "policy" ? 0.5 : 2;
        inputs.soft_caps[model] = model == "policy" ? 3 : 1.5;
      }
    }
  }

  const Signature& signature_;
  const Variation variation_;
  InterpreterInputs exact_;
};

void ExpectNear(const at::Tensor& got, const std::vector<double>& expected,
                const std::string& what) {
  if (expected.empty()) return;
  ASSERT_TRUE(got.defined()) << what;
  EXPECT_LE(RelativeError(ToDoubles(got), expected, kFloor), kFloatTolerance) << what;
}

void ExpectSame(const Signature& signature, const ObjectiveInputs& inputs,
                const ObjectiveOutputs& got, const InterpreterOutputs& expected) {
  ExpectNear(got.loss, {expected.loss}, "loss");
  ExpectNear(got.metrics.at("square"), expected.metrics, "square");
  EXPECT_NEAR(got.state.at("sum").item<double>(), expected.state[0], 1e-4);
  const std::vector<std::string> names = signature.ReadNames();
  for (size_t r = 0; r < names.size(); ++r)
    ExpectNear(got.logp.at(names[r]), expected.reads[r], names[r]);
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    const std::string name = signature.distributions[d].Name();
    const ScoredTokens& tokens = inputs.distributions.at(name);
    if (tokens.hidden.defined())
      ExpectNear(tokens.hidden.grad(), expected.hidden_gradients[d], name + ".hidden");
    if (tokens.logits.defined())
      ExpectNear(tokens.logits.grad(), expected.logits_gradients[d], name + ".logits");
  }
  for (const auto& [model, gradient] : expected.head_gradients) {
    const auto buffer = inputs.head_gradients.find(model);
    ExpectNear(
        buffer != inputs.head_gradients.end() ? buffer->second : inputs.heads.at(model).grad(),
        gradient, model + ".head");
  }
  for (const auto& [model, gradient] : expected.bias_gradients) {
    const auto buffer = inputs.bias_gradients.find(model);
    ExpectNear(
        buffer != inputs.bias_gradients.end() ? buffer->second : inputs.biases.at(model).grad(),
        gradient, model + ".bias");
  }
}

// Every exact schedule at several chunk sizes; returns what ran.
std::map<std::string, int> CheckAll(const QuadraticObjective& quadratic,
                                    const Variation& variation) {
  std::map<std::string, int> ran;
  const Subject subject(quadratic);
  for (const std::string kind : {"S2", "S3", "F", "D", "RC"}) {
    for (const int64_t chunk : {0, 1, 3, 5}) {
      SCOPED_TRACE(absl::StrCat(kind, " chunk ", chunk));
      Batch batch(subject.signature(), variation);
      const auto bound = BindInputs(subject.signature(), batch.inputs);
      EXPECT_THAT(bound, IsOk());
      if (!bound.ok()) return ran;
      current_problem = &bound->problem;
      const auto plan = schedule::MakePlan(subject.signature(), bound->problem,
                                           {.schedule = kind, .chunk_tokens = chunk});
      if (absl::IsFailedPrecondition(plan.status())) break;
      EXPECT_THAT(plan, IsOk());
      if (!plan.ok()) return ran;
      QuadraticBlock exact_block(subject.objective()), block(subject.objective());
      const auto expected = InterpretSchedule(subject.signature(), bound->problem, plan->schedule,
                                              batch.exact(), std::ref(exact_block));
      EXPECT_THAT(expected, IsOk());
      current_block = &block;
      const auto got =
          Apply(subject.compiled(), batch.inputs, {.schedule = kind, .chunk_tokens = chunk});
      EXPECT_THAT(got, IsOk());
      if (!expected.ok() || !got.ok()) return ran;
      EXPECT_EQ(got->schedule, kind);
      if (got->loss.requires_grad()) got->loss.backward();
      ExpectSame(subject.signature(), batch.inputs, *got, *expected);
      ++ran[kind];
    }
  }
  return ran;
}

// Two responses of policy and reference; a square of their difference.
QuadraticObjective Separable(bool batch = false) {
  QuadraticObjective objective;
  objective.batch = batch;
  for (const char* response : {"chosen", "rejected"}) {
    const double sign = std::string(response) == "chosen" ? 1 : -1;
    const int64_t policy = AddDistribution(objective.signature, "policy", response, true);
    AddRead(objective, {.distribution = policy}, true, 0.3, sign);
    const int64_t reference = AddDistribution(objective.signature, "reference", response, false);
    AddRead(objective, {.distribution = reference}, false, 0, -sign);
  }
  Finish(objective);
  return objective;
}

// Entropy and log-probability of the policy, its divergence from the reference.
QuadraticObjective Dense() {
  QuadraticObjective objective;
  Signature& signature = objective.signature;
  const int64_t policy = AddDistribution(signature, "policy", "chosen", true);
  const int64_t reference = AddDistribution(signature, "reference", "chosen", false);
  AddRead(objective, {.distribution = policy}, true, 0.5, 0.7);
  AddRead(objective, {.op = "entropy", .distribution = policy}, true, -0.4, 0);
  AddRead(objective, {.op = "kl_to", .distribution = policy, .partner = reference}, true, 0.2, 0.3);
  AddRead(objective, {.op = "collision", .distribution = policy}, false, 0.1, 0);
  AddRead(objective, {.distribution = reference}, false, 0, -0.7);
  Finish(objective);
  return objective;
}

// The policy's log-probability at given tokens and at the reference's most likely ones, members of
// a group, weights that a known value scales.
QuadraticObjective Indexed() {
  QuadraticObjective objective;
  objective.uniform = false;
  Signature& signature = objective.signature;
  const int64_t reference = AddDistribution(signature, "reference", "member", false);
  const int64_t policy = AddDistribution(signature, "policy", "member", true);
  signature.inputs = {{.name = "alternative", .axis = signature.distributions[policy].axis}};
  const int64_t best = AddRead(objective, {.op = "argmax", .distribution = reference}, false, 0, 0);
  AddRead(objective, {.op = "logprob_at", .distribution = policy, .index_input = 0}, true, 0.5, 0);
  AddRead(objective, {.op = "logit_at", .distribution = policy, .index_read = best}, true, 0.2,
          0.6);
  AddRead(objective, {.distribution = reference}, false, 0.1, 0);
  signature.distributions[reference].feeds_known = true;
  Finish(objective);
  return objective;
}

TEST(ExecutorTest, SeparableRows) {
  const auto trained = CheckAll(Separable(), {});
  EXPECT_EQ(trained.size(), 4u);  // S2, S3, D, RC
  const auto frozen = CheckAll(Separable(), {.head_gradient = false});
  EXPECT_EQ(frozen.count("F"), 1u);
  CheckAll(Separable(), {.hidden_gradient = false});
}

TEST(ExecutorTest, BatchCoupling) {
  const auto ran = CheckAll(Separable(/*batch=*/true), {});
  EXPECT_EQ(ran.count("S2"), 1u);
  EXPECT_EQ(ran.count("RC"), 1u);
  EXPECT_EQ(ran.count("S3"), 0u);
}

TEST(ExecutorTest, DenseReadsWithPartner) {
  EXPECT_GE(CheckAll(Dense(), {}).size(), 3u);
  CheckAll(Dense(), {.bias = true, .transform = true});
  CheckAll(Dense(), {.head_gradient = false, .bias = true});
}

TEST(ExecutorTest, IndexesMembersAndKnownValues) {
  EXPECT_GE(CheckAll(Indexed(), {}).size(), 2u);
  CheckAll(Indexed(), {.head_gradient = false});
  CheckAll(Indexed(), {.bias = true, .transform = true, .buffers = true});
}

TEST(ExecutorTest, BiasTransformAndGivenBuffers) {
  CheckAll(Separable(), {.bias = true});
  CheckAll(Separable(), {.bias = true, .transform = true});
  CheckAll(Separable(), {.bias = true, .transform = true, .buffers = true});
  CheckAll(Separable(), {.shared_head = true});
  CheckAll(Separable(), {.head_gradient = false, .shared_head = true});
}

TEST(ExecutorTest, GivenLogits) {
  for (const bool overwrite : {false, true}) {
    const Variation variation = {.logits = true, .overwrite = overwrite};
    EXPECT_GE(CheckAll(Separable(), variation).size(), 1u);
    EXPECT_GE(CheckAll(Dense(), variation).size(), 1u);
    EXPECT_GE(
        CheckAll(Separable(), {.transform = true, .logits = true, .overwrite = overwrite}).size(),
        1u);
  }
}

// R takes what is there: a reference pass keeps its log-probabilities for later.
TEST(ExecutorTest, ReadsAloneNeedNoOtherDistribution) {
  const Subject subject(Separable());
  Batch batch(subject.signature(), {});
  QuadraticBlock block(subject.objective());
  current_block = &block;
  const auto bound = BindInputs(subject.signature(), batch.inputs);
  ASSERT_THAT(bound, IsOk());
  current_problem = &bound->problem;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ObjectiveOutputs whole,
                               Apply(subject.compiled(), batch.inputs, {.schedule = "R"}));
  EXPECT_FALSE(whole.loss.requires_grad());
  ObjectiveInputs part = batch.inputs;
  part.distributions.erase("policy.chosen");
  part.distributions.erase("policy.rejected");
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ObjectiveOutputs reads,
                               Apply(subject.compiled(), part, {.schedule = "R"}));
  EXPECT_FALSE(reads.loss.defined());
  EXPECT_EQ(reads.logp.size(), 2u);
  EXPECT_TRUE(at::equal(reads.logp.at("reference.chosen"), whole.logp.at("reference.chosen")));
}

}  // namespace
}  // namespace alidade::runtime
