// Composites that depend on the place of a point along its axis: parts of a sum, values at one
// point, quantiles, random subsets. Each is evaluated directly, and expands to native operations;
// tests compare the two.

#include <algorithm>
#include <cmath>

#include "compiler/dialect/pref/CrossPoint.h"
#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/dialect/pref/OpSupport.h"
#include "compiler/dialect/pref/TermBuilder.h"

namespace alidade::pref {

using mlir::failure;
using mlir::success;
using mlir::Value;
using InferredTypes = llvm::SmallVectorImpl<mlir::Type>;
using MaybeLocation = std::optional<mlir::Location>;
using Operands = llvm::ArrayRef<const RealTensor*>;

//===--- pref.sum_first, pref.sum_after ---===//

static mlir::LogicalResult inferPartialSum(CheckedOp op, Value x, Value n, AxisKind axis,
                                           InferredTypes& inferred) {
  if (failed(checkLastAxis(op, "reduce", x, axis)) ||
      failed(checkPrefix(op, "(C2) n", n, axesOf(x).drop_back())))
    return failure();
  inferred.push_back(reducedType(x));
  return success();
}

mlir::LogicalResult SumFirstOp::inferReturnTypes(mlir::MLIRContext*, MaybeLocation location,
                                                 Adaptor adaptor, InferredTypes& inferred) {
  return inferPartialSum({location, getOperationName()}, adaptor.getX(), adaptor.getN(),
                         adaptor.getAxis(), inferred);
}

mlir::LogicalResult SumAfterOp::inferReturnTypes(mlir::MLIRContext*, MaybeLocation location,
                                                 Adaptor adaptor, InferredTypes& inferred) {
  return inferPartialSum({location, getOperationName()}, adaptor.getX(), adaptor.getN(),
                         adaptor.getAxis(), inferred);
}

// The sum of the points i < n, or of those i >= n.
static RealTensor evaluatePartialSum(mlir::Operation* op, Operands operands, bool first,
                                     const EvaluationContext& context) {
  RealTensor result = zerosOf(op, context);
  const RealTensor& x = *operands[0];
  std::vector<double> n = broadcastTo(*operands[1], result.axes, context);
  std::vector<int64_t> spans = spansOf(x.axes, context);
  for (size_t span = 0; span + 1 < spans.size(); ++span)
    for (int64_t point = spans[span]; point < spans[span + 1]; ++point)
      if ((point - spans[span] < n[span]) == first) result.data[span] += x.data[point];
  return result;
}

RealTensor SumFirstOp::evaluate(Operands operands, const EvaluationContext& context) {
  return evaluatePartialSum(*this, operands, /*first=*/true, context);
}

RealTensor SumAfterOp::evaluate(Operands operands, const EvaluationContext& context) {
  return evaluatePartialSum(*this, operands, /*first=*/false, context);
}

// The first n points of x, or 0.
static Value isAmongFirst(TermBuilder& t, Value x, Value n) {
  return t.compare(Predicate::Lt, t.position(axesOf(x).back()), n);
}

Value SumFirstOp::expand(mlir::OpBuilder& builder) {
  TermBuilder t(builder, getLoc());
  return t.sum(t.where(isAmongFirst(t, getX(), getN()), getX(), t.constant(0)), getAxis());
}

Value SumAfterOp::expand(mlir::OpBuilder& builder) {
  TermBuilder t(builder, getLoc());
  return t.sum(t.where(isAmongFirst(t, getX(), getN()), t.constant(0), getX()), getAxis());
}

//===--- pref.scatter_at ---===//

mlir::LogicalResult ScatterAtOp::inferReturnTypes(mlir::MLIRContext* context,
                                                  MaybeLocation location, Adaptor adaptor,
                                                  InferredTypes& inferred) {
  CheckedOp op{location, getOperationName()};
  Axis axis = adaptor.getAxis().getValue();
  if (axis.isRow()) {
    return failAt(op, [&](mlir::InFlightDiagnostic& diagnostic) {
      diagnostic << "(C1) expected an axis below row, such as token(chosen), got row";
    });
  }
  llvm::SmallVector<Axis, 3> path = pathOf(axis);
  llvm::ArrayRef<Axis> parent = llvm::ArrayRef(path).drop_back();
  if (failed(checkPrefix(op, "(C2) operand", adaptor.getX(), parent)) ||
      failed(checkPrefix(op, "(C2) position", adaptor.getPosition(), parent)))
    return failure();
  inferred.push_back(ValueType::get(context, path));
  return success();
}

RealTensor ScatterAtOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  llvm::ArrayRef<Axis> parent = llvm::ArrayRef(result.axes).drop_back();
  std::vector<double> x = broadcastTo(*operands[0], parent, context);
  std::vector<double> position = broadcastTo(*operands[1], parent, context);
  std::vector<int64_t> spans = spansOf(result.axes, context);
  for (size_t span = 0; span + 1 < spans.size(); ++span)
    for (int64_t point = spans[span]; point < spans[span + 1]; ++point)
      if (point - spans[span] == position[span]) result.data[point] = x[span];
  return result;
}

Value ScatterAtOp::expand(mlir::OpBuilder& builder) {
  TermBuilder t(builder, getLoc());
  Value here = t.compare(Predicate::Eq, t.position(getAxisAttr().getValue()), getPosition());
  return t.where(here, getX(), t.constant(0));
}

//===--- pref.quantile ---===//

bool QuantileOp::isValueOnly() { return true; }

mlir::LogicalResult QuantileOp::inferReturnTypes(mlir::MLIRContext*, MaybeLocation location,
                                                 Adaptor adaptor, InferredTypes& inferred) {
  CheckedOp op{location, getOperationName()};
  Value x = adaptor.getX();
  if (failed(checkLastAxis(op, "sort", x, adaptor.getAxis(),
                           {AxisKind::Row, AxisKind::Member, AxisKind::Token})) ||
      failed(checkPrefix(op, "(C2) q", adaptor.getQ(), axesOf(x).drop_back())))
    return failure();
  inferred.push_back(reducedType(x));
  return success();
}

RealTensor QuantileOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  const RealTensor& x = *operands[0];
  std::vector<double> q = broadcastTo(*operands[1], result.axes, context);
  std::vector<int64_t> spans = spansOf(x.axes, context);
  for (size_t span = 0; span + 1 < spans.size(); ++span) {
    std::vector<int64_t> order = ascendingOrder(x.data, spans[span], spans[span + 1]);
    if (order.empty()) continue;
    double place = std::clamp(q[span], 0.0, 1.0) * (order.size() - 1);
    size_t below = static_cast<size_t>(place), above = std::min(below + 1, order.size() - 1);
    double part = place - below;
    result.data[span] = (1 - part) * x.data[order[below]] + part * x.data[order[above]];
  }
  return result;
}

// The weight of the point at place i is max(0, 1 - |i - q (n - 1)|): linear interpolation between
// the two places next to q (n - 1).
Value QuantileOp::expand(mlir::OpBuilder& builder) {
  TermBuilder t(builder, getLoc());
  Axis axis = axesOf(getX()).back();
  Value one = t.constant(1);
  Value last = t.max(t.sub(t.count(axis), one), t.constant(0));
  Value place = t.mul(t.clamp(getQ(), t.constant(0), one), last);
  Value weight = t.relu(t.sub(one, t.abs(t.sub(t.position(axis), place))));
  return t.sum(t.mul(weight, t.sort(getX(), {}, getAxis())), getAxis());
}

//===--- pref.random_subset ---===//

bool RandomSubsetOp::isValueOnly() { return true; }

mlir::LogicalResult RandomSubsetOp::inferReturnTypes(mlir::MLIRContext*, MaybeLocation location,
                                                     Adaptor adaptor, InferredTypes& inferred) {
  CheckedOp op{location, getOperationName()};
  if (failed(checkAxes(op, "(C1) weights", adaptor.getWeight(), {Axis::row()})) ||
      failed(checkAxes(op, "(C2) fraction", adaptor.getFraction(), {})) ||
      failed(checkAxes(op, "(C2) seed", adaptor.getSeed(), {})))
    return failure();
  inferred.push_back(adaptor.getWeight().getType());
  return success();
}

RealTensor RandomSubsetOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  std::vector<double> keys(result.data.size());
  for (size_t row = 0; row < keys.size(); ++row)
    keys[row] = -std::log(uniformAt(operands[2]->data[0], row)) / operands[0]->data[row];
  double wanted = std::floor(operands[1]->data[0] * keys.size() + 0.5);
  std::vector<int64_t> order = ascendingOrder(keys, 0, keys.size());
  for (size_t rank = 0; rank < order.size() && rank < wanted; ++rank) result.data[order[rank]] = 1;
  return result;
}

// The row of rank r is drawn if r < floor(f n + 1/2), which is r + 1/2 <= f n.
Value RandomSubsetOp::expand(mlir::OpBuilder& builder) {
  TermBuilder t(builder, getLoc());
  Axis row = Axis::row();
  Value key = t.div(t.neg(t.log(t.uniform(getSeed(), row))), getWeight());
  Value rank = t.unsort(t.position(row), key, AxisKind::Row);
  Value wanted = t.mul(getFraction(), t.count(row));
  return t.compare(Predicate::Le, t.add(rank, t.constant(0.5)), wanted);
}

}  // namespace alidade::pref
