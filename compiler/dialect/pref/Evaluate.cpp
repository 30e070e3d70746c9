// The meaning of every operation in double precision.

#include <algorithm>
#include <cmath>

#include "compiler/dialect/pref/Evaluation.h"
#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/dialect/pref/OpSupport.h"

namespace alidade::pref {

using Operands = llvm::ArrayRef<const RealTensor*>;

int64_t EvaluationContext::numPoints(llvm::ArrayRef<Axis> axes) const {
  if (axes.empty()) return 1;
  return axes.size() == 1 ? numRows : offsets.at(axes.back().getResponse()).back();
}

void EvaluationContext::forEachPoint(
    llvm::ArrayRef<Axis> axes, llvm::function_ref<void(int64_t point, int64_t row)> fn) const {
  if (axes.empty()) {
    fn(0, 0);
    return;
  }
  for (int64_t row = 0; row < numRows; ++row) {
    if (axes.size() == 1) {
      fn(row, row);
      continue;
    }
    const std::vector<int64_t>& starts = offsets.at(axes.back().getResponse());
    for (int64_t token = starts[row]; token < starts[row + 1]; ++token) fn(token, row);
  }
}

// Of the axes of op's result, filled with zeros.
static RealTensor zeros(mlir::Operation* op, const EvaluationContext& context) {
  llvm::ArrayRef<Axis> axes = axesOf(op->getResult(0));
  return RealTensor{llvm::to_vector<2>(axes), std::vector<double>(context.numPoints(axes), 0.0)};
}

//===--- element-wise ---===//

double stableSigmoid(double x) {
  if (x >= 0) return 1 / (1 + std::exp(-x));
  double e = std::exp(x);
  return e / (1 + e);
}

RealTensor evaluateElementwise(ElementwiseOpInterface op, Operands operands,
                               const EvaluationContext& context) {
  RealTensor result = zeros(op, context);
  llvm::SmallVector<double, 3> args(operands.size());
  context.forEachPoint(result.axes, [&](int64_t point, int64_t row) {
    for (size_t i = 0; i < operands.size(); ++i)
      args[i] = operands[i]->data[broadcastPoint(operands[i]->axes, result.axes, point, row)];
    result.data[point] = op.evaluatePoint(args);
  });
  return result;
}

double CompareOp::evaluatePoint(llvm::ArrayRef<double> args) {
  double a = args[0], b = args[1];
  switch (getPredicate()) {
    case Predicate::Eq:
      return a == b;
    case Predicate::Ne:
      return a != b;
    case Predicate::Lt:
      return a < b;
    case Predicate::Le:
      return a <= b;
    case Predicate::Gt:
      return a > b;
    case Predicate::Ge:
      return a >= b;
  }
  return 0;
}

double WhereOp::evaluatePoint(llvm::ArrayRef<double> args) {
  return args[0] != 0 ? args[1] : args[2];
}

double ClampOp::evaluatePoint(llvm::ArrayRef<double> args) {
  double raised = args[1] > args[0] ? args[1] : args[0];
  return args[2] < raised ? args[2] : raised;
}

//===--- scalars and reads ---===//

RealTensor HyperOp::evaluate(Operands, const EvaluationContext& context) {
  return RealTensor{{}, {context.hyperparameters.at(getName().str())}};
}

RealTensor ConstantOp::evaluate(Operands, const EvaluationContext&) {
  return RealTensor{{}, {getNumber()}};
}

RealTensor LogProbOp::evaluate(Operands, const EvaluationContext& context) {
  return RealTensor{llvm::to_vector<2>(axesOf(getResult())),
                    context.logProbs.at(getDistribution().getName())};
}

//===--- axes ---===//

// Adds up the points of the innermost axis and counts them.
static RealTensor reduce(mlir::Operation* op, const RealTensor& x, const EvaluationContext& context,
                         std::vector<double>& counts) {
  RealTensor result = zeros(op, context);
  counts.assign(result.data.size(), 0.0);
  context.forEachPoint(x.axes, [&](int64_t point, int64_t row) {
    int64_t target = result.axes.empty() ? 0 : row;
    result.data[target] += x.data[point];
    counts[target] += 1;
  });
  return result;
}

RealTensor SumOp::evaluate(Operands operands, const EvaluationContext& context) {
  std::vector<double> counts;
  return reduce(*this, *operands[0], context, counts);
}

RealTensor MeanOp::evaluate(Operands operands, const EvaluationContext& context) {
  std::vector<double> counts;
  RealTensor result = reduce(*this, *operands[0], context, counts);
  for (size_t i = 0; i < counts.size(); ++i) result.data[i] /= std::max(1.0, counts[i]);
  return result;
}

RealTensor CountOp::evaluate(Operands, const EvaluationContext& context) {
  RealTensor result = zeros(*this, context);
  Axis axis = getAxis().getValue();
  if (axis.isRow()) {
    result.data[0] = context.numRows;
    return result;
  }
  const std::vector<int64_t>& starts = context.offsets.at(axis.getResponse());
  for (int64_t row = 0; row < context.numRows; ++row)
    result.data[row] = starts[row + 1] - starts[row];
  return result;
}

RealTensor BroadcastOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = zeros(*this, context);
  const RealTensor& x = *operands[0];
  context.forEachPoint(result.axes, [&](int64_t point, int64_t row) {
    result.data[point] = x.data[broadcastPoint(x.axes, result.axes, point, row)];
  });
  return result;
}

}  // namespace alidade::pref
