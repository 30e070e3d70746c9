// Checks and loops of the operations across points, and the operations that are native: order and
// scans.

#include "compiler/dialect/pref/CrossPoint.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/dialect/pref/OpSupport.h"
#include "compiler/dialect/pref/TermBuilder.h"

namespace alidade::pref {

using mlir::failure;
using mlir::success;
using mlir::Value;
using Active = llvm::ArrayRef<bool>;
using InferredTypes = llvm::SmallVectorImpl<mlir::Type>;
using MaybeLocation = std::optional<mlir::Location>;
using Operands = llvm::ArrayRef<const RealTensor*>;
using Pulled = llvm::MutableArrayRef<Value>;

//===--- checks ---===//

mlir::LogicalResult failAt(CheckedOp op, llvm::function_ref<void(mlir::InFlightDiagnostic&)> fill) {
  if (!op.location) return failure();
  mlir::InFlightDiagnostic diagnostic = mlir::emitError(*op.location) << "'" << op.name << "' op ";
  fill(diagnostic);
  return diagnostic;
}

static void noteAxes(mlir::InFlightDiagnostic& diagnostic, Value value) {
  diagnostic.attachNote(value.getLoc()) << "this value has axes " << toString(axesOf(value));
}

mlir::LogicalResult checkLastAxis(CheckedOp op, llvm::StringRef verb, Value operand, AxisKind axis,
                                  llvm::ArrayRef<AxisKind> allowed) {
  llvm::ArrayRef<Axis> own = axesOf(operand);
  if (own.empty() || own.back().getKind() != axis) {
    return failAt(op, [&](mlir::InFlightDiagnostic& diagnostic) {
      diagnostic << "(C1) cannot " << verb << " " << stringifyAxisKind(axis)
                 << " of a value with axes " << toString(own) << ": it must be the last axis";
      noteAxes(diagnostic, operand);
    });
  }
  if (!allowed.empty() && !llvm::is_contained(allowed, axis)) {
    return failAt(op, [&](mlir::InFlightDiagnostic& diagnostic) {
      diagnostic << "(C1) cannot " << verb << " " << stringifyAxisKind(axis)
                 << ": expected one of ";
      llvm::interleaveComma(allowed, diagnostic,
                            [&](AxisKind kind) { diagnostic << stringifyAxisKind(kind); });
    });
  }
  return success();
}

mlir::LogicalResult checkAxes(CheckedOp op, llvm::StringRef what, Value operand,
                              llvm::ArrayRef<Axis> expected) {
  if (axesOf(operand) == expected) return success();
  return failAt(op, [&](mlir::InFlightDiagnostic& diagnostic) {
    diagnostic << what << ": expected axes " << toString(expected) << ", got "
               << toString(axesOf(operand));
    noteAxes(diagnostic, operand);
  });
}

mlir::LogicalResult checkPrefix(CheckedOp op, llvm::StringRef what, Value operand,
                                llvm::ArrayRef<Axis> limit) {
  if (isPrefix(axesOf(operand), limit)) return success();
  return failAt(op, [&](mlir::InFlightDiagnostic& diagnostic) {
    diagnostic << what << ": expected axes " << toString(limit)
               << (limit.empty() ? "" : " or fewer") << ", got " << toString(axesOf(operand));
    noteAxes(diagnostic, operand);
  });
}

mlir::Type reducedType(Value operand) {
  return ValueType::get(operand.getContext(), axesOf(operand).drop_back());
}

//===--- points ---===//

std::vector<int64_t> spansOf(llvm::ArrayRef<Axis> axes, const EvaluationContext& context) {
  if (axes.back().isRow()) return {0, context.numRows};
  return context.offsetsOf(axes.back());
}

std::vector<double> broadcastTo(const RealTensor& tensor, llvm::ArrayRef<Axis> axes,
                                const EvaluationContext& context) {
  std::vector<double> data = tensor.data;
  for (size_t depth = tensor.axes.size() + 1; depth <= axes.size(); ++depth) {
    std::vector<int64_t> spans = spansOf(axes.take_front(depth), context);
    std::vector<double> wider(spans.back());
    for (size_t point = 0; point + 1 < spans.size(); ++point)
      std::fill(wider.begin() + spans[point], wider.begin() + spans[point + 1], data[point]);
    data = std::move(wider);
  }
  return data;
}

std::vector<int64_t> ascendingOrder(llvm::ArrayRef<double> keys, int64_t begin, int64_t end) {
  std::vector<int64_t> order(end - begin);
  std::iota(order.begin(), order.end(), begin);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    bool nanA = std::isnan(keys[a]), nanB = std::isnan(keys[b]);
    if (nanA != nanB) return nanB;
    if (!nanA && keys[a] != keys[b]) return keys[a] < keys[b];
    return a < b;
  });
  return order;
}

//===--- pref.reduce_max ---===//

bool ReduceMaxOp::isValueOnly() { return true; }

// Value-only: pref-differentiate reports a gradient that arrives.
void ReduceMaxOp::buildVjp(mlir::OpBuilder&, Value, Active, Pulled) {}

RealTensor ReduceMaxOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  const RealTensor& x = *operands[0];
  std::vector<int64_t> spans = spansOf(x.axes, context);
  for (size_t span = 0; span + 1 < spans.size(); ++span) {
    double largest = -std::numeric_limits<double>::infinity();
    for (int64_t point = spans[span]; point < spans[span + 1]; ++point)
      if (x.data[point] > largest) largest = x.data[point];
    result.data[span] = largest;
  }
  return result;
}

//===--- pref.scan ---===//

mlir::LogicalResult ScanOp::inferReturnTypes(mlir::MLIRContext*, MaybeLocation location,
                                             Adaptor adaptor, InferredTypes& inferred) {
  CheckedOp op{location, getOperationName()};
  if (failed(checkLastAxis(op, "scan", adaptor.getX(), adaptor.getAxis(),
                           {AxisKind::Token, AxisKind::Member})) ||
      failed(checkPrefix(op, "(C2) decay", adaptor.getDecay(), {Axis::row()})))
    return failure();
  inferred.push_back(adaptor.getX().getType());
  return success();
}

llvm::StringRef ScanOp::whyNoGradient(unsigned operand) {
  return operand == 1 ? "(C3) no gradient passes to the decay" : "";
}

std::optional<AxisKind> ScanOp::getCrossedAxis() { return getAxis(); }

void ScanOp::buildVjp(mlir::OpBuilder& builder, Value cotangent, Active active, Pulled pulled) {
  TermBuilder t(builder, getLoc());
  if (active[0]) pulled[0] = t.scan(cotangent, getDecay(), getAxis(), !getReverse());
}

RealTensor ScanOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = *operands[0];
  std::vector<double> decay = broadcastTo(*operands[1], result.axes, context);
  std::vector<int64_t> spans = spansOf(result.axes, context);
  for (size_t span = 0; span + 1 < spans.size(); ++span) {
    int64_t count = spans[span + 1] - spans[span];
    double running = 0;
    for (int64_t step = 0; step < count; ++step) {
      int64_t point = getReverse() ? spans[span + 1] - 1 - step : spans[span] + step;
      running = result.data[point] + decay[point] * running;
      result.data[point] = running;
    }
  }
  return result;
}

// Without a decay every point stays what it is.
mlir::OpFoldResult ScanOp::fold(FoldAdaptor adaptor) {
  auto decay = llvm::dyn_cast_or_null<mlir::FloatAttr>(adaptor.getDecay());
  return decay && decay.getValueAsDouble() == 0 ? mlir::OpFoldResult(getX()) : mlir::OpFoldResult();
}

//===--- pref.sort, pref.unsort ---===//

static mlir::LogicalResult inferReordered(CheckedOp op, Value x, Value key, AxisKind axis,
                                          InferredTypes& inferred) {
  if (failed(
          checkLastAxis(op, "sort", x, axis, {AxisKind::Row, AxisKind::Member, AxisKind::Token})) ||
      (key && failed(checkAxes(op, "(C2) key", key, axesOf(x)))))
    return failure();
  inferred.push_back(x.getType());
  return success();
}

mlir::LogicalResult SortOp::inferReturnTypes(mlir::MLIRContext*, MaybeLocation location,
                                             Adaptor adaptor, InferredTypes& inferred) {
  return inferReordered({location, getOperationName()}, adaptor.getX(), adaptor.getKey(),
                        adaptor.getAxis(), inferred);
}

mlir::LogicalResult UnsortOp::inferReturnTypes(mlir::MLIRContext*, MaybeLocation location,
                                               Adaptor adaptor, InferredTypes& inferred) {
  return inferReordered({location, getOperationName()}, adaptor.getX(), adaptor.getKey(),
                        adaptor.getAxis(), inferred);
}

std::optional<AxisKind> SortOp::getCrossedAxis() { return getAxis(); }
std::optional<AxisKind> UnsortOp::getCrossedAxis() { return getAxis(); }

void SortOp::buildVjp(mlir::OpBuilder& builder, Value cotangent, Active active, Pulled pulled) {
  TermBuilder t(builder, getLoc());
  if (active[0]) pulled[0] = t.unsort(cotangent, getOrder(), getAxis());
}

void UnsortOp::buildVjp(mlir::OpBuilder& builder, Value cotangent, Active active, Pulled pulled) {
  TermBuilder t(builder, getLoc());
  if (active[0]) pulled[0] = t.sort(cotangent, getKey(), getAxis());
}

// Calls fn(point, place) for every point and the place that its key has in ascending order.
static void forEachPlace(const RealTensor& key, const EvaluationContext& context,
                         llvm::function_ref<void(int64_t point, int64_t place)> fn) {
  std::vector<int64_t> spans = spansOf(key.axes, context);
  for (size_t span = 0; span + 1 < spans.size(); ++span) {
    std::vector<int64_t> order = ascendingOrder(key.data, spans[span], spans[span + 1]);
    for (size_t rank = 0; rank < order.size(); ++rank) fn(order[rank], spans[span] + rank);
  }
}

RealTensor SortOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  forEachPlace(*operands.back(), context, [&](int64_t point, int64_t place) {
    result.data[place] = operands[0]->data[point];
  });
  return result;
}

RealTensor UnsortOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  forEachPlace(*operands[1], context, [&](int64_t point, int64_t place) {
    result.data[point] = operands[0]->data[place];
  });
  return result;
}

// What is in order stays; unsorted and sorted by one key is the same again.
mlir::OpFoldResult SortOp::fold(FoldAdaptor) {
  if (auto inner = getX().getDefiningOp<SortOp>(); inner && !inner.getKey() && !getKey())
    return getX();
  auto inner = getX().getDefiningOp<UnsortOp>();
  return inner && getKey() && inner.getKey() == getKey() ? inner.getX() : Value();
}

mlir::OpFoldResult UnsortOp::fold(FoldAdaptor) {
  auto inner = getX().getDefiningOp<SortOp>();
  return inner && inner.getOrder() == getKey() ? inner.getX() : Value();
}

mlir::ParseResult parseKey(mlir::OpAsmParser& parser,
                           std::optional<mlir::OpAsmParser::UnresolvedOperand>& key,
                           mlir::Type& type) {
  if (failed(parser.parseOptionalKeyword("by"))) return success();
  type = UnresolvedType::get(parser.getContext());
  return parser.parseOperand(key.emplace());
}

void printKey(mlir::OpAsmPrinter& printer, mlir::Operation*, Value key, mlir::Type) {
  if (key) printer << " by " << key;
}

}  // namespace alidade::pref
