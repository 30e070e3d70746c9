#include "compiler/dialect/pref/TermBuilder.h"

#include "compiler/dialect/pref/Pref.h"

namespace alidade::pref {

using mlir::Value;

Value TermBuilder::constant(double value) {
  return ConstantOp::create(builder, loc, builder.getF64FloatAttr(value));
}
Value TermBuilder::neg(Value x) { return NegOp::create(builder, loc, x); }
Value TermBuilder::sign(Value x) { return SignOp::create(builder, loc, x); }
Value TermBuilder::square(Value x) { return SquareOp::create(builder, loc, x); }
Value TermBuilder::sqrt(Value x) { return SqrtOp::create(builder, loc, x); }
Value TermBuilder::abs(Value x) { return AbsOp::create(builder, loc, x); }
Value TermBuilder::relu(Value x) { return ReluOp::create(builder, loc, x); }
Value TermBuilder::clamp(Value x, Value low, Value high) {
  return ClampOp::create(builder, loc, x, low, high);
}
Value TermBuilder::exp(Value x) { return ExpOp::create(builder, loc, x); }
Value TermBuilder::expm1(Value x) { return Expm1Op::create(builder, loc, x); }
Value TermBuilder::log(Value x) { return LogOp::create(builder, loc, x); }
Value TermBuilder::sigmoid(Value x) { return SigmoidOp::create(builder, loc, x); }
Value TermBuilder::add(Value a, Value b) { return AddOp::create(builder, loc, a, b); }
Value TermBuilder::sub(Value a, Value b) { return SubOp::create(builder, loc, a, b); }
Value TermBuilder::mul(Value a, Value b) { return MulOp::create(builder, loc, a, b); }
Value TermBuilder::div(Value a, Value b) { return DivOp::create(builder, loc, a, b); }
Value TermBuilder::max(Value a, Value b) { return MaxOp::create(builder, loc, a, b); }
Value TermBuilder::pow(Value a, Value b) { return PowOp::create(builder, loc, a, b); }
Value TermBuilder::compare(Predicate predicate, Value a, Value b) {
  return CompareOp::create(builder, loc, predicate, a, b);
}
Value TermBuilder::where(Value condition, Value a, Value b) {
  return WhereOp::create(builder, loc, condition, a, b);
}
Value TermBuilder::sum(Value x, AxisKind axis) { return SumOp::create(builder, loc, x, axis); }
Value TermBuilder::mean(Value x, AxisKind axis) { return MeanOp::create(builder, loc, x, axis); }
Value TermBuilder::sort(Value x, Value key, AxisKind axis) {
  return SortOp::create(builder, loc, x, key, axis);
}
Value TermBuilder::unsort(Value x, Value key, AxisKind axis) {
  return UnsortOp::create(builder, loc, x, key, axis);
}
Value TermBuilder::scan(Value x, Value decay, AxisKind axis, bool reverse) {
  return ScanOp::create(builder, loc, x, decay, axis, reverse);
}
Value TermBuilder::segmentSum(Value x, Value ids, Axis segment) {
  return SegmentSumOp::create(builder, loc, x, ids, AxisAttr::get(builder.getContext(), segment));
}
Value TermBuilder::segmentGather(Value x, Value ids) {
  return SegmentGatherOp::create(builder, loc, x, ids);
}
Value TermBuilder::pairGather(Value x, PairSide side) {
  return PairGatherOp::create(builder, loc, x, side);
}
Value TermBuilder::pairScatter(Value x, PairSide side) {
  return PairScatterOp::create(builder, loc, x, side);
}
Value TermBuilder::position(Axis axis) {
  return PositionOp::create(builder, loc, AxisAttr::get(builder.getContext(), axis));
}
Value TermBuilder::uniform(Value seed, Axis axis) {
  return UniformOp::create(builder, loc, seed, AxisAttr::get(builder.getContext(), axis));
}
Value TermBuilder::count(Axis axis) {
  return CountOp::create(builder, loc, AxisAttr::get(builder.getContext(), axis));
}

Value TermBuilder::broadcast(Value x, llvm::ArrayRef<Axis> axes) {
  if (llvm::cast<ValueType>(x.getType()).getAxes() == axes) return x;
  return BroadcastOp::create(builder, loc, x, AxesAttr::get(builder.getContext(), axes));
}

Value TermBuilder::reduceTo(Value x, llvm::ArrayRef<Axis> axes) {
  while (true) {
    llvm::ArrayRef<Axis> own = llvm::cast<ValueType>(x.getType()).getAxes();
    if (own.size() <= axes.size()) return x;
    x = sum(x, own.back().getKind());
  }
}

}  // namespace alidade::pref
