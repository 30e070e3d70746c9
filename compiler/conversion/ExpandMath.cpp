#include "compiler/conversion/ExpandMath.h"

#include <limits>

#include "compiler/conversion/Emitter.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace alidade::pref {
namespace {

using arith::CmpFPredicate;

constexpr double kLog2E = 1.4426950408889634;
// ln 2 = high + low; high has 21 trailing zero bits, so that n * high is exact for |n| < 2^21.
constexpr double kLn2High = 0x1.62e42feep-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
// Adding this rounds an f64 of magnitude below 2^51 to an integer and leaves that integer in the
// low bits.
constexpr double kRoundToInt = 0x1.8p52;
constexpr int64_t kExponentBits = 52;
constexpr int64_t kExponentBias = 1023;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// 1 / k!, k = 0 ..: on |r| <= 1/2 the first omitted term is below 1e-17.
constexpr double kInverseFactorials[] = {1.0,
                                         1.0,
                                         1.0 / 2,
                                         1.0 / 6,
                                         1.0 / 24,
                                         1.0 / 120,
                                         1.0 / 720,
                                         1.0 / 5040,
                                         1.0 / 40320,
                                         1.0 / 362880,
                                         1.0 / 3628800,
                                         1.0 / 39916800,
                                         1.0 / 479001600,
                                         1.0 / 6227020800,
                                         1.0 / 87178291200,
                                         1.0 / 1307674368000};

// 2^n for an integer n in [-1022, 1023].
Value powerOfTwo(Emitter& e, Value n) {
  return e.bitsToFloat(e.shiftLeft(e.add(n, e.likeInt(n, kExponentBias)), kExponentBits));
}

Value clamp(Emitter& e, Value x, double low, double high) {
  x = e.select(e.compare(CmpFPredicate::OLT, x, e.like(x, low)), e.like(x, low), x);
  return e.select(e.compare(CmpFPredicate::OGT, x, e.like(x, high)), e.like(x, high), x);
}

// x = n ln 2 + r; exp(x) = 2^n exp(r). Two factors carry 2^n, so that results may be denormal or
// infinite.
Value expandExp(Emitter& e, Value x) {
  Value bounded = clamp(e, x, -746.0, 710.0);
  Value shifted = e.fma(bounded, e.like(x, kLog2E), e.like(x, kRoundToInt));
  Value rounded = e.sub(shifted, e.like(x, kRoundToInt));
  Value r = e.fma(rounded, e.like(x, -kLn2High), bounded);
  r = e.fma(rounded, e.like(x, -kLn2Low), r);
  Value bits = e.floatToBits(shifted);
  Value n = e.sub(bits, e.likeInt(bits, llvm::bit_cast<int64_t>(kRoundToInt)));
  Value half = e.shiftRight(n, 1);
  Value value = e.horner(r, ArrayRef<double>(kInverseFactorials).drop_back(1));
  return e.mul(e.mul(value, powerOfTwo(e, half)), powerOfTwo(e, e.sub(n, half)));
}

// Small arguments by their series, which keeps the relative precision that exp(x) - 1 loses there.
Value expandExpm1(Emitter& e, Value x) {
  Value series = e.mul(x, e.horner(x, ArrayRef<double>(kInverseFactorials).drop_front(1)));
  Value difference = e.sub(expandExp(e, x), e.like(x, 1.0));
  return e.select(e.compare(CmpFPredicate::OLT, e.abs(x), e.like(x, 0.5)), series, difference);
}

// x = 2^k m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(s), s = (m - 1) / (m + 1).
Value expandLog(Emitter& e, Value x) {
  Value tiny = e.compare(CmpFPredicate::OLT, x, e.like(x, std::numeric_limits<double>::min()));
  Value bits = e.floatToBits(e.select(tiny, e.mul(x, e.like(x, 0x1p54)), x));
  Value k = e.shiftRight(e.sub(bits, e.likeInt(bits, llvm::bit_cast<int64_t>(0.7071067811865476))),
                         kExponentBits);
  Value m = e.bitsToFloat(e.sub(bits, e.shiftLeft(k, kExponentBits)));
  Value exponent = e.sub(e.intToFloat(k, e.f64()), e.select(tiny, e.like(x, 54.0), e.like(x, 0.0)));
  Value f = e.sub(m, e.like(x, 1.0));
  Value s = e.div(f, e.add(m, e.like(x, 1.0)));
  Value z = e.mul(s, s);
  // 2 / (2 j + 1), j = 1 ..: z <= 0.0295, so that the first omitted term is below 1e-17 of the
  // leading one.
  SmallVector<double> tail;
  for (int j = 1; j <= 10; ++j) tail.push_back(2.0 / (2 * j + 1));
  // 2 s = f - s f: the leading term f is exact, which keeps full precision near 1.
  Value correction = e.mul(s, e.sub(e.mul(z, e.horner(z, tail)), f));
  Value mantissa = e.add(f, e.fma(exponent, e.like(x, kLn2Low), correction));
  Value value = e.fma(exponent, e.like(x, kLn2High), mantissa);
  value = e.select(e.compare(CmpFPredicate::OEQ, x, e.like(x, 0.0)), e.like(x, -kInfinity), value);
  value = e.select(e.compare(CmpFPredicate::ULT, x, e.like(x, 0.0)), e.like(x, kNaN), value);
  return e.select(e.compare(CmpFPredicate::OEQ, x, e.like(x, kInfinity)), x, value);
}

// log(w) of the rounded w = 1 + x, plus the first-order effect of the rounding.
Value expandLog1p(Emitter& e, Value x) {
  Value one = e.like(x, 1.0);
  Value w = e.add(one, x);
  Value lost = e.div(e.sub(x, e.sub(w, one)), w);
  Value usable = e.compare(CmpFPredicate::OLT, e.abs(lost), one);  // false for w = 0 and w = inf
  return e.add(expandLog(e, w), e.select(usable, lost, e.like(x, 0.0)));
}

template <typename Op, Value (*expand)(Emitter&, Value)>
struct Expand : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op, PatternRewriter& rewriter) const override {
    if (!op.getType().isF64()) return rewriter.notifyMatchFailure(op, "not f64");
    Emitter e(rewriter, op.getLoc());
    rewriter.replaceOp(op, expand(e, op.getOperand()));
    return success();
  }
};

struct ExpandMathPass : PassWrapper<ExpandMathPass, OperationPass<>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandMathPass)

  StringRef getArgument() const final { return "alidade-expand-math"; }
  StringRef getDescription() const final {
    return "rewrite f64 exp, expm1, log and log1p as polynomials";
  }
  void getDependentDialects(DialectRegistry& registry) const final {
    registry.insert<arith::ArithDialect, math::MathDialect>();
  }

  void runOnOperation() final {
    RewritePatternSet patterns(&getContext());
    patterns.add<Expand<math::ExpOp, expandExp>, Expand<math::ExpM1Op, expandExpm1>,
                 Expand<math::LogOp, expandLog>, Expand<math::Log1pOp, expandLog1p>>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) signalPassFailure();
  }
};

}  // namespace

std::unique_ptr<Pass> createExpandMathPass() { return std::make_unique<ExpandMathPass>(); }

}  // namespace alidade::pref
