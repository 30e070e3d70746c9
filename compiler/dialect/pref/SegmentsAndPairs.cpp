// Sums over labelled spans and over pairs of members, and their adjoints.

#include "compiler/dialect/pref/CrossPoint.h"
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

// An operand has the axes [row, kind]; `expected` is how an author writes them.
static mlir::LogicalResult checkRowAnd(CheckedOp op, llvm::StringRef what, Value operand,
                                       AxisKind kind, llvm::StringRef expected) {
  llvm::ArrayRef<Axis> own = axesOf(operand);
  if (own.size() == 2 && own.back().getKind() == kind) return success();
  return failAt(op, [&](mlir::InFlightDiagnostic& diagnostic) {
    diagnostic << what << ": expected axes " << expected << ", got " << toString(own);
    diagnostic.attachNote(operand.getLoc()) << "this value has axes " << toString(own);
  });
}

//===--- pref.segment_sum, pref.segment_gather ---===//

mlir::LogicalResult SegmentSumOp::inferReturnTypes(mlir::MLIRContext* context,
                                                   MaybeLocation location, Adaptor adaptor,
                                                   InferredTypes& inferred) {
  CheckedOp op{location, getOperationName()};
  if (failed(checkRowAnd(op, "(C1) operand", adaptor.getX(), AxisKind::Token, "[row, token(R)]")) ||
      failed(checkAxes(op, "(C2) ids", adaptor.getIds(), axesOf(adaptor.getX()))))
    return failure();
  Axis segment = adaptor.getSegment().getValue();
  if (segment.getKind() != AxisKind::Segment) {
    return failAt(op, [&](mlir::InFlightDiagnostic& diagnostic) {
      diagnostic << "(C3) expected an axis segment(S), got " << toString(segment);
    });
  }
  inferred.push_back(ValueType::get(context, {Axis::row(), segment}));
  return success();
}

mlir::LogicalResult SegmentGatherOp::inferReturnTypes(mlir::MLIRContext*, MaybeLocation location,
                                                      Adaptor adaptor, InferredTypes& inferred) {
  CheckedOp op{location, getOperationName()};
  if (failed(checkRowAnd(op, "(C1) operand", adaptor.getX(), AxisKind::Segment,
                         "[row, segment(S)]")) ||
      failed(checkRowAnd(op, "(C2) ids", adaptor.getIds(), AxisKind::Token, "[row, token(R)]")))
    return failure();
  inferred.push_back(adaptor.getIds().getType());
  return success();
}

std::optional<AxisKind> SegmentSumOp::getCrossedAxis() { return AxisKind::Token; }
std::optional<AxisKind> SegmentGatherOp::getCrossedAxis() { return AxisKind::Segment; }

void SegmentSumOp::buildVjp(mlir::OpBuilder& builder, Value cotangent, Active active,
                            Pulled pulled) {
  TermBuilder t(builder, getLoc());
  if (active[0]) pulled[0] = t.segmentGather(cotangent, getIds());
}

void SegmentGatherOp::buildVjp(mlir::OpBuilder& builder, Value cotangent, Active active,
                               Pulled pulled) {
  TermBuilder t(builder, getLoc());
  if (active[0]) pulled[0] = t.segmentSum(cotangent, getIds(), axesOf(getX()).back());
}

// Calls fn(token, segment) for every token that is in a segment; both count over the whole batch.
static void forEachLabel(const RealTensor& ids, llvm::ArrayRef<Axis> segmentAxes,
                         const EvaluationContext& context,
                         llvm::function_ref<void(int64_t token, int64_t segment)> fn) {
  std::vector<int64_t> tokens = spansOf(ids.axes, context);
  std::vector<int64_t> segments = spansOf(segmentAxes, context);
  for (size_t row = 0; row + 1 < tokens.size(); ++row) {
    double count = segments[row + 1] - segments[row];
    for (int64_t token = tokens[row]; token < tokens[row + 1]; ++token) {
      double id = ids.data[token];
      if (id >= 0 && id < count) fn(token, segments[row] + static_cast<int64_t>(id));
    }
  }
}

RealTensor SegmentSumOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  forEachLabel(*operands[1], result.axes, context, [&](int64_t token, int64_t segment) {
    result.data[segment] += operands[0]->data[token];
  });
  return result;
}

RealTensor SegmentGatherOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  forEachLabel(*operands[1], operands[0]->axes, context, [&](int64_t token, int64_t segment) {
    result.data[token] = operands[0]->data[segment];
  });
  return result;
}

//===--- pref.pair_gather, pref.pair_scatter ---===//

mlir::LogicalResult PairGatherOp::inferReturnTypes(mlir::MLIRContext* context,
                                                   MaybeLocation location, Adaptor adaptor,
                                                   InferredTypes& inferred) {
  if (failed(checkRowAnd({location, getOperationName()}, "(C1) operand", adaptor.getX(),
                         AxisKind::Member, "[row, member]")))
    return failure();
  inferred.push_back(ValueType::get(context, {Axis::row(), Axis::pair()}));
  return success();
}

mlir::LogicalResult PairScatterOp::inferReturnTypes(mlir::MLIRContext* context,
                                                    MaybeLocation location, Adaptor adaptor,
                                                    InferredTypes& inferred) {
  if (failed(checkRowAnd({location, getOperationName()}, "(C1) operand", adaptor.getX(),
                         AxisKind::Pair, "[row, pair]")))
    return failure();
  inferred.push_back(ValueType::get(context, {Axis::row(), Axis::member()}));
  return success();
}

std::optional<AxisKind> PairGatherOp::getCrossedAxis() { return AxisKind::Member; }
std::optional<AxisKind> PairScatterOp::getCrossedAxis() { return AxisKind::Pair; }

void PairGatherOp::buildVjp(mlir::OpBuilder& builder, Value cotangent, Active active,
                            Pulled pulled) {
  TermBuilder t(builder, getLoc());
  if (active[0]) pulled[0] = t.pairScatter(cotangent, getSide());
}

void PairScatterOp::buildVjp(mlir::OpBuilder& builder, Value cotangent, Active active,
                             Pulled pulled) {
  TermBuilder t(builder, getLoc());
  if (active[0]) pulled[0] = t.pairGather(cotangent, getSide());
}

// Calls fn(pair, member) for every pair of every row, in order, and the member on its side; both
// count over the whole batch.
static void forEachPair(PairSide side, const EvaluationContext& context,
                        llvm::function_ref<void(int64_t pair, int64_t member)> fn) {
  std::vector<int64_t> members = spansOf({Axis::row(), Axis::member()}, context);
  int64_t pair = 0;
  for (size_t row = 0; row + 1 < members.size(); ++row)
    for (int64_t i = members[row]; i < members[row + 1]; ++i)
      for (int64_t j = i + 1; j < members[row + 1]; ++j)
        fn(pair++, side == PairSide::First ? i : j);
}

RealTensor PairGatherOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  forEachPair(getSide(), context,
              [&](int64_t pair, int64_t member) { result.data[pair] = operands[0]->data[member]; });
  return result;
}

RealTensor PairScatterOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  forEachPair(getSide(), context, [&](int64_t pair, int64_t member) {
    result.data[member] += operands[0]->data[pair];
  });
  return result;
}

}  // namespace alidade::pref
