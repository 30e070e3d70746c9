#include "compiler/reference/Interpreter.h"

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "llvm/ADT/DenseMap.h"

#include "common/status/status.h"
#include "compiler/dialect/pref/ObjectiveInfo.h"

namespace alidade::pref {

namespace {

// An error for a name that the objective does not know.
absl::Status unknownName(absl::string_view what, const std::string& name,
                         llvm::ArrayRef<std::string> known) {
  llvm::SmallVector<llvm::StringRef> names(known.begin(), known.end());
  return absl::InvalidArgumentError(absl::StrCat(what, " ", name, ": expected one of ",
                                                 llvm::join(names, ", "), didYouMean(name, names)));
}

absl::Status readOffsets(ObjectiveOp objective, const Batch& batch, EvaluationContext& context) {
  llvm::SmallVector<std::string> known;
  for (ResponseRole response : responsesOf(objective)) {
    std::string name = stringifyResponseRole(response).str();
    known.push_back(name);
    auto given = batch.offsets.find(name);
    if (given == batch.offsets.end())
      return absl::InvalidArgumentError(
          absl::StrCat("offsets ", name, ": missing; the objective reads this response"));
    const std::vector<int64_t>& offsets = given->second;
    if (static_cast<int64_t>(offsets.size()) != batch.numRows + 1)
      return absl::InvalidArgumentError(absl::StrCat("offsets ", name, ": expected ",
                                                     batch.numRows + 1, " numbers (rows + 1), got ",
                                                     offsets.size()));
    for (size_t i = 0; i < offsets.size(); ++i) {
      int64_t least = i == 0 ? 0 : offsets[i - 1];
      if (offsets[i] < least || (i == 0 && offsets[i] != 0))
        return absl::InvalidArgumentError(
            absl::StrCat("offsets ", name, "[", i, "]: expected ",
                         i == 0 ? "0" : absl::StrCat("at least ", least), ", got ", offsets[i]));
    }
    context.offsets[response] = offsets;
  }
  for (const auto& [name, unused] : batch.offsets)
    if (!llvm::is_contained(known, name)) return unknownName("offsets", name, known);
  return absl::OkStatus();
}

absl::Status readLogProbs(ObjectiveOp objective, const Batch& batch, EvaluationContext& context) {
  llvm::SmallVector<std::string> known;
  for (const Read& read : readsOf(objective)) {
    std::string name = read.distribution.getName();
    known.push_back(name);
    auto given = batch.logProbs.find(name);
    if (given == batch.logProbs.end())
      return absl::InvalidArgumentError(
          absl::StrCat("log-probabilities ", name, ": missing; the objective reads them"));
    int64_t expected = context.offsets[read.distribution.getResponse()].back();
    if (static_cast<int64_t>(given->second.size()) != expected)
      return absl::InvalidArgumentError(absl::StrCat("log-probabilities ", name, ": expected ",
                                                     expected, " tokens, got ",
                                                     given->second.size()));
    for (size_t i = 0; i < given->second.size(); ++i)
      if (!std::isfinite(given->second[i]))
        return absl::InvalidArgumentError(absl::StrCat("log-probabilities ", name, "[", i,
                                                       "]: expected a finite number, got ",
                                                       given->second[i]));
    context.logProbs[name] = given->second;
  }
  for (const auto& [name, unused] : batch.logProbs)
    if (!llvm::is_contained(known, name)) return unknownName("log-probabilities", name, known);
  return absl::OkStatus();
}

absl::Status readHypers(ObjectiveOp objective, const Batch& batch, EvaluationContext& context) {
  llvm::SmallVector<std::string> known;
  for (HyperOp hyper : hypersOf(objective)) {
    std::string name = hyper.getName().str();
    known.push_back(name);
    auto given = batch.hyperparameters.find(name);
    double value = given == batch.hyperparameters.end() ? hyper.getDefaultNumber() : given->second;
    if (!std::isfinite(value) || !hyper.contains(value))
      return absl::InvalidArgumentError(absl::StrCat("hyperparameter ", name, ": expected ",
                                                     hyper.getRangeText(), ", got ", value));
    context.hyperparameters[name] = value;
  }
  for (const auto& [name, unused] : batch.hyperparameters)
    if (!llvm::is_contained(known, name)) return unknownName("hyperparameter", name, known);
  return absl::OkStatus();
}

// A metric of axes [row] is its mean over rows.
double reportedNumber(const RealTensor& tensor) {
  double sum = 0;
  for (double value : tensor.data) sum += value;
  return sum / std::max<double>(1, tensor.data.size());
}

}  // namespace

absl::StatusOr<Evaluation> interpret(ObjectiveOp objective, const Batch& batch) {
  EvaluationContext context;
  if (batch.numRows < 0)
    return absl::InvalidArgumentError(
        absl::StrCat("rows: expected at least 0, got ", batch.numRows));
  context.numRows = batch.numRows;
  ALIDADE_RETURN_IF_ERROR(readOffsets(objective, batch, context));
  ALIDADE_RETURN_IF_ERROR(readLogProbs(objective, batch, context));
  ALIDADE_RETURN_IF_ERROR(readHypers(objective, batch, context));

  llvm::DenseMap<mlir::Value, RealTensor> values;
  for (mlir::Operation& op : objective.getBody().front().without_terminator()) {
    llvm::SmallVector<const RealTensor*> operands;
    for (mlir::Value operand : op.getOperands()) operands.push_back(&values.find(operand)->second);
    RealTensor result = llvm::cast<TermOpInterface>(op).evaluate(operands, context);
    values.insert({op.getResult(0), std::move(result)});
  }

  Evaluation evaluation;
  evaluation.loss = values[lossOf(objective)].data.front();
  for (const NamedValue& metric : metricsOf(objective))
    evaluation.metrics[metric.name] = reportedNumber(values[metric.value]);
  for (const NamedValue& cotangent : cotangentsOf(objective))
    evaluation.cotangents[cotangent.name] = values[cotangent.value].data;
  return evaluation;
}

absl::StatusOr<std::vector<double>> centralDifferences(ObjectiveOp objective, const Batch& batch,
                                                       const std::string& distribution,
                                                       double step) {
  Batch moved = batch;
  auto found = moved.logProbs.find(distribution);
  if (found == moved.logProbs.end())
    return absl::InvalidArgumentError(
        absl::StrCat("log-probabilities ", distribution, ": not in the batch"));
  std::vector<double> gradient;
  for (double& logProb : found->second) {
    double center = logProb;
    logProb = center + step;
    ALIDADE_ASSIGN_OR_RETURN(Evaluation above, interpret(objective, moved));
    logProb = center - step;
    ALIDADE_ASSIGN_OR_RETURN(Evaluation below, interpret(objective, moved));
    logProb = center;
    gradient.push_back((above.loss - below.loss) / (2 * step));
  }
  return gradient;
}

}  // namespace alidade::pref
