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
  if (names.empty())
    return absl::InvalidArgumentError(absl::StrCat(what, " ", name, ": the objective takes none"));
  return absl::InvalidArgumentError(absl::StrCat(what, " ", name, ": expected one of ",
                                                 llvm::join(names, ", "), didYouMean(name, names)));
}

// Every name that is given is known.
template <typename Map>
absl::Status checkNames(absl::string_view what, const Map& given,
                        llvm::ArrayRef<std::string> known) {
  for (const auto& [name, unused] : given)
    if (!llvm::is_contained(known, name)) return unknownName(what, name, known);
  return absl::OkStatus();
}

// The axis above `axis`; [row] is the outermost.
Axis parentOf(Axis axis) {
  llvm::SmallVector<Axis, 3> path = pathOf(axis);
  return path[path.size() - 2];
}

absl::Status checkOffsets(const std::string& name, const std::string& parent, int64_t numParents,
                          llvm::ArrayRef<int64_t> offsets) {
  if (static_cast<int64_t>(offsets.size()) != numParents + 1)
    return absl::InvalidArgumentError(absl::StrCat("offsets ", name, ": expected ", numParents + 1,
                                                   " numbers (", parent, "s + 1), got ",
                                                   offsets.size()));
  for (size_t i = 0; i < offsets.size(); ++i) {
    int64_t least = i == 0 ? 0 : offsets[i - 1];
    if (offsets[i] < least || (i == 0 && offsets[i] != 0))
      return absl::InvalidArgumentError(
          absl::StrCat("offsets ", name, "[", i, "]: expected ",
                       i == 0 ? "0" : absl::StrCat("at least ", least), ", got ", offsets[i]));
  }
  return absl::OkStatus();
}

absl::Status readOffsets(ObjectiveOp objective, const Batch& batch, EvaluationContext& context) {
  llvm::SmallVector<std::string> known;
  for (Axis axis : axesOf(objective)) {
    std::string name = toString(axis);
    if (axis.isPair()) {
      context.offsets[name] = pairOffsets(context.offsetsOf(Axis::member()));
      continue;
    }
    known.push_back(name);
    auto given = batch.offsets.find(name);
    if (given == batch.offsets.end())
      return absl::InvalidArgumentError(
          absl::StrCat("offsets ", name, ": missing; the objective has this axis"));
    Axis parent = parentOf(axis);
    int64_t numParents = parent.isRow() ? batch.numRows : context.offsetsOf(parent).back();
    ALIDADE_RETURN_IF_ERROR(checkOffsets(name, toString(parent), numParents, given->second));
    context.offsets[name] = given->second;
  }
  return checkNames("offsets", batch.offsets, known);
}

// A finite number for every point of the axes.
absl::StatusOr<std::vector<double>> readNumbers(
    absl::string_view what, const std::string& name, llvm::ArrayRef<Axis> axes,
    const std::map<std::string, std::vector<double>>& given, const EvaluationContext& context) {
  auto found = given.find(name);
  if (found == given.end())
    return absl::InvalidArgumentError(
        absl::StrCat(what, " ", name, ": missing; the objective takes it"));
  const std::vector<double>& values = found->second;
  int64_t expected = context.numPoints(axes);
  if (static_cast<int64_t>(values.size()) != expected)
    return absl::InvalidArgumentError(
        absl::StrCat(what, " ", name, ": expected ", expected, " numbers, one per ",
                     axes.empty() ? "step" : toString(axes.back()), ", got ", values.size()));
  for (size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      return absl::InvalidArgumentError(
          absl::StrCat(what, " ", name, "[", i, "]: expected a finite number, got ", values[i]));
  return values;
}

absl::Status readData(ObjectiveOp objective, const Batch& batch, EvaluationContext& context) {
  llvm::SmallVector<std::string> reads, inputs;
  for (const Read& read : readsOf(objective)) {
    reads.push_back(read.name);
    ALIDADE_ASSIGN_OR_RETURN(
        std::vector<double> values,
        readNumbers("read", read.name, axesOf(read.first()->getResult(0)), batch.reads, context));
    context.reads.push_back(std::move(values));
  }
  for (InputOp input : inputsOf(objective)) {
    inputs.push_back(input.getName().str());
    ALIDADE_ASSIGN_OR_RETURN(
        context.inputs[inputs.back()],
        readNumbers("input", inputs.back(), axesOf(input.getResult()), batch.inputs, context));
  }
  ALIDADE_RETURN_IF_ERROR(checkNames("read", batch.reads, reads));
  return checkNames("input", batch.inputs, inputs);
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
  return checkNames("hyperparameter", batch.hyperparameters, known);
}

absl::Status readStates(ObjectiveOp objective, const Batch& batch, EvaluationContext& context) {
  llvm::SmallVector<std::string> known;
  for (StateOp state : statesOf(objective)) {
    std::string name = state.getName().str();
    known.push_back(name);
    auto given = batch.states.find(name);
    double value = given == batch.states.end() ? state.getDefaultNumber() : given->second;
    if (!std::isfinite(value))
      return absl::InvalidArgumentError(
          absl::StrCat("state ", name, ": expected a finite number, got ", value));
    context.states[name] = value;
  }
  return checkNames("state", batch.states, known);
}

absl::Status readOptions(ObjectiveOp objective, const Batch& batch, EvaluationContext& context) {
  llvm::SmallVector<std::string> known;
  for (OptionOp option : objective.getBody().front().getOps<OptionOp>()) {
    std::string name = option.getName().str();
    known.push_back(name);
    auto given = batch.options.find(name);
    if (given == batch.options.end()) continue;
    llvm::SmallVector<llvm::StringRef> cases = option.getCaseNames();
    if (!llvm::is_contained(cases, given->second))
      return absl::InvalidArgumentError(
          absl::StrCat("option ", name, ": expected one of ", llvm::join(cases, ", "), ", got ",
                       given->second, didYouMean(given->second, cases)));
    context.options[name] = given->second;
  }
  return checkNames("option", batch.options, known);
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
  ALIDADE_RETURN_IF_ERROR(readData(objective, batch, context));
  ALIDADE_RETURN_IF_ERROR(readHypers(objective, batch, context));
  ALIDADE_RETURN_IF_ERROR(readStates(objective, batch, context));
  ALIDADE_RETURN_IF_ERROR(readOptions(objective, batch, context));

  for (ApplyOp apply : objective.getBody().front().getOps<ApplyOp>())
    return absl::InvalidArgumentError(absl::StrCat("pref.apply @", apply.getObjective().str(),
                                                   ": expected an objective after pref-inline"));

  llvm::DenseMap<mlir::Value, RealTensor> values;
  for (mlir::Operation& op : objective.getBody().front().without_terminator()) {
    auto term = llvm::dyn_cast<TermOpInterface>(op);
    if (!term) continue;
    llvm::SmallVector<const RealTensor*> operands;
    for (mlir::Value operand : op.getOperands()) operands.push_back(&values.find(operand)->second);
    RealTensor result = term.evaluate(operands, context);
    values.insert({op.getResult(0), std::move(result)});
  }

  Evaluation evaluation;
  evaluation.loss = values[lossOf(objective)].data.front();
  for (const NamedValue& metric : metricsOf(objective))
    evaluation.metrics[metric.name] = reportedNumber(values[metric.value]);
  for (UpdateOp update : updatesOf(objective))
    evaluation.states[update.getName().str()] = values[update.getX()].data.front();
  for (const NamedValue& cotangent : cotangentsOf(objective))
    evaluation.cotangents[cotangent.name] = values[cotangent.value].data;
  return evaluation;
}

absl::StatusOr<std::vector<double>> centralDifferences(ObjectiveOp objective, const Batch& batch,
                                                       const std::string& read, double step) {
  Batch moved = batch;
  auto found = moved.reads.find(read);
  if (found == moved.reads.end())
    return absl::InvalidArgumentError(absl::StrCat("read ", read, ": not in the batch"));
  std::vector<double> gradient;
  for (double& value : found->second) {
    double center = value;
    value = center + step;
    ALIDADE_ASSIGN_OR_RETURN(Evaluation above, interpret(objective, moved));
    value = center - step;
    ALIDADE_ASSIGN_OR_RETURN(Evaluation below, interpret(objective, moved));
    value = center;
    gradient.push_back((above.loss - below.loss) / (2 * step));
  }
  return gradient;
}

}  // namespace alidade::pref
