// The meaning of every operation in double precision.

#include <algorithm>
#include <cmath>

#include "compiler/dialect/pref/Evaluation.h"
#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/dialect/pref/OpSupport.h"

namespace alidade::pref {

using Operands = llvm::ArrayRef<const RealTensor*>;

//===--- points ---===//

int64_t EvaluationContext::numPoints(llvm::ArrayRef<Axis> axes) const {
  if (axes.empty()) return 1;
  return axes.size() == 1 ? numRows : offsetsOf(axes.back()).back();
}

void EvaluationContext::forEachPoint(llvm::ArrayRef<Axis> axes,
                                     llvm::function_ref<void(Point point)> fn) const {
  llvm::SmallVector<const std::vector<int64_t>*, 3> starts;
  for (Axis axis : axes.empty() ? axes : axes.drop_front()) starts.push_back(&offsetsOf(axis));
  llvm::SmallVector<int64_t, 3> path;
  // Visits all points below the one that `path` names, on the axis of `depth`.
  auto visit = [&](auto& self, size_t depth, int64_t begin, int64_t end) -> void {
    path.resize(depth + 1);
    for (int64_t index = begin; index < end; ++index) {
      path[depth] = index;
      if (depth + 1 == axes.size()) {
        fn(Point(path));
        continue;
      }
      self(self, depth + 1, (*starts[depth])[index], (*starts[depth])[index + 1]);
      path.resize(depth + 1);
    }
  };
  if (axes.empty())
    fn(Point(path));
  else
    visit(visit, 0, 0, numRows);
}

std::vector<int64_t> pairOffsets(llvm::ArrayRef<int64_t> memberOffsets) {
  std::vector<int64_t> offsets = {0};
  for (size_t row = 0; row + 1 < memberOffsets.size(); ++row) {
    int64_t count = memberOffsets[row + 1] - memberOffsets[row];
    offsets.push_back(offsets.back() + count * (count - 1) / 2);
  }
  return offsets;
}

std::pair<int64_t, int64_t> pairMembers(int64_t index, int64_t count) {
  int64_t first = 0;
  for (int64_t others = count - 1; index >= others; --others, ++first) index -= others;
  return {first, first + 1 + index};
}

double uniformAt(double seed, int64_t position) {
  // An integer in all cases: beyond 2^62 the conversion would be undefined.
  double whole = std::isnan(seed) ? 0 : std::clamp(seed, -0x1p62, 0x1p62);
  uint64_t state = static_cast<uint64_t>(static_cast<int64_t>(whole)) * 0x9E3779B97F4A7C15u +
                   static_cast<uint64_t>(position) + 1;
  state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9u;
  state = (state ^ (state >> 27)) * 0x94D049BB133111EBu;
  state ^= state >> 31;
  return (static_cast<double>(state >> 11) + 0.5) * 0x1p-53;
}

RealTensor zerosOf(mlir::Operation* op, const EvaluationContext& context) {
  llvm::ArrayRef<Axis> axes = axesOf(op->getResult(0));
  return RealTensor{llvm::to_vector<3>(axes), std::vector<double>(context.numPoints(axes), 0.0)};
}

//===--- element-wise ---===//

double stableSigmoid(double x) {
  if (x >= 0) return 1 / (1 + std::exp(-x));
  double e = std::exp(x);
  return e / (1 + e);
}

RealTensor evaluateElementwise(ElementwiseOpInterface op, Operands operands,
                               const EvaluationContext& context) {
  RealTensor result = zerosOf(op, context);
  llvm::SmallVector<double, 3> args(operands.size());
  context.forEachPoint(result.axes, [&](Point point) {
    for (size_t i = 0; i < operands.size(); ++i)
      args[i] = operands[i]->data[broadcastPoint(operands[i]->axes, point)];
    result.data[point.index()] = op.evaluatePoint(args);
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

//===--- scalars ---===//

RealTensor HyperOp::evaluate(Operands, const EvaluationContext& context) {
  return RealTensor{{}, {context.hyperparameters.at(getName().str())}};
}

RealTensor ConstantOp::evaluate(Operands, const EvaluationContext&) {
  return RealTensor{{}, {getNumber()}};
}

//===--- axes ---===//

// Adds up the points of the innermost axis and counts them.
static RealTensor reduce(mlir::Operation* op, const RealTensor& x, const EvaluationContext& context,
                         std::vector<double>& counts) {
  RealTensor result = zerosOf(op, context);
  counts.assign(result.data.size(), 0.0);
  context.forEachPoint(x.axes, [&](Point point) {
    int64_t target = broadcastPoint(result.axes, point);
    result.data[target] += x.data[point.index()];
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
  RealTensor result = zerosOf(*this, context);
  Axis axis = getAxis().getValue();
  if (axis.isRow()) {
    result.data[0] = context.numRows;
    return result;
  }
  const std::vector<int64_t>& starts = context.offsetsOf(axis);
  for (size_t parent = 0; parent < result.data.size(); ++parent)
    result.data[parent] = starts[parent + 1] - starts[parent];
  return result;
}

RealTensor BroadcastOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  const RealTensor& x = *operands[0];
  context.forEachPoint(result.axes, [&](Point point) {
    result.data[point.index()] = x.data[broadcastPoint(x.axes, point)];
  });
  return result;
}

}  // namespace alidade::pref
