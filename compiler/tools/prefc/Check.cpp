// prefc check.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "compiler/reference/Interpreter.h"
#include "compiler/tools/prefc/CommandLine.h"
#include "compiler/tools/prefc/Commands.h"
#include "compiler/tools/prefc/Subject.h"
#include "mlir/IR/MLIRContext.h"

namespace alidade::pref {
namespace {

// Central differences at step 1e-5 of losses near 1: truncation about 1e-10, cancellation about
// 1e-11.
constexpr double kDifferenceTolerance = 1e-6;
constexpr int64_t kRows = 4;
constexpr int64_t kPoints = 3;  // of an axis per point of its parent

// Log-probabilities and the like in (-4, 0), entropies and divergences in (0, 4), tokens from 0.
double randomRead(const std::string& op, std::mt19937& generator) {
  const double value = std::uniform_real_distribution<double>(0, 4)(generator);
  if (op == "argmax") return std::floor(value);
  return op == "entropy" || op == "kl_to" || op == "kl_from" ? value : -value;
}

// Inputs are 0 and 1, which a label, an advantage, a mask, a position and the number of a span may
// all be.
Batch randomBatch(const schedule::Signature& signature) {
  std::mt19937 generator(1);
  Batch batch;
  batch.numRows = kRows;
  std::vector<int64_t> points;
  for (const schedule::Axis& axis : signature.axes) {
    const int64_t parents = axis.parent < 0 ? kRows : points[axis.parent];
    // Pairs of kPoints members are kPoints, too.
    points.push_back(parents * kPoints);
    if (axis.kind == "pair") continue;
    for (int64_t parent = 0; parent <= parents; ++parent)
      batch.offsets[axis.Name()].push_back(kPoints * parent);
  }
  const std::vector<std::string> names = signature.ReadNames();
  for (size_t i = 0; i < signature.reads.size(); ++i) {
    const schedule::VocabularyRead& read = signature.reads[i];
    for (int64_t t = 0; t < points[signature.distributions[read.distribution].axis]; ++t)
      batch.reads[names[i]].push_back(randomRead(read.op, generator));
  }
  for (const schedule::Input& input : signature.inputs) {
    const int64_t count = input.axis == schedule::Input::kNone  ? 1
                          : input.axis == schedule::Input::kRow ? kRows
                                                                : points[input.axis];
    for (int64_t i = 0; i < count; ++i)
      batch.inputs[input.name].push_back(std::uniform_int_distribution<int>(0, 1)(generator));
  }
  for (const schedule::State& state : signature.states)
    batch.states[state.name] = state.default_value;
  return batch;
}

// Whether the definition stops gradients somewhere: differences of the loss see through that.
bool stopsGradients(DerivedObjective& derived) {
  bool stops = !derived.signature.states.empty() || derived.signature.reduces_ranks;
  objectiveOf(*derived.canonical).walk([&](mlir::Operation* op) {
    if (auto read = mlir::dyn_cast<VocabularyOpInterface>(op))
      stops |= read.getDistribution().getModel() == ModelRole::Policy && !read.hasGradient();
    stops |= mlir::isa<StopGradientOp>(op);
  });
  return stops;
}

absl::Status checkGradients(DerivedObjective& derived, bool compare) {
  const Batch batch = randomBatch(derived.signature);
  ObjectiveOp objective = derived.objective();
  ALIDADE_ASSIGN_OR_RETURN(const Evaluation evaluation, interpret(objective, batch));
  if (!std::isfinite(evaluation.loss))
    return absl::InternalError("the loss of a random batch is not finite");
  if (!compare) return absl::OkStatus();
  for (const auto& [name, values] : evaluation.cotangents) {
    ALIDADE_ASSIGN_OR_RETURN(const std::vector<double> expected,
                             centralDifferences(objective, batch, name));
    for (size_t i = 0; i < values.size(); ++i) {
      if (std::abs(values[i] - expected[i]) <=
          kDifferenceTolerance * std::max(1.0, std::abs(expected[i])))
        continue;
      return absl::InternalError(absl::StrCat("gradient of ", name, "[", i, "]: expected ",
                                              expected[i], " by central differences, derived ",
                                              values[i]));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status checkCommand(const std::vector<std::string>& args) {
  ALIDADE_ASSIGN_OR_RETURN(const CommandLine line, CommandLine::parse(args, withSubjectFlags({})));
  ALIDADE_ASSIGN_OR_RETURN(const Subject subject, subjectOf(line));
  mlir::MLIRContext context;
  ALIDADE_ASSIGN_OR_RETURN(DerivedObjective derived, derive(subject, context));
  const bool compare = !stopsGradients(derived);
  ALIDADE_RETURN_IF_ERROR(checkGradients(derived, compare), subject.text);
  std::printf("%s: ok: objective %s, %zu distributions, %zu hyperparameters, %zu metrics; %s\n",
              subject.text.c_str(), derived.signature.name.c_str(),
              derived.signature.distributions.size(), derived.signature.hyperparameters.size(),
              derived.signature.metrics.size(),
              compare ? "gradients agree with central differences"
                      : "gradients are not compared with differences, as some are stopped");
  return absl::OkStatus();
}

}  // namespace alidade::pref
