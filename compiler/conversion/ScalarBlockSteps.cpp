// Array steps: operations that see all points of an axis at once. Operands and results are in
// memory. Addresses and counts are computed before a loop begins: what a loop here computes belongs
// to no frame.

#include <limits>

#include "compiler/conversion/ScalarBlockBase.h"

using namespace mlir;

namespace alidade::pref {

using arith::CmpFPredicate;
using arith::CmpIPredicate;

void ScalarBlockBase::emitStep(Operation* op) {
  if (isa<SortOp, UnsortOp>(op)) emitOrdered(op);
  if (auto scan = dyn_cast<ScanOp>(op)) emitScan(scan);
  if (auto sum = dyn_cast<SegmentSumOp>(op)) emitSegmentSum(sum);
  if (auto scatter = dyn_cast<PairScatterOp>(op)) emitPairScatter(scatter);
}

// An integer that orders as the number does: -0 equals 0, every NaN is the same and comes last.
static Value orderOf(Emitter& e, Value x) {
  x = e.add(x, e.constant(e.f64(), 0.0));
  Value nan = e.constant(e.f64(), std::numeric_limits<double>::quiet_NaN());
  Value bits = e.floatToBits(e.select(e.compare(CmpFPredicate::UNO, x, x), nan, x));
  Value negative = e.shiftRight(bits, 63);
  return e.bitXor(bits, e.bitAnd(negative, e.index(std::numeric_limits<int64_t>::max())));
}

// How many points come before `index` in a stable ascending order.
Value ScalarBlockBase::rank(const Array& order, const Bounds& points, Value index) {
  const Value own = orderOf(e, loadPoint(order, index));
  return e.loop(points.begin, points.end, e.index(1), {e.index(0)},
                [&](Value other, ValueRange rank) -> SmallVector<Value> {
                  Value number = orderOf(e, loadPoint(order, other));
                  Value less = e.compareInt(CmpIPredicate::slt, number, own);
                  Value equal = e.compareInt(CmpIPredicate::eq, number, own);
                  Value earlier = e.compareInt(CmpIPredicate::slt, other, index);
                  Value before = e.bitOr(less, e.bitAnd(equal, earlier));
                  return {e.add(rank[0], e.select(before, e.index(1), e.index(0)))};
                })[0];
}

// Every point finds its own rank: quadratic in the points, but without any order among them, so
// that threads share the work and vectors compare several points at once.
void ScalarBlockBase::emitOrdered(Operation* op) {
  ArrayRef<Axis> axes = axesOf(op->getResult(0));
  auto sort = dyn_cast<SortOp>(op);
  const Array order = arrayOf(sort ? sort.getOrder() : cast<UnsortOp>(op).getKey());
  const Array from = arrayOf(op->getOperand(0)), to = arrayOf(op->getResult(0));
  const Bounds points = boundsOf(axes);
  const Range range = shareOf(axes.size() == 1 ? Sharing::kBatchPoints : Sharing::kRowPoints,
                              points.begin, points.end);
  e.loop(range.begin, range.end, range.step, {},
         [&](Value index, ValueRange) -> SmallVector<Value> {
           const Value ranked = e.add(points.begin, rank(order, points, index));
           const Value source = sort ? index : ranked, target = sort ? ranked : index;
           e.store(loadPoint(from, source), e.address(to.base, target, e.f64()), sizeof(double));
           return {};
         });
}

void ScalarBlockBase::emitScan(ScanOp op) {
  const Array from = arrayOf(op.getX()), to = arrayOf(op.getResult());
  const Bounds points = boundsOf(axesOf(op.getResult()));
  const Value decay = get(op.getDecay());
  scan(
      points.begin, points.end, decay, op.getReverse(),
      [&](Value index) { return loadPoint(from, index); },
      [&](Value value, Value index) {
        e.store(value, e.address(to.base, index, e.f64()), sizeof(double));
      });
}

void ScalarBlockBase::emitSegmentSum(SegmentSumOp op) {
  const Array from = arrayOf(op.getX()), ids = arrayOf(op.getIds()), to = arrayOf(op.getResult());
  const Bounds points = boundsOf(axesOf(op.getX())), segments = boundsOf(axesOf(op.getResult()));
  const Value count = e.sub(segments.end, segments.begin), zero = e.constant(e.f64(), 0.0);
  auto slot = [&](Value index) { return e.address(to.base, index, e.f64()); };
  const Range range = shareOf(Sharing::kRowPoints, segments.begin, segments.end);
  e.loop(range.begin, range.end, range.step, {},
         [&](Value segment, ValueRange) -> SmallVector<Value> {
           Value sum = zero;
           if (!isAlone()) {
             // Every thread adds up its own segments, in the order of the tokens.
             Value own = e.intToFloat(e.sub(segment, segments.begin), e.f64());
             Value next = e.add(own, e.constant(e.f64(), 1.0));
             sum = e.loop(points.begin, points.end, e.index(1), {zero},
                          [&](Value index, ValueRange sums) -> SmallVector<Value> {
                            Value id = loadPoint(ids, index);
                            Value added = e.add(sums[0], loadPoint(from, index));
                            Value isOwn = e.bitAnd(e.compare(CmpFPredicate::OGE, id, own),
                                                   e.compare(CmpFPredicate::OLT, id, next));
                            return {e.select(isOwn, added, sums[0])};
                          })[0];
           }
           e.store(sum, slot(segment), sizeof(double));
           return {};
         });
  if (!isAlone()) return;
  e.loop(points.begin, points.end, e.index(1), {},
         [&](Value index, ValueRange) -> SmallVector<Value> {
           Value id = loadPoint(ids, index), x = loadPoint(from, index);
           e.branch(isIndex(id, count), {}, [&]() -> SmallVector<Value> {
             Value target = slot(e.add(segments.begin, e.floatToInt(id)));
             e.store(e.add(e.load(e.f64(), target, sizeof(double)), x), target, sizeof(double));
             return {};
           });
           return {};
         });
}

void ScalarBlockBase::emitPairScatter(PairScatterOp op) {
  const Array from = arrayOf(op.getX()), to = arrayOf(op.getResult());
  const Bounds members = boundsOf(axesOf(op.getResult())), pairs = boundsOf(axesOf(op.getX()));
  const Value count = e.sub(members.end, members.begin), one = e.index(1);
  const bool isFirst = op.getSide() == PairSide::First;
  const Range range = shareOf(Sharing::kRowPoints, members.begin, members.end);
  e.loop(range.begin, range.end, range.step, {},
         [&](Value index, ValueRange) -> SmallVector<Value> {
           const Value member = e.sub(index, members.begin);
           // The other member of the pairs that count: j > i, or i < j.
           const Value begin = isFirst ? e.add(member, one) : e.index(0);
           const Value end = isFirst ? count : member;
           Value sum = e.loop(begin, end, one, {e.constant(e.f64(), 0.0)},
                              [&](Value other, ValueRange sums) -> SmallVector<Value> {
                                Value i = isFirst ? member : other, j = isFirst ? other : member;
                                Value pair = e.sub(e.add(firstPairOf(i, count), e.sub(j, i)), one);
                                return {e.add(sums[0], loadPoint(from, e.add(pairs.begin, pair)))};
                              })[0];
           e.store(sum, e.address(to.base, index, e.f64()), sizeof(double));
           return {};
         });
}

}  // namespace alidade::pref
