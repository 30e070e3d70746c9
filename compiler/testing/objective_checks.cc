// The checks of one objective, compiled once and linked with every objective: the definition and
// the golden come as
// --definition and --golden, the compiled code from the registry under the definition's name.

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "compiler/reference/Interpreter.h"
#include "compiler/runtime/objective.h"
#include "compiler/testing/torch_evaluator.h"
#include "compiler/tools/prefc/Arrays.h"
#include "compiler/tools/prefc/Calls.h"
#include "compiler/transforms/Pipeline.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mlir/IR/MLIRContext.h"

namespace alidade::testing {
namespace {

using pref::Array;
using pref::Arrays;
using pref::Call;
using pref::CallResult;
using ::testing::AnyOf;
using ::testing::HasSubstr;

// f64 against f64: sums of hundreds of terms in another order.
constexpr double kDoubleTolerance = 1e-11;
// f32 against f64: rounding of 6e-8 through GEMMs over tens of terms, relative to the array's norm.
constexpr double kFloatTolerance = 1e-5;
// Losses, metrics and log-probabilities are differences of numbers near 1: errors are relative to
// at least this.
constexpr double kUnit = 1.0;
// Central differences at step 1e-5: truncation 1e-10, cancellation 1e-11 of losses of some units.
constexpr double kStep = 1e-5;
constexpr double kDifferenceTolerance = 1e-6;

std::string* definition_path = new std::string;
std::string* golden_path = new std::string;

struct Subject {
  mlir::MLIRContext context;
  pref::DerivedObjective derived;
  const runtime::Objective* compiled = nullptr;
  const schedule::Signature& signature() const { return derived.signature; }
};

// The objective under test, derived once per process.
Subject& Shared() {
  static Subject* subject = [] {
    auto* fresh = new Subject;
    auto derived = pref::deriveObjectiveFile(*definition_path, fresh->context);
    if (!derived.ok()) {
      std::fprintf(stderr, "%s\n", std::string(derived.status().message()).c_str());
      std::exit(1);
    }
    fresh->derived = std::move(*derived);
    auto compiled = runtime::FindObjective(fresh->derived.signature.name);
    if (!compiled.ok()) {
      std::fprintf(stderr, "%s\n", std::string(compiled.status().message()).c_str());
      std::exit(1);
    }
    fresh->compiled = *compiled;
    return fresh;
  }();
  return *subject;
}

absl::StatusOr<CallResult> Interpret(const Call& call) {
  return pref::runInterpreter(Shared().derived.objective(), Shared().signature(), call);
}
absl::StatusOr<CallResult> Compiled(const Call& call) {
  return pref::runCompiled(*Shared().compiled, call);
}
absl::StatusOr<CallResult> Torch(const Call& call) {
  return RunTorch(pref::objectiveOf(*Shared().derived.canonical), Shared().signature(), call);
}

constexpr int64_t kRows = 6, kHidden = 16, kVocabulary = 41;

// Ragged rows of 1 to 6 tokens. Reals are f32 numbers, so that both precisions see the same inputs.
Call RandomCall(unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::uniform_int_distribution<int64_t> length(1, 6), label(0, kVocabulary - 1);
  const auto reals = [&](int64_t rows, int64_t columns) {
    std::vector<double> values(rows * columns);
    for (double& value : values) value = normal(generator) * 0.6f;
    return Array::ofReals({rows, columns}, values);
  };
  Call call;
  std::map<std::string, Array> offsets, labels;
  for (const std::string& response : Shared().signature().Responses()) {
    std::vector<int64_t> bounds = {0}, tokens;
    for (int64_t row = 0; row < kRows; ++row) bounds.push_back(bounds.back() + length(generator));
    for (int64_t token = 0; token < bounds.back(); ++token) tokens.push_back(label(generator));
    offsets[response] = Array::ofIntegers(bounds);
    labels[response] = Array::ofIntegers(tokens);
  }
  for (const schedule::Distribution& distribution : Shared().signature().distributions) {
    const std::string name = distribution.Name();
    const Array& tokens = labels.at(distribution.response);
    call.inputs[name + ".hidden"] = reals(tokens.integers.size(), kHidden);
    call.inputs[name + ".labels"] = tokens;
    call.inputs[name + ".offsets"] = offsets.at(distribution.response);
  }
  for (const std::string& model : Shared().signature().Models()) {
    call.inputs[model + ".head"] = reals(kVocabulary, kHidden);
  }
  return call;
}

std::vector<double> RealsOf(const Array& array) {
  return array.isInteger ? std::vector<double>(array.integers.begin(), array.integers.end())
                         : array.reals;
}

// Every expected array is there and near.
void ExpectNear(const Arrays& got, const Arrays& expected, double tolerance) {
  for (const auto& [name, array] : expected) {
    const auto found = got.find(name);
    ASSERT_NE(found, got.end()) << name << " is missing";
    const double floor = name.rfind("grad.", 0) == 0 ? 1e-30 : kUnit;
    EXPECT_LE(RelativeError(RealsOf(found->second), RealsOf(array), floor), tolerance) << name;
  }
}

// Reals of the inputs, to be moved by finite differences.
std::vector<std::string> DifferentiatedInputs() {
  std::vector<std::string> names;
  for (const schedule::Distribution& d : Shared().signature().distributions) {
    if (d.requires_grad) names.push_back(d.Name() + ".hidden");
  }
  for (const std::string& model : Shared().signature().Models(/*with_gradient=*/true))
    names.push_back(model + ".head");
  return names;
}

TEST(Parity, CompiledSignatureIsTheDerivedOne) {
  EXPECT_EQ(SignatureToJson(Shared().compiled->signature()), SignatureToJson(Shared().signature()));
}

TEST(Parity, Golden) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const pref::Golden golden, pref::readGolden(*golden_path));
  EXPECT_NE(golden.origin, "");
  ASSERT_NE(golden.outputs.count("loss"), 0);
  for (const std::string& input : DifferentiatedInputs())
    EXPECT_NE(golden.outputs.count("grad." + input), 0) << input;
  Call call{.inputs = golden.inputs, .hyperparameters = golden.hyperparameters};
  for (const std::string kind : {"S2", "S3"}) {
    call.schedule = kind;
    ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult interpreted, Interpret(call));
    ExpectNear(interpreted.outputs, golden.outputs, kDoubleTolerance);
    ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult compiled, Compiled(call));
    ExpectNear(compiled.outputs, golden.outputs, kFloatTolerance);
  }
}

TEST(Parity, EveryExactScheduleAndBothHeadModes) {
  int runs = 0;
  for (const bool frozen : {false, true}) {
    Call call = RandomCall(frozen ? 5 : 6);
    call.frozenHead = frozen;
    ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult expected, Torch(call));
    EXPECT_EQ(expected.outputs.count("grad.policy.head"), frozen ? 0 : 1);
    ALIDADE_ASSERT_OK_AND_ASSIGN(const pref::PlannedCall planned,
                                 pref::planCall(Shared().signature(), call));
    for (const schedule::Candidate& candidate : planned.plan.candidates) {
      if (!candidate.legal) continue;
      for (const int64_t chunk : {0, 1, 7, 30}) {
        call.schedule = std::string(schedule::KindName(candidate.kind));
        call.chunkTokens = chunk;
        SCOPED_TRACE(
            absl::StrCat(call.schedule, " chunk ", chunk, frozen ? " frozen head" : " full head"));
        ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult interpreted, Interpret(call));
        EXPECT_EQ(interpreted.schedule, call.schedule);
        EXPECT_EQ(interpreted.outputs.size(), expected.outputs.size());
        ExpectNear(interpreted.outputs, expected.outputs, kDoubleTolerance);
        ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult compiled, Compiled(call));
        EXPECT_EQ(compiled.outputs.size(), expected.outputs.size());
        ExpectNear(compiled.outputs, expected.outputs, kFloatTolerance);
        ++runs;
      }
    }
  }
  EXPECT_GE(runs, 12);  // S2 in both head modes and F where the head is frozen, at least
}

TEST(Gradient, CotangentsAreCentralDifferences) {
  pref::Batch batch;
  std::mt19937 generator(3);
  std::uniform_real_distribution<double> uniform(-4, 0);
  batch.numRows = 4;
  for (const schedule::Axis& axis : Shared().signature().axes)
    batch.offsets[axis.Name()] = {0, 2, 5, 6, 9};
  for (const schedule::Distribution& d : Shared().signature().distributions) {
    for (int i = 0; i < 9; ++i) batch.reads[d.Name()].push_back(uniform(generator));
  }
  ALIDADE_ASSERT_OK_AND_ASSIGN(const pref::Evaluation evaluation,
                               pref::interpret(Shared().derived.objective(), batch));
  ASSERT_EQ(evaluation.cotangents.size(), Shared().signature().num_cotangents());
  for (const auto& [name, derived] : evaluation.cotangents) {
    ALIDADE_ASSERT_OK_AND_ASSIGN(
        const std::vector<double> expected,
        pref::centralDifferences(Shared().derived.objective(), batch, name, kStep));
    EXPECT_LE(RelativeError(derived, expected), kDifferenceTolerance) << name;
  }
}

TEST(Gradient, HiddenStatesAndHeadsAreCentralDifferences) {
  Call call = RandomCall(4);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult result, Interpret(call));
  for (const std::string& input : DifferentiatedInputs()) {
    std::vector<double> derived, expected;
    std::vector<double>& values = call.inputs.at(input).reals;
    for (size_t i = 0; i < values.size(); i += 1 + values.size() / 12) {
      const double saved = values[i];
      values[i] = saved + kStep;
      ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult above, Interpret(call));
      values[i] = saved - kStep;
      ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult below, Interpret(call));
      values[i] = saved;
      expected.push_back((above.outputs.at("loss").reals[0] - below.outputs.at("loss").reals[0]) /
                         (2 * kStep));
      derived.push_back(result.outputs.at("grad." + input).reals[i]);
    }
    EXPECT_LE(RelativeError(derived, expected), kDifferenceTolerance) << input;
  }
}

// Both backends refuse the call and say `message`.
void ExpectRefused(const Call& call, const std::string& message) {
  const auto refused = StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message));
  EXPECT_THAT(Compiled(call), refused);
  EXPECT_THAT(Interpret(call), refused);
}

TEST(Invalid, HyperparametersOutOfRange) {
  for (const schedule::Hyperparameter& hyper : Shared().signature().hyperparameters) {
    const auto refuse = [&](double value) {
      Call call = RandomCall(1);
      call.hyperparameters[hyper.name] = value;
      ExpectRefused(call, absl::StrCat("hyperparameter ", hyper.name, ": expected a number in ",
                                       hyper.Range()));
    };
    refuse(std::nan(""));
    refuse(std::numeric_limits<double>::infinity());
    if (std::isfinite(hyper.low)) refuse(hyper.low_open ? hyper.low : hyper.low - 1);
    if (std::isfinite(hyper.high)) refuse(hyper.high_open ? hyper.high : hyper.high + 1);
  }
  Call call = RandomCall(1);
  call.hyperparameters["no_such_name"] = 1;
  EXPECT_THAT(Compiled(call), StatusIs(absl::StatusCode::kNotFound, HasSubstr("no_such_name")));
}

TEST(Invalid, InputsOfEveryDistribution) {
  for (const schedule::Distribution& distribution : Shared().signature().distributions) {
    const std::string name = distribution.Name();
    const auto refuse = [&](const std::string& message, auto edit) {
      SCOPED_TRACE(message);
      Call call = RandomCall(1);
      edit(call.inputs);
      ExpectRefused(call, message);
    };
    refuse(name + ": expected its scored tokens", [&](Arrays& inputs) {
      for (const char* field : {".hidden", ".labels", ".offsets"}) inputs.erase(name + field);
    });
    refuse(name + ": expected either hidden or logp, got neither",
           [&](Arrays& inputs) { inputs.erase(name + ".hidden"); });
    refuse(name + ".labels: expected a tensor",
           [&](Arrays& inputs) { inputs.erase(name + ".labels"); });
    refuse(name + ".offsets: expected a tensor",
           [&](Arrays& inputs) { inputs.erase(name + ".offsets"); });
    refuse(name + ".labels[1]: expected a token in [0, 41), got 41",
           [&](Arrays& inputs) { inputs.at(name + ".labels").integers[1] = kVocabulary; });
    refuse(name + ".offsets[2]: expected at least",
           [&](Arrays& inputs) { inputs.at(name + ".offsets").integers[2] = 0; });
    refuse(name + ".hidden: expected shape", [&](Arrays& inputs) {
      Array& hidden = inputs.at(name + ".hidden");
      hidden = Array::ofReals({hidden.shape[0], 1}, std::vector<double>(hidden.shape[0]));
    });
    refuse(distribution.model + ".head: expected a tensor",
           [&](Arrays& inputs) { inputs.erase(distribution.model + ".head"); });
  }
}

TEST(Invalid, UnknownInput) {
  Call call = RandomCall(1);
  call.inputs["polcy.head"] = call.inputs.at("policy.head");
  EXPECT_THAT(Compiled(call),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("did you mean 'policy.head'")));
}

TEST(Invalid, SchedulesThatAreNotExact) {
  Call call = RandomCall(1);
  call.schedule = "F";
  const auto refused =
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("F is not exact here"));
  EXPECT_THAT(Compiled(call), refused);
  EXPECT_THAT(Interpret(call), refused);
}

// Log-probabilities of every distribution are near 0 or sum to -1e4 over the four tokens of a row,
// in every combination: all log-ratios of +-1e4.
TEST(Property, FiniteAtExtremeLogRatios) {
  const auto& distributions = Shared().signature().distributions;
  for (unsigned pattern = 0; pattern < (1u << distributions.size()); ++pattern) {
    Call call;
    for (size_t d = 0; d < distributions.size(); ++d) {
      const double value = (pattern >> d & 1) != 0 ? -2500 : -0.0001;
      call.inputs[distributions[d].Name() + ".logp"] =
          Array::ofReals({8}, std::vector<double>(8, value));
      call.inputs[distributions[d].Name() + ".offsets"] = Array::ofIntegers({0, 4, 8});
    }
    for (const auto& result : {Compiled(call), Interpret(call)}) {
      ASSERT_THAT(result, IsOk());
      for (const auto& [name, array] : result->outputs) {
        for (double value : array.reals)
          EXPECT_TRUE(std::isfinite(value)) << name << " in pattern " << pattern;
      }
    }
  }
}

// The call with its rows in reverse order.
Call Reversed(const Call& call) {
  Call reversed = call;
  for (const schedule::Distribution& distribution : Shared().signature().distributions) {
    const std::string name = distribution.Name();
    const std::vector<int64_t>& offsets = call.inputs.at(name + ".offsets").integers;
    std::vector<int64_t> bounds = {0}, labels;
    std::vector<double> hidden;
    for (size_t row = offsets.size() - 1; row-- > 0;) {
      bounds.push_back(bounds.back() + offsets[row + 1] - offsets[row]);
      for (int64_t t = offsets[row]; t < offsets[row + 1]; ++t) {
        labels.push_back(call.inputs.at(name + ".labels").integers[t]);
        const auto begin = call.inputs.at(name + ".hidden").reals.begin() + t * kHidden;
        hidden.insert(hidden.end(), begin, begin + kHidden);
      }
    }
    reversed.inputs[name + ".offsets"] = Array::ofIntegers(bounds);
    reversed.inputs[name + ".labels"] = Array::ofIntegers(labels);
    reversed.inputs[name + ".hidden"].reals = hidden;
  }
  return reversed;
}

TEST(Property, IndifferentToTheOrderOfRows) {
  const Call call = RandomCall(2);
  ALIDADE_ASSERT_OK_AND_ASSIGN(CallResult forward, Compiled(call));
  ALIDADE_ASSERT_OK_AND_ASSIGN(CallResult backward, Compiled(Reversed(call)));
  Arrays expected, got;
  for (const auto& [name, array] : forward.outputs) {
    const bool per_token = name.find(".hidden") != std::string::npos || name.rfind("logp.", 0) == 0;
    if (!per_token) expected[name] = array;
  }
  EXPECT_GE(expected.size(), 2);
  ExpectNear(backward.outputs, expected, kFloatTolerance);
}

TEST(Property, TwoRunsGiveTheSameBits) {
  Call call = RandomCall(8);
  call.schedule = "S3";
  call.chunkTokens = 9;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult first, Compiled(call));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult second, Compiled(call));
  for (const auto& [name, array] : first.outputs)
    EXPECT_EQ(array.reals, second.outputs.at(name).reals) << name;
}

}  // namespace
}  // namespace alidade::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg.rfind("--definition=", 0) == 0) {
      *alidade::testing::definition_path = arg.substr(13);
    } else if (arg.rfind("--golden=", 0) == 0) {
      *alidade::testing::golden_path = arg.substr(9);
    } else {
      std::fprintf(stderr, "expected --definition=FILE --golden=FILE, got '%s'\n", arg.c_str());
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
