#include "compiler/conversion/RowKernel.h"

#include <cstddef>
#include <limits>

#include "compiler/conversion/Emitter.h"
#include "compiler/runtime/abi.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace alidade::pref {
namespace {

using arith::CmpFPredicate;
using arith::CmpIPredicate;

// Independent accumulators per loop: hides the latency of the add and of the compare.
constexpr int64_t kUnroll = 4;
// Iterations of the unrolled loop whose exponentials are summed in f32 before they enter the f64
// sum: a lane adds at most this many values in [0, 1], so its rounding stays near 1e-6 whatever the
// vocabulary.
constexpr int64_t kBlockIterations = 32;
// exp(x) is taken as 0 below this. exp(-70) = 4e-31 does not move an f32 sum that is at least 1,
// and after division by the sum of a million entries it is still normal: no slow denormals reach
// the GEMM that reads the gradient.
constexpr double kFlushBelow = -70.0;
// exp(r) on |r| <= ln(2) / 2, minimax with the first two coefficients held at 1 (exp(0) is exactly
// 1): relative error 1.8e-8 with coefficients rounded to f32.
constexpr double kExpCoefficients[] = {1.0,
                                       1.0,
                                       0.4999999419162579,
                                       0.1666643080008902,
                                       0.04166800473033489,
                                       0.008374195636784935,
                                       0.0013843606484893578};
// Adding this rounds an f32 of magnitude below 2^22 to an integer and leaves that integer, plus the
// exponent bias of f32, in the low bits.
constexpr double kRoundToBiasedInt = 12582912.0 + 127.0;

class RowKernel {
 public:
  // `arguments` points to an AlidadeRowArgs.
  RowKernel(Emitter& e, Value arguments, int64_t lanes)
      : e(e),
        logits(field(e, arguments, offsetof(AlidadeRowArgs, logits), e.pointer())),
        rows(field(e, arguments, offsetof(AlidadeRowArgs, rows), e.i64())),
        vocab(field(e, arguments, offsetof(AlidadeRowArgs, vocab), e.i64())),
        stride(field(e, arguments, offsetof(AlidadeRowArgs, stride), e.i64())),
        labels(field(e, arguments, offsetof(AlidadeRowArgs, labels), e.pointer())),
        logp(field(e, arguments, offsetof(AlidadeRowArgs, reads), e.pointer())),
        gradient(field(e, arguments, offsetof(AlidadeRowArgs, mode), e.i32())),
        lanes(lanes),
        vectorType(VectorType::get({lanes}, e.f32())) {}

  void emit() {
    one = e.index(1);
    zero = e.index(0);
    width = e.index(lanes);
    unrolledWidth = e.index(lanes * kUnroll);
    vectorEnd = e.sub(vocab, e.remainder(vocab, width));
    unrolledEnd = e.sub(vocab, e.remainder(vocab, unrolledWidth));
    hasTail = e.compareInt(CmpIPredicate::slt, vectorEnd, vocab);
    tailMask = emitTailMask();
    wantsGradient = e.compareInt(CmpIPredicate::ne, gradient, e.constantInt(e.i32(), 0));
    e.loop(zero, rows, one, {}, [&](Value row, ValueRange) -> SmallVector<Value> {
      emitRow(row);
      return {};
    });
  }

 private:
  static Value field(Emitter& e, Value arguments, size_t offset, Type type) {
    return e.load(type, e.address(arguments, e.index(offset), e.builder.getI8Type()),
                  type == e.i32() ? 4 : 8);
  }

  Emitter& e;
  const Value logits, rows, vocab, stride, labels, logp, gradient;
  const int64_t lanes;
  const VectorType vectorType;
  Value zero, one, width, unrolledWidth, vectorEnd, unrolledEnd, hasTail, tailMask, wantsGradient;
  Value base;

  Value emitTailMask() {
    SmallVector<int32_t> positions(lanes);
    for (int64_t i = 0; i < lanes; ++i) positions[i] = static_cast<int32_t>(i);
    Value iota = arith::ConstantOp::create(
        e.builder, e.loc,
        DenseElementsAttr::get(VectorType::get({lanes}, e.i32()), ArrayRef<int32_t>(positions)));
    Value left = arith::TruncIOp::create(e.builder, e.loc, e.i32(), e.sub(vocab, vectorEnd));
    return e.compareInt(CmpIPredicate::slt, iota, e.splat(left, lanes));
  }

  Value at(Value position) { return e.address(base, position, e.f32()); }
  Value loadVector(Value position) { return e.load(vectorType, at(position), sizeof(float)); }

  // The last vocab % lanes logits; `fill` elsewhere.
  Value loadTail(double fill) {
    return LLVM::MaskedLoadOp::create(e.builder, e.loc, vectorType, at(vectorEnd), tailMask,
                                      e.constant(vectorType, fill),
                                      e.builder.getI32IntegerAttr(sizeof(float)),
                                      /*nontemporal=*/nullptr);
  }

  void storeTail(Value value) {
    LLVM::MaskedStoreOp::create(e.builder, e.loc, value, at(vectorEnd), tailMask,
                                e.builder.getI32IntegerAttr(sizeof(float)));
  }

  void emitRow(Value row) {
    base = e.address(logits, e.mul(row, stride), e.f32());
    Value label = e.load(e.i64(), e.address(labels, row, e.i64()), sizeof(int64_t));
    Value target = e.load(e.f32(), at(label), sizeof(float));
    Value maximum = emitMaximum();
    Value sum = e.branch(
        wantsGradient, e.f64(),
        [&]() -> SmallVector<Value> { return {emitSum(maximum, /*keep=*/true)}; },
        [&]() -> SmallVector<Value> { return {emitSum(maximum, /*keep=*/false)}; })[0];
    Value shifted = e.sub(e.extend(target), e.extend(maximum));
    Value result = e.sub(shifted, math::LogOp::create(e.builder, e.loc, sum));
    e.store(e.truncate(result), e.address(logp, row, e.f32()), sizeof(float));
    e.branch(wantsGradient, {}, [&]() -> SmallVector<Value> {
      emitScale(e.truncate(e.div(e.constant(e.f64(), -1.0), sum)));
      e.store(e.add(e.load(e.f32(), at(label), sizeof(float)), e.constant(e.f32(), 1.0)), at(label),
              sizeof(float));
      return {};
    });
  }

  // Largest logit of the row. A NaN is passed over here and shows in the sum.
  Value emitMaximum() {
    Value lowest = e.constant(vectorType, -std::numeric_limits<double>::infinity());
    SmallVector<Value> lanesMax(kUnroll, lowest);
    lanesMax = e.loop(zero, unrolledEnd, unrolledWidth, lanesMax, [&](Value k, ValueRange seen) {
      SmallVector<Value> next;
      for (int64_t j = 0; j < kUnroll; ++j)
        next.push_back(e.greater(loadVector(e.add(k, e.index(j * lanes))), seen[j]));
      return next;
    });
    Value merged =
        e.greater(e.greater(lanesMax[0], lanesMax[1]), e.greater(lanesMax[2], lanesMax[3]));
    merged = e.loop(unrolledEnd, vectorEnd, width, merged,
                    [&](Value k, ValueRange seen) -> SmallVector<Value> {
                      return {e.greater(loadVector(k), seen[0])};
                    })[0];
    merged = e.branch(
        hasTail, vectorType,
        [&]() -> SmallVector<Value> {
          return {e.greater(loadTail(-std::numeric_limits<double>::infinity()), merged)};
        },
        [&]() -> SmallVector<Value> { return {merged}; })[0];
    return reduce(vector::CombiningKind::MAXNUMF, merged, arith::FastMathFlags::nnan);
  }

  Value reduce(vector::CombiningKind kind, Value value, arith::FastMathFlags flags) {
    return vector::ReductionOp::create(e.builder, e.loc, kind, value, flags);
  }

  Value reduceSum(Value value) {
    return e.extend(reduce(vector::CombiningKind::ADD, value, arith::FastMathFlags::reassoc));
  }

  // exp(x - maximum); exactly 1 at the maximum, 0 below kFlushBelow.
  Value emitExp(Value x, Value maximum) {
    Value d = e.sub(x, maximum);
    Value biased = e.fma(d, e.like(d, 1.4426950408889634), e.like(d, kRoundToBiasedInt));
    Value n = e.sub(biased, e.like(d, kRoundToBiasedInt));
    Value r = e.fma(n, e.like(d, -0.6931471805599453), d);
    Value scale = e.bitsToFloat(e.shiftLeft(e.floatToBits(biased), 23));
    Value value = e.mul(e.horner(r, kExpCoefficients), scale);
    return e.select(e.compare(CmpFPredicate::OLT, d, e.like(d, kFlushBelow)), e.like(d, 0.0),
                    value);
  }

  // Sum of exp(x - maximum) over the row, f64; `keep` overwrites the row by the exponentials.
  Value emitSum(Value maximum, bool keep) {
    Value top = e.splat(maximum, lanes);
    Value nothing = e.constant(vectorType, 0.0);
    auto step = [&](Value k) {
      Value value = emitExp(loadVector(k), top);
      if (keep) e.store(value, at(k), sizeof(float));
      return value;
    };
    Value block = e.index(lanes * kUnroll * kBlockIterations);
    Value sum = e.loop(
        zero, unrolledEnd, block, e.constant(e.f64(), 0.0), [&](Value begin, ValueRange outer) {
          Value end = arith::MinSIOp::create(e.builder, e.loc, e.add(begin, block), unrolledEnd);
          SmallVector<Value> sums(kUnroll, nothing);
          sums = e.loop(begin, end, unrolledWidth, sums, [&](Value k, ValueRange inner) {
            SmallVector<Value> next;
            for (int64_t j = 0; j < kUnroll; ++j)
              next.push_back(e.add(inner[j], step(e.add(k, e.index(j * lanes)))));
            return next;
          });
          Value merged = e.add(e.add(sums[0], sums[1]), e.add(sums[2], sums[3]));
          return SmallVector<Value>{e.add(outer[0], reduceSum(merged))};
        })[0];
    Value rest = e.loop(unrolledEnd, vectorEnd, width, nothing,
                        [&](Value k, ValueRange inner) -> SmallVector<Value> {
                          return {e.add(inner[0], step(k))};
                        })[0];
    rest = e.branch(
        hasTail, vectorType,
        [&]() -> SmallVector<Value> {
          Value value = emitExp(loadTail(-std::numeric_limits<double>::infinity()), top);
          if (keep) storeTail(value);
          return {e.add(rest, value)};
        },
        [&]() -> SmallVector<Value> { return {rest}; })[0];
    return e.add(sum, reduceSum(rest));
  }

  // Multiplies the row by `factor`.
  void emitScale(Value factor) {
    Value factors = e.splat(factor, lanes);
    auto step = [&](Value k) { e.store(e.mul(loadVector(k), factors), at(k), sizeof(float)); };
    e.loop(zero, unrolledEnd, unrolledWidth, {}, [&](Value k, ValueRange) -> SmallVector<Value> {
      for (int64_t j = 0; j < kUnroll; ++j) step(e.add(k, e.index(j * lanes)));
      return {};
    });
    e.loop(unrolledEnd, vectorEnd, width, {}, [&](Value k, ValueRange) -> SmallVector<Value> {
      step(k);
      return {};
    });
    e.branch(hasTail, {}, [&]() -> SmallVector<Value> {
      storeTail(e.mul(loadTail(0.0), factors));
      return {};
    });
  }
};

}  // namespace

void buildRowKernel(ModuleOp module, StringRef name, int64_t lanes) {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  Location loc = builder.getUnknownLoc();
  Emitter e(builder, loc);
  auto type = builder.getFunctionType({e.pointer()}, {});
  auto function = func::FuncOp::create(builder, loc, name, type);
  builder.setInsertionPointToEnd(function.addEntryBlock());
  RowKernel(e, function.getArgument(0), lanes).emit();
  func::ReturnOp::create(builder, loc);
}

}  // namespace alidade::pref
