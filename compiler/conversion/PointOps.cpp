#include "compiler/conversion/PointOps.h"

#include <limits>

#include "compiler/dialect/pref/Pref.h"
#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace alidade::pref {
namespace {

using arith::CmpFPredicate;

constexpr double kLn2 = 0.6931471805599453;

Value exp(Emitter& e, Value x) { return math::ExpOp::create(e.builder, e.loc, x); }
Value expm1(Emitter& e, Value x) { return math::ExpM1Op::create(e.builder, e.loc, x); }
Value log(Emitter& e, Value x) { return math::LogOp::create(e.builder, e.loc, x); }
Value log1p(Emitter& e, Value x) { return math::Log1pOp::create(e.builder, e.loc, x); }

// Comparisons are written so that a NaN in the first operand survives.
Value smaller(Emitter& e, Value a, Value b) {
  return e.select(e.compare(CmpFPredicate::OLT, b, a), b, a);
}
Value larger(Emitter& e, Value a, Value b) {
  return e.select(e.compare(CmpFPredicate::OGT, b, a), b, a);
}

Value indicator(Emitter& e, Value condition) {
  return e.select(condition, e.constant(e.f64(), 1.0), e.constant(e.f64(), 0.0));
}

// log(1 + exp(-|x|)), in (0, log 2].
Value logOnePlusExpOfMinusAbs(Emitter& e, Value x) { return log1p(e, exp(e, e.neg(e.abs(x)))); }

Value sigmoid(Emitter& e, Value x) {
  Value one = e.like(x, 1.0);
  return e.div(one, e.add(one, exp(e, e.neg(x))));
}

Value logAddExp(Emitter& e, Value a, Value b) {
  Value sum = e.add(larger(e, a, b), logOnePlusExpOfMinusAbs(e, e.sub(a, b)));
  return e.select(e.compare(CmpFPredicate::OEQ, a, b), e.add(a, e.like(a, kLn2)), sum);
}

Value log1mExp(Emitter& e, Value x) {
  Value near = log(e, e.neg(expm1(e, x)));
  Value far = log1p(e, e.neg(exp(e, x)));
  return e.select(e.compare(CmpFPredicate::OGT, x, e.like(x, -kLn2)), near, far);
}

Value sign(Emitter& e, Value x) {
  Value zero = e.like(x, 0.0);
  return e.sub(indicator(e, e.compare(CmpFPredicate::OGT, x, zero)),
               indicator(e, e.compare(CmpFPredicate::OLT, x, zero)));
}

// IEEE 754 pow: |a|^b with the sign of an odd integer power; NaN for a negative base and a
// fractional exponent.
Value pow(Emitter& e, Value a, Value b) {
  Value zero = e.like(a, 0.0), one = e.like(a, 1.0);
  auto floor = [&](Value x) -> Value { return math::FloorOp::create(e.builder, e.loc, x); };
  Value magnitude = exp(e, e.mul(b, log(e, e.abs(a))));
  Value half = e.mul(b, e.like(b, 0.5));
  Value odd = e.compare(CmpFPredicate::ONE, half, floor(half));
  Value integer = e.compare(CmpFPredicate::OEQ, b, floor(b));
  Value signedValue = e.select(odd, e.neg(magnitude), magnitude);
  Value nan = e.like(a, std::numeric_limits<double>::quiet_NaN());
  Value negative = e.select(integer, signedValue, nan);
  Value value = e.select(e.compare(CmpFPredicate::OLT, a, zero), negative, magnitude);
  value = e.select(e.compare(CmpFPredicate::OEQ, a, one), one, value);
  return e.select(e.compare(CmpFPredicate::OEQ, b, zero), one, value);
}

CmpFPredicate toArith(Predicate predicate) {
  switch (predicate) {
    case Predicate::Eq:
      return CmpFPredicate::OEQ;
    case Predicate::Ne:
      return CmpFPredicate::UNE;
    case Predicate::Lt:
      return CmpFPredicate::OLT;
    case Predicate::Le:
      return CmpFPredicate::OLE;
    case Predicate::Gt:
      return CmpFPredicate::OGT;
    case Predicate::Ge:
      return CmpFPredicate::OGE;
  }
  llvm_unreachable("every predicate is handled");
}

Value emitUnary(Emitter& e, Operation* op, Value x) {
  return llvm::TypeSwitch<Operation*, Value>(op)
      .Case([&](NegOp) { return e.neg(x); })
      .Case([&](AbsOp) { return e.abs(x); })
      .Case([&](SquareOp) { return e.mul(x, x); })
      .Case([&](SqrtOp) { return e.sqrt(x); })
      .Case([&](ExpOp) { return exp(e, x); })
      .Case([&](LogOp) { return log(e, x); })
      .Case([&](Log1pOp) { return log1p(e, x); })
      .Case([&](Expm1Op) { return expm1(e, x); })
      .Case([&](SigmoidOp) { return sigmoid(e, x); })
      .Case([&](LogSigmoidOp) {
        return e.sub(smaller(e, x, e.like(x, 0.0)), logOnePlusExpOfMinusAbs(e, x));
      })
      .Case([&](SoftplusOp) {
        return e.add(larger(e, x, e.like(x, 0.0)), logOnePlusExpOfMinusAbs(e, x));
      })
      .Case([&](Log1mExpOp) { return log1mExp(e, x); })
      .Case([&](ReluOp) { return e.greater(x, e.like(x, 0.0)); })
      .Case([&](SignOp) { return sign(e, x); })
      .Case<StopGradientOp, BroadcastOp>([&](Operation*) { return x; })
      .Default([](Operation*) { return Value(); });
}

Value emitBinary(Emitter& e, Operation* op, Value a, Value b) {
  return llvm::TypeSwitch<Operation*, Value>(op)
      .Case([&](AddOp) { return e.add(a, b); })
      .Case([&](SubOp) { return e.sub(a, b); })
      .Case([&](MulOp) { return e.mul(a, b); })
      .Case([&](DivOp) { return e.div(a, b); })
      .Case([&](MinOp) { return smaller(e, a, b); })
      .Case([&](MaxOp) { return larger(e, a, b); })
      .Case([&](PowOp) { return pow(e, a, b); })
      .Case([&](LogAddExpOp) { return logAddExp(e, a, b); })
      .Case([&](CompareOp compare) {
        return indicator(e, e.compare(toArith(compare.getPredicate()), a, b));
      })
      .Default([](Operation*) { return Value(); });
}

Value emitTernary(Emitter& e, Operation* op, Value a, Value b, Value c) {
  return llvm::TypeSwitch<Operation*, Value>(op)
      .Case(
          [&](WhereOp) { return e.select(e.compare(CmpFPredicate::UNE, a, e.like(a, 0.0)), b, c); })
      .Case([&](ClampOp) { return smaller(e, larger(e, a, b), c); })
      .Default([](Operation*) { return Value(); });
}

}  // namespace

Value emitPoint(Emitter& e, Operation* op, ValueRange operands) {
  Value value;
  if (auto constant = dyn_cast<ConstantOp>(op)) value = e.constant(e.f64(), constant.getNumber());
  if (operands.size() == 1) value = emitUnary(e, op, operands[0]);
  if (operands.size() == 2) value = emitBinary(e, op, operands[0], operands[1]);
  if (operands.size() == 3) value = emitTernary(e, op, operands[0], operands[1], operands[2]);
  if (!value)
    op->emitError() << "no lowering to arith: the scalar block does not know this operation";
  return value;
}

// The finaliser of splitmix64. Constants above 2^63 are written as the i64 of the same bits.
Value emitUniform(Emitter& e, Value seed, Value point) {
  auto constant = [&](uint64_t bits) { return e.index(static_cast<int64_t>(bits)); };
  auto mixed = [&](Value x, int64_t bits) { return e.bitXor(x, e.shiftRightLogical(x, bits)); };
  // An integer in all cases: beyond 2^62 the conversion would be undefined.
  seed = smaller(e, larger(e, seed, e.like(seed, -0x1p62)), e.like(seed, 0x1p62));
  seed = e.select(e.compare(CmpFPredicate::UNO, seed, seed), e.like(seed, 0.0), seed);
  Value x = e.mul(e.floatToInt(seed), constant(0x9E3779B97F4A7C15));
  x = e.add(x, e.add(point, e.index(1)));
  x = e.mul(mixed(x, 30), constant(0xBF58476D1CE4E5B9));
  x = e.mul(mixed(x, 27), constant(0x94D049BB133111EB));
  Value top = e.intToFloat(e.shiftRightLogical(mixed(x, 31), 11), e.f64());
  return e.mul(e.add(top, e.constant(e.f64(), 0.5)), e.constant(e.f64(), 0x1p-53));
}

}  // namespace alidade::pref
