// The checks of one objective, compiled once and linked with every objective: the definition and
// the golden come as --definition and --golden, the compiled code from the registry under the
// definition's name.

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "compiler/reference/Interpreter.h"
#include "compiler/runtime/jit/jit.h"
#include "compiler/runtime/objective.h"
#include "compiler/testing/random_calls.h"
#include "compiler/testing/torch_evaluator.h"
#include "compiler/tools/prefc/Arrays.h"
#include "compiler/tools/prefc/Calls.h"
#include "compiler/tools/prefc/SimtCall.h"
#include "compiler/transforms/Pipeline.h"
#include "compiler/transforms/ResolveOptions/ResolveOptions.h"
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

// An objective under some options.
struct Variant {
  std::map<std::string, std::string> options;  // those that differ from their defaults
  pref::DerivedObjective derived;
  mlir::OwningOpRef<mlir::ModuleOp> written;  // options chosen, else as it was written
  const runtime::Objective* compiled = nullptr;

  const schedule::Signature& signature() const { return derived.signature; }
  absl::StatusOr<CallResult> Interpret(const Call& call) {
    return pref::runInterpreter(derived.objective(), signature(), call);
  }
  absl::StatusOr<CallResult> Compiled(const Call& call) {
    return pref::runCompiled(*compiled, call);
  }
  absl::StatusOr<CallResult> Torch(const Call& call) {
    return RunTorch(pref::objectiveOf(*written), signature(), call);
  }
};

std::string FolderOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

template <typename T>
T OrExit(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::fprintf(stderr, "%s\n", std::string(value.status().message()).c_str());
  std::exit(1);
}

// The objective under test: its golden cases, and one variant per set of options among them. The
// first has the defaults.
struct Subject {
  mlir::MLIRContext context;
  std::vector<pref::Golden> goldens;
  std::vector<std::unique_ptr<Variant>> variants;

  Variant& Of(const std::map<std::string, std::string>& options) {
    for (const auto& variant : variants) {
      if (variant->options == options) return *variant;
    }
    auto fresh = std::make_unique<Variant>();
    fresh->options = options;
    fresh->derived = OrExit(pref::deriveObjectiveFile(*definition_path, context, options));
    fresh->written = fresh->derived.definition->clone();
    if (failed(pref::resolveOptions(pref::objectiveOf(*fresh->written), options))) std::exit(1);
    // Options that differ from the defaults are compiled here.
    fresh->compiled =
        options.empty()
            ? OrExit(runtime::FindObjective(fresh->signature().name))
            : OrExit(runtime::CompileObjectiveFile(
                  *definition_path, {.cache_folder = ::testing::TempDir() + "/jit",
                                     .options = options,
                                     .objectives_folder = FolderOf(FolderOf(*definition_path))}));
    variants.push_back(std::move(fresh));
    return *variants.back();
  }
};

// Derived once per process.
Subject& Shared() {
  static Subject* subject = [] {
    auto* fresh = new Subject;
    fresh->goldens = OrExit(pref::readGoldens(*golden_path));
    fresh->Of({});
    for (const pref::Golden& golden : fresh->goldens) fresh->Of(golden.options);
    return fresh;
  }();
  return *subject;
}

Variant& Default() { return *Shared().variants[0]; }
const schedule::Signature& DefaultSignature() { return Default().signature(); }
absl::StatusOr<CallResult> Interpret(const Call& call) { return Default().Interpret(call); }
absl::StatusOr<CallResult> Compiled(const Call& call) { return Default().Compiled(call); }

// Inputs of all golden cases.
const Arrays& Samples() {
  static const Arrays* samples = [] {
    auto* all = new Arrays;
    for (const pref::Golden& golden : Shared().goldens)
      all->insert(golden.inputs.begin(), golden.inputs.end());
    return all;
  }();
  return *samples;
}

Call CallOf(const Variant& variant, unsigned seed) {
  return RandomCall(variant.signature(), Samples(), seed);
}
Call CallOf(unsigned seed) { return CallOf(Default(), seed); }

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
std::vector<std::string> DifferentiatedInputs(const Variant& variant) {
  std::vector<std::string> names;
  for (const schedule::Distribution& d : variant.signature().distributions) {
    if (d.requires_grad) names.push_back(d.Name() + ".hidden");
  }
  for (const std::string& model : variant.signature().Models(/*with_gradient=*/true))
    names.push_back(model + ".head");
  return names;
}

TEST(Parity, CompiledSignatureIsTheDerivedOne) {
  EXPECT_EQ(SignatureToJson(Default().compiled->signature()), SignatureToJson(DefaultSignature()));
}

std::string OptionsText(const std::map<std::string, std::string>& options) {
  std::string text;
  for (const auto& [name, chosen] : options) absl::StrAppend(&text, name, "=", chosen, " ");
  return text;
}

// The inputs of a golden that the variant asks for: its options may drop some.
Arrays InputsOf(const Variant& variant, const pref::Golden& golden) {
  std::set<std::string> names;
  for (const schedule::Distribution& d : variant.signature().distributions) {
    for (const char* field : {".hidden", ".labels", ".offsets"}) names.insert(d.Name() + field);
  }
  for (const std::string& model : variant.signature().Models()) names.insert(model + ".head");
  for (const schedule::Axis& axis : variant.signature().axes)
    names.insert(axis.Name() + ".offsets");
  for (const schedule::Input& input : variant.signature().inputs) names.insert(input.name);
  for (const schedule::State& state : variant.signature().states) names.insert(state.name);
  Arrays inputs;
  for (const auto& [name, array] : golden.inputs) {
    if (names.count(name) != 0) inputs[name] = array;
  }
  return inputs;
}

// Names of the exact schedules of a call that compute gradients.
std::vector<std::string> ExactSchedules(const Variant& variant, const Call& call) {
  std::vector<std::string> names;
  for (const schedule::Candidate& candidate :
       OrExit(pref::planCall(variant.signature(), call)).plan.candidates) {
    if (candidate.legal) names.emplace_back(schedule::KindName(candidate.kind));
  }
  return names;
}

// Runs the call on the interpreter and on compiled code.
void ExpectBoth(Variant& variant, const Call& call, const Arrays& expected, bool all) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult interpreted, variant.Interpret(call));
  EXPECT_EQ(interpreted.schedule, call.schedule);
  if (all) EXPECT_EQ(interpreted.outputs.size(), expected.size());
  ExpectNear(interpreted.outputs, expected, kDoubleTolerance);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult compiled, variant.Compiled(call));
  if (all) EXPECT_EQ(compiled.outputs.size(), expected.size());
  ExpectNear(compiled.outputs, expected, kFloatTolerance);
}

TEST(Parity, Goldens) {
  for (const pref::Golden& golden : Shared().goldens) {
    SCOPED_TRACE(golden.origin + ", " + OptionsText(golden.options));
    EXPECT_NE(golden.origin, "");
    Variant& variant = Shared().Of(golden.options);
    ASSERT_NE(golden.outputs.count("loss"), 0);
    for (const std::string& input : DifferentiatedInputs(variant))
      EXPECT_NE(golden.outputs.count("grad." + input), 0) << input;
    Call call{.inputs = InputsOf(variant, golden), .hyperparameters = golden.hyperparameters};
    for (const std::string& schedule : ExactSchedules(variant, call)) {
      SCOPED_TRACE(schedule);
      call.schedule = schedule;
      ExpectBoth(variant, call, golden.outputs, /*all=*/false);
    }
  }
}

TEST(Parity, EveryExactScheduleAndBothHeadModes) {
  int runs = 0;
  for (const auto& variant : Shared().variants) {
    for (const bool frozen : {false, true}) {
      Call call = CallOf(*variant, frozen ? 5 : 6);
      call.frozenHead = frozen;
      ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult expected, variant->Torch(call));
      EXPECT_EQ(expected.outputs.count("grad.policy.head"), frozen ? 0 : 1);
      for (const std::string& schedule : ExactSchedules(*variant, call)) {
        for (const int64_t chunk : {0, 1, 7, 30}) {
          call.schedule = schedule;
          call.chunkTokens = chunk;
          SCOPED_TRACE(absl::StrCat(OptionsText(variant->options), schedule, " chunk ", chunk,
                                    frozen ? " frozen head" : " full head"));
          ExpectBoth(*variant, call, expected.outputs, /*all=*/true);
          ++runs;
        }
      }
    }
  }
  EXPECT_GE(runs, 8);  // one schedule in both head modes, at least
}

// True when some gradient is stopped, so that differences of the loss are not the gradient. Parity
// compares such objectives' gradients with LibTorch's.
bool StopsGradients(const Variant& variant) {
  bool stops = !variant.signature().states.empty() || variant.signature().reduces_ranks;
  pref::objectiveOf(*variant.written).walk([&](mlir::Operation* op) {
    if (auto read = mlir::dyn_cast<pref::VocabularyOpInterface>(op)) {
      stops |= read.getDistribution().getModel() == pref::ModelRole::Policy && !read.hasGradient();
    }
    stops |= mlir::isa<pref::StopGradientOp>(op);
  });
  return stops;
}

// Reads between -4 and 0 at four rows' points.
pref::Batch RandomBatch(const Variant& variant) {
  const schedule::Signature& signature = variant.signature();
  const Layout layout = RandomLayout(signature, 4, 3);
  std::mt19937 generator(3);
  std::uniform_real_distribution<double> uniform(-4, 0);
  pref::Batch batch;
  batch.numRows = layout.rows;
  for (size_t i = 0; i < signature.axes.size(); ++i) {
    if (signature.axes[i].kind != "pair")
      batch.offsets[signature.axes[i].Name()] = layout.offsets[i];
  }
  const std::vector<std::string> names = signature.ReadNames();
  for (size_t i = 0; i < names.size(); ++i) {
    const int64_t axis = signature.distributions[signature.reads[i].distribution].axis;
    for (int64_t t = 0; t < layout.Points(axis); ++t)
      batch.reads[names[i]].push_back(uniform(generator));
  }
  for (const schedule::Input& input : signature.inputs) {
    const std::vector<double> from = RealsOf(Samples().at(input.name));
    for (int64_t i = 0; i < layout.Points(input.axis); ++i)
      batch.inputs[input.name].push_back(from[generator() % from.size()]);
  }
  for (const schedule::State& state : signature.states)
    batch.states[state.name] = state.default_value;
  return batch;
}

TEST(Gradient, CotangentsAreCentralDifferences) {
  for (const auto& variant : Shared().variants) {
    SCOPED_TRACE(OptionsText(variant->options));
    if (StopsGradients(*variant)) continue;
    const pref::Batch batch = RandomBatch(*variant);
    ALIDADE_ASSERT_OK_AND_ASSIGN(const pref::Evaluation evaluation,
                                 pref::interpret(variant->derived.objective(), batch));
    ASSERT_EQ(evaluation.cotangents.size(), variant->signature().num_cotangents());
    for (const auto& [name, derived] : evaluation.cotangents) {
      ALIDADE_ASSERT_OK_AND_ASSIGN(
          const std::vector<double> expected,
          pref::centralDifferences(variant->derived.objective(), batch, name, kStep));
      EXPECT_LE(RelativeError(derived, expected), kDifferenceTolerance) << name;
    }
  }
}

TEST(Gradient, HiddenStatesAndHeadsAreCentralDifferences) {
  for (const auto& variant : Shared().variants) {
    SCOPED_TRACE(OptionsText(variant->options));
    if (StopsGradients(*variant)) continue;
    Call call = CallOf(*variant, 4);
    ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult result, variant->Interpret(call));
    const auto loss = [&] { return OrExit(variant->Interpret(call)).outputs.at("loss").reals[0]; };
    for (const std::string& input : DifferentiatedInputs(*variant)) {
      std::vector<double> derived, expected;
      std::vector<double>& values = call.inputs.at(input).reals;
      for (size_t i = 0; i < values.size(); i += 1 + values.size() / 12) {
        const double saved = values[i];
        values[i] = saved + kStep;
        const double above = loss();
        values[i] = saved - kStep;
        const double below = loss();
        values[i] = saved;
        expected.push_back((above - below) / (2 * kStep));
        derived.push_back(result.outputs.at("grad." + input).reals[i]);
      }
      EXPECT_LE(RelativeError(derived, expected), kDifferenceTolerance) << input;
    }
  }
}

// Both backends refuse the call and say `message`.
void ExpectRefused(const Call& call, const std::string& message) {
  const auto refused = StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message));
  EXPECT_THAT(Compiled(call), refused);
  EXPECT_THAT(Interpret(call), refused);
}

TEST(Invalid, HyperparametersOutOfRange) {
  for (const schedule::Hyperparameter& hyper : DefaultSignature().hyperparameters) {
    const auto refuse = [&](double value) {
      Call call = CallOf(1);
      call.hyperparameters[hyper.name] = value;
      ExpectRefused(call, absl::StrCat("hyperparameter ", hyper.name, ": expected a number in ",
                                       hyper.Range()));
    };
    refuse(std::nan(""));
    refuse(std::numeric_limits<double>::infinity());
    if (std::isfinite(hyper.low)) refuse(hyper.low_open ? hyper.low : hyper.low - 1);
    if (std::isfinite(hyper.high)) refuse(hyper.high_open ? hyper.high : hyper.high + 1);
  }
  Call call = CallOf(1);
  call.hyperparameters["no_such_name"] = 1;
  EXPECT_THAT(Compiled(call), StatusIs(absl::StatusCode::kNotFound, HasSubstr("no_such_name")));
}

TEST(Invalid, InputsOfEveryDistribution) {
  for (const schedule::Distribution& distribution : DefaultSignature().distributions) {
    const std::string name = distribution.Name();
    const auto refuse = [&](const std::string& message, auto edit) {
      SCOPED_TRACE(message);
      Call call = CallOf(1);
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
    const int64_t vocabulary = CallShape().vocabulary;
    refuse(absl::StrCat(name, ".labels[1]: expected a token in [0, ", vocabulary, "), got ",
                        vocabulary),
           [&](Arrays& inputs) { inputs.at(name + ".labels").integers[1] = vocabulary; });
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

TEST(Invalid, DataInputs) {
  for (const schedule::Input& input : DefaultSignature().inputs) {
    const auto refuse = [&](const std::string& message, auto edit) {
      SCOPED_TRACE(message);
      Call call = CallOf(1);
      edit(call.inputs);
      ExpectRefused(call, input.name + message);
    };
    refuse(": expected", [&](Arrays& inputs) { inputs.erase(input.name); });
    refuse(": expected shape", [&](Arrays& inputs) {
      std::vector<double> values = inputs.at(input.name).reals;
      values.push_back(0);
      const int64_t count = values.size();
      inputs.at(input.name) = Array::ofReals({count}, values);
    });
    const std::string where = input.axis == schedule::Input::kNone ? "" : "[0]";
    refuse(where + ": expected a finite number, got nan",
           [&](Arrays& inputs) { inputs.at(input.name).reals[0] = std::nan(""); });
  }
}

TEST(Invalid, UnknownInput) {
  Call call = CallOf(1);
  call.inputs["polcy.head"] = call.inputs.at("policy.head");
  EXPECT_THAT(Compiled(call),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("did you mean 'policy.head'")));
}

TEST(Invalid, SchedulesThatAreNotExact) {
  Call call = CallOf(1);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const pref::PlannedCall planned,
                               pref::planCall(DefaultSignature(), call));
  for (const schedule::Candidate& candidate : planned.plan.candidates) {
    if (candidate.legal) continue;
    call.schedule = std::string(schedule::KindName(candidate.kind));
    const auto refused = StatusIs(absl::StatusCode::kFailedPrecondition,
                                  HasSubstr(call.schedule + " is not exact here"));
    EXPECT_THAT(Compiled(call), refused);
    EXPECT_THAT(Interpret(call), refused);
  }
}

void ExpectFinite(const absl::StatusOr<CallResult>& result) {
  ASSERT_THAT(result, IsOk());
  for (const auto& [name, array] : result->outputs) {
    for (double value : array.reals) EXPECT_TRUE(std::isfinite(value)) << name;
  }
}

// All log-ratios of +-1e4.
TEST(Property, FiniteAtExtremeLogRatios) {
  for (const auto& variant : Shared().variants) {
    for (unsigned pattern = 0; pattern < (1u << variant->signature().distributions.size());
         ++pattern) {
      SCOPED_TRACE(absl::StrCat(OptionsText(variant->options), "pattern ", pattern));
      const Call call = ExtremeCall(variant->signature(), Samples(), pattern);
      ExpectFinite(variant->Interpret(call));
      ExpectFinite(variant->Compiled(call));
    }
  }
}

TEST(Property, IndifferentToTheOrderOfRows) {
  for (const auto& variant : Shared().variants) {
    SCOPED_TRACE(OptionsText(variant->options));
    const Call call = CallOf(*variant, 2), reversed = Reversed(variant->signature(), call);
    ALIDADE_ASSERT_OK_AND_ASSIGN(CallResult forward, variant->Interpret(call));
    Arrays expected;
    for (const auto& [name, array] : forward.outputs) {
      const bool per_token =
          name.find(".hidden") != std::string::npos || name.rfind("logp.", 0) == 0;
      if (!per_token) expected[name] = array;
    }
    EXPECT_GE(expected.size(), 2);
    ALIDADE_ASSERT_OK_AND_ASSIGN(CallResult backward, variant->Interpret(reversed));
    ExpectNear(backward.outputs, expected, kDoubleTolerance);
    ALIDADE_ASSERT_OK_AND_ASSIGN(backward, variant->Compiled(reversed));
    ExpectNear(backward.outputs, expected, kFloatTolerance);
  }
}

TEST(Property, TwoRunsGiveTheSameBits) {
  Call call = CallOf(8);
  call.schedule = ExactSchedules(Default(), call).back();
  call.chunkTokens = 9;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult first, Compiled(call));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult second, Compiled(call));
  for (const auto& [name, array] : first.outputs)
    EXPECT_EQ(array.reals, second.outputs.at(name).reals) << name;
}

// The GPU kernels, under an interpreter that refuses races, stray and unaligned accesses and
// divergence.
void ExpectSimt(pref::SimtObjective& kernels, const Call& call) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult expected, Interpret(call));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const CallResult result, kernels.run(call));
  EXPECT_EQ(result.outputs.size(), expected.outputs.size());
  ExpectNear(result.outputs, expected.outputs, kFloatTolerance);
}

TEST(Simt, GpuKernelsInEveryExactSchedule) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<pref::SimtObjective> kernels,
      pref::SimtObjective::create(*Default().compiled, *Default().derived.differentiated));
  for (const bool frozen : {false, true}) {
    Call call = CallOf(frozen ? 9 : 10);
    call.frozenHead = frozen;
    for (const std::string& schedule : ExactSchedules(Default(), call)) {
      SCOPED_TRACE(absl::StrCat(schedule, frozen ? " frozen head" : " full head"));
      call.schedule = schedule;
      call.chunkTokens = 11;
      ExpectSimt(*kernels, call);
    }
  }
}

// More rows than a block has warps, more tokens than a warp has lanes; a vocabulary that a block
// walks in several steps.
TEST(Simt, GpuKernelsOnLargerBatches) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<pref::SimtObjective> kernels,
      pref::SimtObjective::create(*Default().compiled, *Default().derived.differentiated));
  for (const CallShape& shape :
       {CallShape{.rows = 12, .most_tokens = 40, .hidden = 4, .vocabulary = 23},
        CallShape{.rows = 2, .most_tokens = 3, .hidden = 4, .vocabulary = 4100}})
    ExpectSimt(*kernels, RandomCall(DefaultSignature(), Samples(), 11, shape));
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
