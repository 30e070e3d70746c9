// Derivation and schedules on random objectives: whatever the analysis calls exact gives the same
// numbers.

#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "compiler/dialect/pref/Pref.h"
#include "compiler/reference/ScheduleBlock.h"
#include "compiler/schedule/interpreter.h"
#include "compiler/schedule/planner.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/signature.h"
#include "compiler/testing/random_objective.h"
#include "compiler/transforms/Pipeline.h"
#include "gtest/gtest.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OperationSupport.h"

namespace alidade::testing {
namespace {

using schedule::InterpreterInputs;
using schedule::InterpreterOutputs;
using schedule::Kind;
using schedule::Problem;
using schedule::Signature;

constexpr uint64_t kSeeds = 600;
constexpr int kMostFailures = 8;
// Schedules differ in the order of f64 sums of tens of terms of order 1.
constexpr double kOrderTolerance = 1e-10;
constexpr int64_t kRows = 4, kHidden = 3, kVocabulary = 6;
// Not a score that any model gives, so that a cotangent that takes it differs visibly.
constexpr double kUnknown = -17.25;

struct Sample {
  Problem problem;
  InterpreterInputs inputs;
};

// Two to four tokens of a row or member, one to three members, zero to two segments.
std::vector<int64_t> Offsets(std::mt19937_64& random, const schedule::Axis& axis, int64_t parents) {
  const int64_t least = axis.kind == "token" ? 2 : axis.kind == "member" ? 1 : 0;
  std::vector<int64_t> offsets = {0};
  for (int64_t i = 0; i < parents; ++i) offsets.push_back(offsets.back() + least + random() % 3);
  return offsets;
}

std::vector<int64_t> PairOffsets(const std::vector<int64_t>& members) {
  std::vector<int64_t> offsets = {0};
  for (size_t row = 0; row + 1 < members.size(); ++row) {
    const int64_t count = members[row + 1] - members[row];
    offsets.push_back(offsets.back() + count * (count - 1) / 2);
  }
  return offsets;
}

std::vector<double> Normal(std::mt19937_64& random, int64_t size) {
  std::normal_distribution<double> normal;
  std::vector<double> values(size);
  for (double& value : values) value = normal(random);
  return values;
}

// What the name of an input says that it holds.
std::vector<double> InputValues(std::mt19937_64& random, const Signature& signature,
                                const Problem& problem, const schedule::Input& input) {
  const int64_t points = input.axis == schedule::Input::kNone  ? 1
                         : input.axis == schedule::Input::kRow ? kRows
                                                               : problem.offsets[input.axis].back();
  std::vector<double> values = Normal(random, points);
  const auto starts = [&input](const char* what) { return input.name.rfind(what, 0) == 0; };
  for (double& value : values) {
    if (starts("token")) value = random() % kVocabulary;
    if (starts("place")) value = random() % 2;
  }
  if (!starts("segment")) return values;
  const std::vector<int64_t>& segments = problem.offsets[*signature.FindAxis("segment(phrase)")];
  for (int64_t row = 0; row < kRows; ++row) {
    const int64_t count = segments[row + 1] - segments[row];
    const int64_t end = FirstPoint(signature, problem, input.axis, row + 1);
    for (int64_t t = FirstPoint(signature, problem, input.axis, row); t < end; ++t)
      values[t] = static_cast<int64_t>(random() % (count + 1)) - 1;
  }
  return values;
}

Sample MakeSample(const Signature& signature, uint64_t seed) {
  std::mt19937_64 random(seed);
  Sample sample;
  for (size_t i = 0; i < signature.axes.size(); ++i) {
    const schedule::Axis& axis = signature.axes[i];
    if (axis.kind == "pair") {
      sample.problem.offsets.push_back(
          PairOffsets(sample.problem.offsets[*signature.FindAxis("member")]));
    } else {
      const int64_t parents = axis.parent < 0 ? kRows : sample.problem.offsets[axis.parent].back();
      sample.problem.offsets.push_back(Offsets(random, axis, parents));
    }
  }
  const bool trained = random() % 2 == 0, rich = random() % 3 == 0;
  for (const schedule::Distribution& distribution : signature.distributions) {
    sample.problem.uses.push_back({.hidden_gradient = distribution.requires_grad});
    schedule::HeadShape& head = sample.problem.heads[distribution.model];
    head.hidden = kHidden;
    head.vocabulary = kVocabulary;
    head.requires_grad |= trained && distribution.requires_grad;
    head.has_bias = rich;
    head.bias_requires_grad = rich && head.requires_grad;
    head.soft_cap = rich ? 4 : 0;
    head.inverse_temperature = rich ? 1.5 : 1;
  }
  if (sample.problem.heads.count("reference") > 0 && random() % 3 == 0)
    sample.problem.heads["reference"].same_as = "policy";
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    const int64_t tokens = NumTokens(signature, sample.problem, d);
    InterpreterInputs::Scores scores;
    scores.hidden = Normal(random, tokens * kHidden);
    for (int64_t t = 0; t < tokens; ++t) scores.labels.push_back(random() % kVocabulary);
    sample.inputs.distributions.push_back(scores);
  }
  for (const auto& [model, head] : sample.problem.heads) {
    sample.inputs.heads[model] = Normal(random, kHidden * kVocabulary);
    sample.inputs.biases[model] = Normal(random, kVocabulary);
  }
  if (sample.problem.heads.count("reference") > 0 &&
      !sample.problem.heads["reference"].same_as.empty()) {
    sample.inputs.heads["reference"] = sample.inputs.heads["policy"];
  }
  for (const schedule::Input& input : signature.inputs)
    sample.inputs.inputs.push_back(InputValues(random, signature, sample.problem, input));
  for (const schedule::Hyperparameter& hyper : signature.hyperparameters)
    sample.inputs.hyperparameters.push_back(hyper.default_value);
  sample.inputs.unknown = kUnknown;
  return sample;
}

// The first difference, or empty.
class Comparison {
 public:
  void Add(const std::string& name, const std::vector<double>& got,
           const std::vector<double>& expected) {
    if (!difference_.empty()) return;
    if (got.size() != expected.size()) {
      difference_ = absl::StrCat(name, ": sizes ", got.size(), " and ", expected.size());
      return;
    }
    for (size_t i = 0; i < got.size(); ++i) {
      // Not "greater": nan is a difference.
      if (std::abs(got[i] - expected[i]) <= kOrderTolerance * std::max(1.0, std::abs(expected[i])))
        continue;
      difference_ = absl::StrCat(name, "[", i, "]: ", got[i], " and ", expected[i]);
      return;
    }
  }

  void Add(const std::string& name, const std::vector<std::vector<double>>& got,
           const std::vector<std::vector<double>>& expected) {
    for (size_t i = 0; i < got.size(); ++i) Add(absl::StrCat(name, " ", i), got[i], expected[i]);
  }

  void Add(const std::string& name, const std::map<std::string, std::vector<double>>& got,
           const std::map<std::string, std::vector<double>>& expected) {
    for (const auto& [model, values] : got) Add(name + " " + model, values, expected.at(model));
  }

  const std::string& difference() const { return difference_; }

 private:
  std::string difference_;
};

std::string Difference(const InterpreterOutputs& got, const InterpreterOutputs& expected) {
  Comparison comparison;
  comparison.Add("loss", {got.loss}, {expected.loss});
  comparison.Add("state", got.state, expected.state);
  comparison.Add("read", got.reads, expected.reads);
  comparison.Add("cotangent", got.cotangents, expected.cotangents);
  comparison.Add("hidden gradient", got.hidden_gradients, expected.hidden_gradients);
  comparison.Add("head gradient", got.head_gradients, expected.head_gradients);
  comparison.Add("bias gradient", got.bias_gradients, expected.bias_gradients);
  return comparison.difference();
}

class RandomObjectives : public ::testing::Test {
 protected:
  RandomObjectives() { context_.loadDialect<pref::PrefDialect>(); }

  std::function<bool(absl::string_view)> HasOp() {
    return [this](absl::string_view name) {
      return mlir::RegisteredOperationName::lookup(llvm::StringRef(name.data(), name.size()),
                                                   &context_)
          .has_value();
    };
  }

  mlir::MLIRContext context_;
};

// What the seeds reached.
struct Reach {
  std::map<std::string, int> exact;  // by kind
  int known = 0, partners = 0;
};

// All exact schedules of one random objective against S2. An error says which differs.
absl::Status CheckSeed(const RandomObjective& random, mlir::MLIRContext& context, Reach& reach) {
  ALIDADE_ASSIGN_OR_RETURN(pref::DerivedObjective derived,
                           pref::deriveObjectiveText(random.text, "random.mlir", context));
  const Signature& signature = derived.signature;
  const Sample sample = MakeSample(signature, random.seed);
  const pref::ScheduleBlock block(derived.objective(), signature, sample.problem);
  const auto interpret = [&](const schedule::Schedule& schedule) {
    return InterpretSchedule(signature, sample.problem, schedule, sample.inputs, block);
  };
  ALIDADE_ASSIGN_OR_RETURN(
      const InterpreterOutputs expected,
      interpret(BuildSchedule(signature, sample.problem, Kind::kS2,
                              {.gradient_tokens = 1000, .reference_tokens = 1000})));
  ALIDADE_ASSIGN_OR_RETURN(const schedule::Plan plan, MakePlan(signature, sample.problem, {}));
  for (const schedule::Candidate& candidate : plan.candidates) {
    if (!candidate.legal) continue;
    ++reach.exact[std::string(KindName(candidate.kind))];
    for (const int64_t chunk : {1, 5, 100}) {
      const schedule::Schedule schedule = BuildSchedule(
          signature, sample.problem, candidate.kind,
          {.gradient_tokens = chunk, .reference_tokens = chunk, .share_head = chunk == 5});
      ALIDADE_ASSIGN_OR_RETURN(const InterpreterOutputs got, interpret(schedule));
      const std::string difference = Difference(got, expected);
      if (difference.empty()) continue;
      return absl::InternalError(
          absl::StrCat(KindName(candidate.kind), " chunk ", chunk, " and S2: ", difference, "\n",
                       plan.Explain(signature, sample.problem), schedule.Print(signature)));
    }
  }
  reach.known += signature.known_values > 0;
  for (const schedule::Distribution& d : signature.distributions) reach.partners += d.partner >= 0;
  return absl::OkStatus();
}

TEST_F(RandomObjectives, EveryExactScheduleGivesTheSameNumbers) {
  Reach reach;
  int failures = 0;
  for (uint64_t seed = 1; seed <= kSeeds && failures < kMostFailures; ++seed) {
    const RandomObjective random = MakeRandomObjective(seed, HasOp());
    const absl::Status status = CheckSeed(random, context_, reach);
    if (status.ok()) continue;
    ++failures;
    ADD_FAILURE() << "seed " << seed << ": " << status.message() << "\n" << random.text;
  }
  std::string reached = absl::StrCat("known values ", reach.known, ", partners ", reach.partners);
  for (const auto& [kind, count] : reach.exact) absl::StrAppend(&reached, ", ", kind, " ", count);
  RecordProperty("reached", reached);
  // The draws reach every schedule, and what makes schedules differ.
  for (const char* kind : {"S2", "S3", "F", "D", "RC"}) EXPECT_GE(reach.exact[kind], 40) << kind;
  EXPECT_LT(reach.exact["S3"], reach.exact["S2"]);
  EXPECT_GE(reach.known, 20);
  EXPECT_GE(reach.partners, 40);
}

// A new operation of the dialect has to be drawn too.
TEST_F(RandomObjectives, EveryOperationIsDrawn) {
  std::string texts;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed)
    absl::StrAppend(&texts, MakeRandomObjective(seed, HasOp()).text);
  for (const mlir::RegisteredOperationName name : context_.getRegisteredOperations()) {
    const std::string op = name.getStringRef().str();
    // Composition is inlined before anything here; `objective` and `yield` are the frame.
    if (op.rfind("pref.", 0) != 0 || op == "pref.apply") continue;
    EXPECT_NE(texts.find(op + " "), std::string::npos) << op;
  }
}

}  // namespace
}  // namespace alidade::testing
