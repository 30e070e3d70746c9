// Composites that are statistics of an axis: weighted sums, deviations, baselines, whitening. Each
// is evaluated directly, and expands to native operations; tests compare the two.

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

//===--- what they share ---===//

namespace {

// Count, sum and sum of squared distances to the mean of the points of one span.
struct Moments {
  double count = 0;
  double sum = 0;
  double squares = 0;

  Moments(llvm::ArrayRef<double> points) : count(points.size()) {
    for (double x : points) sum += x;
    for (double x : points) squares += (x - mean()) * (x - mean());
  }
  double mean() const { return sum / std::max(1.0, count); }
  // missing: 0 for the variance of these points, 1 for the unbiased estimate.
  double variance(double missing) const { return squares / std::max(1.0, count - missing); }
};

}  // namespace

// Calls fn(parent, begin, moments) for every span of the innermost axis.
static void forEachSpan(const RealTensor& x, const EvaluationContext& context,
                        llvm::function_ref<void(int64_t, llvm::ArrayRef<double>, int64_t)> fn) {
  std::vector<int64_t> spans = spansOf(x.axes, context);
  for (size_t span = 0; span + 1 < spans.size(); ++span)
    fn(span, llvm::ArrayRef(x.data).slice(spans[span], spans[span + 1] - spans[span]), spans[span]);
}

// max(1, n - missing), n being the length of the innermost axis of x.
static Value divisor(TermBuilder& t, Value x, double missing) {
  Value count = t.count(axesOf(x).back());
  if (missing != 0) count = t.sub(count, t.constant(missing));
  return t.max(count, t.constant(1));
}

static Value deviations(TermBuilder& t, Value x, AxisKind axis) {
  return t.sub(x, t.mean(x, axis));
}

//===--- pref.weighted_sum ---===//

mlir::LogicalResult WeightedSumOp::inferReturnTypes(mlir::MLIRContext*, MaybeLocation location,
                                                    Adaptor adaptor, InferredTypes& inferred) {
  CheckedOp op{location, getOperationName()};
  if (failed(checkLastAxis(op, "reduce", adaptor.getX(), adaptor.getAxis())) ||
      failed(checkAxes(op, "(C2) weights", adaptor.getWeight(), axesOf(adaptor.getX()))))
    return failure();
  inferred.push_back(reducedType(adaptor.getX()));
  return success();
}

RealTensor WeightedSumOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  const RealTensor& weight = *operands[1];
  forEachSpan(*operands[0], context,
              [&](int64_t span, llvm::ArrayRef<double> points, int64_t begin) {
                double total = 0;
                for (size_t i = 0; i < points.size(); ++i) {
                  result.data[span] += points[i] * weight.data[begin + i];
                  total += weight.data[begin + i];
                }
                if (getNormalized() && total != 0) result.data[span] /= total;
              });
  return result;
}

Value WeightedSumOp::expand(mlir::OpBuilder& builder) {
  TermBuilder t(builder, getLoc());
  Value sum = t.sum(t.mul(getX(), getWeight()), getAxis());
  if (!getNormalized()) return sum;
  Value total = t.sum(getWeight(), getAxis());
  Value isZero = t.compare(Predicate::Eq, total, t.constant(0));
  return t.div(sum, t.where(isZero, t.constant(1), total));
}

//===--- pref.std ---===//

mlir::LogicalResult StdOp::inferReturnTypes(mlir::MLIRContext*, MaybeLocation location,
                                            Adaptor adaptor, InferredTypes& inferred) {
  if (failed(checkLastAxis({location, getOperationName()}, "reduce", adaptor.getX(),
                           adaptor.getAxis())))
    return failure();
  inferred.push_back(reducedType(adaptor.getX()));
  return success();
}

RealTensor StdOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  forEachSpan(*operands[0], context, [&](int64_t span, llvm::ArrayRef<double> points, int64_t) {
    result.data[span] = std::sqrt(Moments(points).variance(getUnbiased() ? 1 : 0));
  });
  return result;
}

Value StdOp::expand(mlir::OpBuilder& builder) {
  TermBuilder t(builder, getLoc());
  Value squares = t.sum(t.square(deviations(t, getX(), getAxis())), getAxis());
  return t.sqrt(t.div(squares, divisor(t, getX(), getUnbiased() ? 1 : 0)));
}

//===--- pref.leave_one_out ---===//

mlir::LogicalResult LeaveOneOutOp::inferReturnTypes(mlir::MLIRContext*, MaybeLocation location,
                                                    Adaptor adaptor, InferredTypes& inferred) {
  if (failed(checkLastAxis({location, getOperationName()}, "average", adaptor.getX(),
                           adaptor.getAxis())))
    return failure();
  inferred.push_back(adaptor.getX().getType());
  return success();
}

RealTensor LeaveOneOutOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  forEachSpan(*operands[0], context, [&](int64_t, llvm::ArrayRef<double> points, int64_t begin) {
    Moments moments(points);
    for (size_t i = 0; i < points.size(); ++i)
      result.data[begin + i] = (moments.sum - points[i]) / std::max(1.0, moments.count - 1);
  });
  return result;
}

Value LeaveOneOutOp::expand(mlir::OpBuilder& builder) {
  TermBuilder t(builder, getLoc());
  return t.div(t.sub(t.sum(getX(), getAxis()), getX()), divisor(t, getX(), 1));
}

//===--- pref.whiten ---===//

mlir::LogicalResult WhitenOp::inferReturnTypes(mlir::MLIRContext*, MaybeLocation location,
                                               Adaptor adaptor, InferredTypes& inferred) {
  CheckedOp op{location, getOperationName()};
  if (failed(checkLastAxis(op, "whiten", adaptor.getX(), adaptor.getAxis())) ||
      failed(checkAxes(op, "(C2) eps", adaptor.getEps(), {})))
    return failure();
  inferred.push_back(adaptor.getX().getType());
  return success();
}

RealTensor WhitenOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  double eps = operands[1]->data[0];
  forEachSpan(*operands[0], context, [&](int64_t, llvm::ArrayRef<double> points, int64_t begin) {
    Moments moments(points);
    for (size_t i = 0; i < points.size(); ++i)
      result.data[begin + i] = (points[i] - moments.mean()) / std::sqrt(moments.variance(1) + eps);
  });
  return result;
}

Value WhitenOp::expand(mlir::OpBuilder& builder) {
  TermBuilder t(builder, getLoc());
  Value distance = deviations(t, getX(), getAxis());
  Value variance = t.div(t.sum(t.square(distance), getAxis()), divisor(t, getX(), 1));
  return t.div(distance, t.sqrt(t.add(variance, getEps())));
}

}  // namespace alidade::pref
