#include "compiler/conversion/RowMath.h"

#include <limits>

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace alidade::pref {
namespace {

using arith::CmpFPredicate;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// tanh(a) = a + a z P(z), z = a^2, for |a| below the border: relative error 1.7e-8. Above it the
// formula in exp(-2 |a|) loses nothing to cancellation.
constexpr double kTanhBorder = 0.625;
constexpr double kTanhCoefficients[] = {-0.3333332894413396, 0.1333276973696863,
                                        -0.05385090957782976, 0.02099717899676027,
                                        -0.006096714163298222};
// A product of a coefficient and an exponential below this is taken as 0. The smallest normal f32
// is 1.2e-38; the margin is for the factors that a dense gradient has beside the exponential.
constexpr double kSmallestProduct = 1e-34;

bool isLogProb(StringRef op) { return op == "logprob" || op == "logprob_at"; }

// |x|, f32 or vectors of it. On bits: the GPU back end makes a library call of math.absf.
Value magnitudeOf(Emitter& e, Value x) {
  Value bits = e.floatToBits(x);
  Value mask = e.likeInt(bits, 0x7fffffff);
  return e.bitsToFloat(arith::AndIOp::create(e.builder, e.loc, bits, mask));
}

// Null stands for zero.
Value addTerm(Emitter& e, Value sum, Value term) {
  if (!sum || !term) return sum ? sum : term;
  return e.add(sum, term);
}

}  // namespace

RowPlan::RowPlan(const schedule::RowProgram& program) : program(program) {
  partner = program.has_partner();
  auto needs = [&](RowSum sum) {
    if (!has(sum)) sums.push_back(sum);
  };
  bool rowTerm = false, mixTerm = false, otherTerms = false, pointTerms = false;
  for (const schedule::RowRead& read : program.reads) {
    const bool mixes = read.op == "logprob_mix",
               point = read.op == "logit" || read.op == "logit_at";
    if (read.op == "argmax") argmax = true;
    if (mixes) needs(RowSum::kMixExp);
    if (!mixes && !point && read.op != "argmax") needs(RowSum::kExp);
    if (read.op == "entropy") needs(RowSum::kWeighted);
    if (read.op == "collision") needs(RowSum::kSquares);
    if (read.op == "kl_to" || read.op == "kl_from") needs(RowSum::kPartnerExp);
    if (read.op == "kl_to") needs(RowSum::kTo);
    if (read.op == "kl_from") needs(RowSum::kFrom);
    if (!read.gradient) continue;
    (isLogProb(read.op) ? rowTerm : mixes ? mixTerm : point ? pointTerms : otherTerms) = true;
  }
  if (argmax || has(RowSum::kExp)) sources.push_back(kLogitsSource);
  if (has(RowSum::kPartnerExp)) sources.push_back(kPartnerSource);
  if (has(RowSum::kMixExp)) sources.push_back(kMixSource);
  if (otherTerms || (rowTerm && mixTerm)) {
    gradient = RowGradient::kDense;
  } else if (rowTerm || mixTerm) {
    gradient = RowGradient::kScaled;
    scaled = mixTerm ? kMixSource : kLogitsSource;
  } else if (pointTerms) {
    gradient = RowGradient::kPoints;
  }
}

Value RowMath::spread(Value scalar, Value model) {
  auto vector = dyn_cast<VectorType>(model.getType());
  return vector ? e.splat(scalar, vector.getNumElements()) : scalar;
}

// cap tanh(x / cap) and 1 - tanh^2. With E = exp(-2 |a|): tanh |a| = (1 - E) / (1 + E), and
// 1 - tanh^2 = 4 E / (1 + E)^2 keeps its precision where tanh is 1.
std::pair<Value, Value> RowMath::capped(Value x, Value cap) {
  Value a = e.div(x, cap);
  Value magnitude = magnitudeOf(e, a);
  Value small = expOf(e.mul(magnitude, e.like(x, -2.0)));
  Value one = e.like(x, 1.0);
  Value inverse = e.div(one, e.add(one, small));
  Value far = e.mul(e.sub(one, small), inverse);
  far = e.select(e.compare(CmpFPredicate::OLT, a, e.like(x, 0.0)), e.neg(far), far);
  Value square = e.mul(a, a);
  Value near = e.fma(e.mul(a, square), e.horner(square, kTanhCoefficients), a);
  Value isNear = e.compare(CmpFPredicate::OLT, magnitude, e.like(x, kTanhBorder));
  Value slope = e.mul(e.mul(e.mul(small, e.like(x, 4.0)), inverse), inverse);
  return {e.mul(cap, e.select(isNear, near, far)), slope};
}

std::pair<Value, Value> RowMath::apply(const RowTransform& transform, Value biased) {
  Value isCapped = e.compare(CmpFPredicate::ONE, transform.softCap, e.constant(e.f32(), 0.0));
  Type type = biased.getType();
  SmallVector<Value> value = e.branch(
      isCapped, {type, type},
      [&]() -> SmallVector<Value> {
        auto [x, slope] = capped(biased, spread(transform.softCap, biased));
        return {x, slope};
      },
      [&]() -> SmallVector<Value> { return {biased, e.like(biased, 1.0)}; });
  Value factor = spread(transform.inverseTemperature, biased);
  return {e.mul(value[0], factor), e.mul(value[1], factor)};
}

Value RowMath::mix(Value x, Value b) {
  Value rest = e.sub(e.constant(e.f32(), 1.0), mixScale);
  Value mixed = e.fma(spread(mixScale, x), x, e.mul(spread(rest, x), b));
  return e.select(e.compare(CmpFPredicate::OEQ, x, e.like(x, -kInfinity)), x, mixed);
}

SourceValues RowMath::differences(const SourceValues& x, const SourceValues& maxima) {
  SourceValues d;
  for (RowSource source : plan.sources) d[source] = e.sub(x[source], maxima[source]);
  return d;
}

SourceValues RowMath::exponentials(const SourceValues& d) {
  SourceValues values;
  for (RowSource source : plan.sources) values[source] = expOf(d[source]);
  return values;
}

SmallVector<Value> RowMath::terms(const SourceValues& d, const SourceValues& ex) {
  // weight * value, and 0 where the weight's exponent is so low that the value may be infinite.
  auto weighted = [&](RowSource source, Value value) {
    Value low = e.compare(CmpFPredicate::OLT, d[source], e.like(value, kRowFlushBelow));
    return e.select(low, e.like(value, 0.0), e.mul(ex[source], value));
  };
  SmallVector<Value> terms;
  for (RowSum sum : plan.sums) {
    switch (sum) {
      case RowSum::kExp:
        terms.push_back(ex[kLogitsSource]);
        break;
      case RowSum::kWeighted:
        terms.push_back(weighted(kLogitsSource, d[kLogitsSource]));
        break;
      case RowSum::kSquares:
        terms.push_back(e.mul(ex[kLogitsSource], ex[kLogitsSource]));
        break;
      case RowSum::kPartnerExp:
        terms.push_back(ex[kPartnerSource]);
        break;
      case RowSum::kTo:
        terms.push_back(weighted(kLogitsSource, e.sub(d[kLogitsSource], d[kPartnerSource])));
        break;
      case RowSum::kFrom:
        terms.push_back(weighted(kPartnerSource, e.sub(d[kPartnerSource], d[kLogitsSource])));
        break;
      case RowSum::kMixExp:
        terms.push_back(ex[kMixSource]);
        break;
    }
  }
  return terms;
}

Value RowMath::denseGradient(const SourceValues& d, const SourceValues& ex,
                             const RowCoefficients& c, const SourceValues& thresholds) {
  Value sum;
  auto term = [&](RowSource source, Value factor) {
    Value low = e.compare(CmpFPredicate::OLT, ex[source], thresholds[source]);
    Value zero = e.like(ex[source], 0.0);
    Value kept = e.select(low, zero, ex[source]);
    // The factor may be infinite where the exponential is 0.
    sum = addTerm(e, sum, e.select(low, zero, e.mul(kept, factor)));
  };
  Value factor = c.row;
  if (c.linear) factor = e.fma(c.linear, d[kLogitsSource], factor);
  if (c.partnerLinear) factor = e.fma(c.partnerLinear, d[kPartnerSource], factor);
  if (factor) term(kLogitsSource, factor);
  if (c.partner) term(kPartnerSource, c.partner);
  if (c.mix) term(kMixSource, c.mix);
  return sum;
}

Value RowMath::logOf(const RowStatistics& statistics, RowSum sum) {
  Value value = sumOf(statistics, sum);
  if (!value.getType().isF64()) value = e.extend(value);
  return math::LogOp::create(e.builder, e.loc, value);
}

Value RowMath::readValue(size_t i, const RowStatistics& statistics, ArrayRef<RowPoint> points) {
  const StringRef op = plan.program.reads[i].op;
  const RowPoint& point = points[i];
  auto wide = [&](RowSum sum) {
    Value value = sumOf(statistics, sum);
    return value.getType().isF64() ? value : e.extend(value);
  };
  auto logProb = [&](RowSource source, RowSum sum) {
    Value shifted = e.sub(e.extend(point.x[source]), e.extend(statistics.maximum[source]));
    return e.truncate(e.sub(shifted, logOf(statistics, sum)));
  };
  if (op == "argmax") return statistics.argmax;
  if (op == "entropy") {
    return e.truncate(
        e.sub(logOf(statistics, RowSum::kExp), e.div(wide(RowSum::kWeighted), wide(RowSum::kExp))));
  }
  if (op == "collision") {
    Value twice = e.mul(logOf(statistics, RowSum::kExp), e.constant(e.f64(), 2.0));
    return e.truncate(e.sub(logOf(statistics, RowSum::kSquares), twice));
  }
  if (op == "kl_to" || op == "kl_from") {
    const bool to = op == "kl_to";
    Value mean = to ? e.div(wide(RowSum::kTo), wide(RowSum::kExp))
                    : e.div(wide(RowSum::kFrom), wide(RowSum::kPartnerExp));
    Value logSum = logOf(statistics, RowSum::kExp);
    Value partnerLogSum = logOf(statistics, RowSum::kPartnerExp);
    Value difference = to ? e.sub(partnerLogSum, logSum) : e.sub(logSum, partnerLogSum);
    return e.truncate(e.add(mean, difference));
  }
  Value value;
  if (op == "logprob_mix") {
    value = logProb(kMixSource, RowSum::kMixExp);
  } else if (isLogProb(op)) {
    value = logProb(kLogitsSource, RowSum::kExp);
  } else {
    value = point.x[kLogitsSource];
  }
  if (!point.inside) return value;
  return e.select(point.inside, value,
                  e.constant(e.f32(), std::numeric_limits<double>::quiet_NaN()));
}

// The sum of the weights of all reads of `op`; null without any.
Value RowMath::weightOf(StringRef op, ArrayRef<Value> weights) {
  Value sum;
  for (auto [read, weight] : llvm::zip(plan.program.reads, weights))
    if (weight && read.op == op) sum = addTerm(e, sum, weight);
  return sum;
}

RowCoefficients RowMath::coefficients(const RowStatistics& statistics, ArrayRef<Value> weights) {
  Value logprob = addTerm(e, weightOf("logprob", weights), weightOf("logprob_at", weights));
  Value entropy = weightOf("entropy", weights), to = weightOf("kl_to", weights);
  Value from = weightOf("kl_from", weights), mixed = weightOf("logprob_mix", weights);
  auto over = [&](Value value, RowSum sum) -> Value {
    if (!value) return nullptr;
    Value quotient = e.div(value, sumOf(statistics, sum));
    return quotient.getType().isF64() ? e.truncate(quotient) : quotient;
  };
  auto mean = [&](RowSum sum) {
    return e.div(sumOf(statistics, sum), sumOf(statistics, RowSum::kExp));
  };
  auto negated = [&](Value value) -> Value { return value ? e.neg(value) : nullptr; };

  Value row = negated(logprob);
  if (entropy) row = addTerm(e, row, e.mul(entropy, mean(RowSum::kWeighted)));
  if (to) row = addTerm(e, row, e.neg(e.mul(to, mean(RowSum::kTo))));
  row = addTerm(e, row, from);
  RowCoefficients result;
  result.row = over(row, RowSum::kExp);
  result.linear = over(addTerm(e, negated(entropy), to), RowSum::kExp);
  result.partnerLinear = over(negated(to), RowSum::kExp);
  result.partner = over(negated(from), RowSum::kPartnerExp);
  if (mixed) {
    Value scale = mixed.getType().isF64() ? e.extend(mixScale) : mixScale;
    result.mix = over(e.neg(e.mul(mixed, scale)), RowSum::kMixExp);
  }
  return result;
}

SourceValues RowMath::thresholds(const RowCoefficients& c) {
  auto over = [&](ArrayRef<Value> factors) -> Value {
    Value largest;
    for (Value factor : factors) {
      if (!factor) continue;
      Value size = magnitudeOf(e, factor);
      largest = largest ? e.greater(size, largest) : size;
    }
    return largest ? e.div(e.constant(e.f32(), kSmallestProduct), largest) : nullptr;
  };
  return {over({c.row, c.linear, c.partnerLinear}), over({c.partner}), over({c.mix})};
}

Value RowMath::pointWeight(size_t i, ArrayRef<Value> weights) {
  const StringRef op = plan.program.reads[i].op;
  Value weight = weights[i];
  if (!weight) return nullptr;
  if (op == "logprob_mix")
    return e.mul(weight, weight.getType().isF64() ? e.extend(mixScale) : mixScale);
  return isLogProb(op) || op == "logit" || op == "logit_at" ? weight : nullptr;
}

}  // namespace alidade::pref
