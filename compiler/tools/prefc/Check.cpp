// prefc check, and how commands find an objective's file.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"
#include "compiler/reference/Interpreter.h"
#include "compiler/tools/prefc/CommandLine.h"
#include "compiler/tools/prefc/Commands.h"
#include "compiler/transforms/Pipeline.h"
#include "mlir/IR/MLIRContext.h"

namespace alidade::pref {
namespace {

// Central differences at step 1e-5 of losses near 1: truncation about 1e-10, cancellation about
// 1e-11.
constexpr double kDifferenceTolerance = 1e-6;
constexpr int64_t kRows = 4;

// Three tokens per row and response, log-probabilities in (-4, 0).
Batch randomBatch(const schedule::Signature& signature) {
  std::mt19937 generator(1);
  std::uniform_real_distribution<double> uniform(-4, 0);
  Batch batch;
  batch.numRows = kRows;
  for (const schedule::Axis& axis : signature.axes) {
    for (int64_t row = 0; row <= kRows; ++row) batch.offsets[axis.Name()].push_back(3 * row);
  }
  for (const schedule::Distribution& distribution : signature.distributions) {
    for (int64_t token = 0; token < 3 * kRows; ++token)
      batch.reads[distribution.Name()].push_back(uniform(generator));
  }
  return batch;
}

absl::Status checkGradients(ObjectiveOp objective, const schedule::Signature& signature) {
  const Batch batch = randomBatch(signature);
  ALIDADE_ASSIGN_OR_RETURN(const Evaluation evaluation, interpret(objective, batch));
  if (!std::isfinite(evaluation.loss))
    return absl::InternalError("the loss of a random batch is not finite");
  for (const auto& [name, derived] : evaluation.cotangents) {
    ALIDADE_ASSIGN_OR_RETURN(const std::vector<double> expected,
                             centralDifferences(objective, batch, name));
    for (size_t i = 0; i < derived.size(); ++i) {
      if (std::abs(derived[i] - expected[i]) <=
          kDifferenceTolerance * std::max(1.0, std::abs(expected[i])))
        continue;
      return absl::InternalError(absl::StrCat("gradient of ", name, "[", i, "]: expected ",
                                              expected[i], " by central differences, derived ",
                                              derived[i]));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string defaultObjectivesFolder() {
  const char* workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  return JoinPath(workspace == nullptr ? "." : workspace, "compiler/objectives");
}

absl::StatusOr<std::string> objectivePath(const std::vector<std::string>& words,
                                          const std::string& folder) {
  if (words.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected one objective (a file or a name), got ", words.size()));
  }
  const std::string& word = words[0];
  const char* invokedFrom = std::getenv("BUILD_WORKING_DIRECTORY");
  const std::string file = invokedFrom == nullptr ? word : JoinPath(invokedFrom, word);
  if (word.find('/') != std::string::npos || word.find('.') != std::string::npos) {
    return PathExists(word) ? word : file;
  }
  const std::string path = JoinPath(JoinPath(folder, word), word + ".mlir");
  if (PathExists(path)) return path;
  ALIDADE_ASSIGN_OR_RETURN(std::vector<std::string> names, ListFolder(folder), "objective '", word,
                           "'");
  std::vector<std::string> known;
  for (const std::string& name : names) {
    if (PathExists(JoinPath(JoinPath(folder, name), name + ".mlir"))) known.push_back(name);
  }
  return UnknownNameError("objective", word, known);
}

absl::Status checkCommand(const std::vector<std::string>& args) {
  ALIDADE_ASSIGN_OR_RETURN(const CommandLine line,
                           CommandLine::parse(args, {{"objectives", true}}));
  ALIDADE_ASSIGN_OR_RETURN(
      const std::string path,
      objectivePath(line.words(), line.get("objectives", defaultObjectivesFolder())));
  mlir::MLIRContext context;
  ALIDADE_ASSIGN_OR_RETURN(DerivedObjective derived, deriveObjectiveFile(path, context));
  ALIDADE_RETURN_IF_ERROR(checkGradients(derived.objective(), derived.signature), path);
  std::printf(
      "%s: ok: objective %s, %zu distributions, %zu hyperparameters, %zu metrics; gradients agree "
      "with central "
      "differences\n",
      path.c_str(), derived.signature.name.c_str(), derived.signature.distributions.size(),
      derived.signature.hyperparameters.size(), derived.signature.metrics.size());
  return absl::OkStatus();
}

}  // namespace alidade::pref
