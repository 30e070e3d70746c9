#include "compiler/conversion/RowKernel.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "compiler/conversion/RowMath.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace alidade::pref {
namespace {

using arith::CmpFPredicate;
using arith::CmpIPredicate;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kCacheLine = 64;
// Iterations of the unrolled loop whose terms are summed in f32 before they enter the f64 sum: a
// lane adds at most this many values of magnitude at most 1, so its rounding stays near 1e-6
// whatever the vocabulary.
constexpr int64_t kBlockIterations = 32;
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

class RowKernel final : RowMath {
 public:
  RowKernel(Emitter& e, Value arguments, const schedule::RowProgram& program, int64_t lanes)
      : RowMath(e, program),
        arguments(arguments),
        lanes(lanes),
        vectorType(VectorType::get({lanes}, e.f32())) {}

  void emit() {
    loadArguments();
    one = e.index(1);
    zero = e.index(0);
    width = e.index(lanes);
    vectorEnd = e.sub(vocab, e.remainder(vocab, width));
    hasTail = e.compareInt(CmpIPredicate::slt, vectorEnd, vocab);
    emitTailMask();
    e.branch(
        isPlain(), {},
        [&]() -> SmallVector<Value> {
          emitRows(/*isPlain=*/true);
          return {};
        },
        [&]() -> SmallVector<Value> {
          emitRows(/*isPlain=*/false);
          return {};
        });
  }

 private:
  // A vector of logits: lanes of the row from `position` on, or its last vocab % lanes entries.
  struct Group {
    Value position;
    bool tail = false;
  };
  using Visit = llvm::function_ref<SmallVector<Value>(Group group, ValueRange carried)>;
  using Merge = llvm::function_ref<Value(Value a, Value b)>;
  // Which part of the next row a loop asks for. Two passes that write share the work.
  enum class Prefetch { kNone, kFirstHalf, kSecondHalf, kAll };

  const Value arguments;
  const int64_t lanes;
  const VectorType vectorType;
  Value logits, rows, vocab, stride, partnerLogits, partnerStride, labels, mode;
  RowTransform transforms[2];  // of the logits and of the partner's
  SmallVector<Value> indexes, readOutputs, cotangents;
  Value zero, one, width, vectorEnd, hasTail, iota, tailMask;

  // Of the code being written: whether x is z, the accumulators of a loop, the row.
  bool plain = true;
  int64_t unroll = 1;
  Value unrolledWidth, unrolledEnd, base, partnerBase, nextBase;

  // --- Arguments -------------------------------------------------------------------------------

  Value field(size_t offset, Type type) {
    Value address = e.address(arguments, e.index(offset), e.builder.getI8Type());
    return e.load(type, address, isa<LLVM::LLVMPointerType>(type) || type == e.i64() ? 8 : 4);
  }

  SmallVector<Value> pointers(size_t offset, size_t count) {
    SmallVector<Value> loaded;
    for (size_t i = 0; i < count; ++i)
      loaded.push_back(field(offset + i * sizeof(void*), e.pointer()));
    return loaded;
  }

  void loadArguments() {
    logits = field(offsetof(AlidadeRowArgs, logits), e.pointer());
    rows = field(offsetof(AlidadeRowArgs, rows), e.i64());
    vocab = field(offsetof(AlidadeRowArgs, vocab), e.i64());
    stride = field(offsetof(AlidadeRowArgs, stride), e.i64());
    labels = field(offsetof(AlidadeRowArgs, labels), e.pointer());
    mode = field(offsetof(AlidadeRowArgs, mode), e.i32());
    mixScale = field(offsetof(AlidadeRowArgs, scale), e.f32());
    transforms[0] = {field(offsetof(AlidadeRowArgs, bias), e.pointer()),
                     field(offsetof(AlidadeRowArgs, inverse_temperature), e.f32()),
                     field(offsetof(AlidadeRowArgs, soft_cap), e.f32())};
    if (plan.partner) {
      partnerLogits = field(offsetof(AlidadeRowArgs, partner), e.pointer());
      partnerStride = field(offsetof(AlidadeRowArgs, partner_stride), e.i64());
      transforms[1] = {field(offsetof(AlidadeRowArgs, partner_bias), e.pointer()),
                       field(offsetof(AlidadeRowArgs, partner_inverse_temperature), e.f32()),
                       field(offsetof(AlidadeRowArgs, partner_soft_cap), e.f32())};
    }
    const size_t count = plan.program.reads.size();
    indexes = pointers(offsetof(AlidadeRowArgs, indexes), count);
    readOutputs = pointers(offsetof(AlidadeRowArgs, reads), count);
    cotangents = pointers(offsetof(AlidadeRowArgs, cotangents), plan.program.num_gradients());
  }

  // No bias, temperature or soft cap: the common case has its own code.
  Value isPlain() {
    Value all = e.constantInt(e.i1(), 1);
    auto require = [&](Value condition) {
      all = arith::AndIOp::create(e.builder, e.loc, all, condition);
    };
    for (const RowTransform& transform :
         llvm::ArrayRef<RowTransform>(transforms, plan.partner ? 2 : 1)) {
      Value bias = e.isSet(transform.bias);
      require(arith::XOrIOp::create(e.builder, e.loc, bias, e.constantInt(e.i1(), 1)));
      require(
          e.compare(CmpFPredicate::OEQ, transform.inverseTemperature, e.constant(e.f32(), 1.0)));
      require(e.compare(CmpFPredicate::OEQ, transform.softCap, e.constant(e.f32(), 0.0)));
    }
    return all;
  }

  Value isMode(int32_t value) {
    return e.compareInt(CmpIPredicate::eq, mode, e.constantInt(e.i32(), value));
  }

  // --- Memory ----------------------------------------------------------------------------------

  void emitTailMask() {
    SmallVector<int32_t> positions(lanes);
    for (int64_t i = 0; i < lanes; ++i) positions[i] = static_cast<int32_t>(i);
    iota = arith::ConstantOp::create(
        e.builder, e.loc,
        DenseElementsAttr::get(VectorType::get({lanes}, e.i32()), ArrayRef<int32_t>(positions)));
    Value left = truncateIndex(e.sub(vocab, vectorEnd));
    tailMask = e.compareInt(CmpIPredicate::slt, iota, e.splat(left, lanes));
  }

  Value truncateIndex(Value value) {
    return arith::TruncIOp::create(e.builder, e.loc, e.i32(), value);
  }

  Value maskedLoad(Value address, Value mask) {
    return LLVM::MaskedLoadOp::create(e.builder, e.loc, vectorType, address, mask,
                                      e.constant(vectorType, 0.0),
                                      e.builder.getI32IntegerAttr(sizeof(float)),
                                      /*nontemporal=*/nullptr);
  }

  Value load(Value array, const Group& group) {
    Value address = e.address(array, group.position, e.f32());
    return group.tail ? maskedLoad(address, tailMask) : e.load(vectorType, address, sizeof(float));
  }

  void store(Value value, const Group& group) {
    Value address = e.address(base, group.position, e.f32());
    if (!group.tail) return e.store(value, address, sizeof(float));
    LLVM::MaskedStoreOp::create(e.builder, e.loc, value, address, tailMask,
                                e.builder.getI32IntegerAttr(sizeof(float)));
  }

  // What the program sees of `z`, which `bias` (null: none) is added to first.
  RowElement see(const RowTransform& transform, Value z, Value bias) {
    if (plain) return {{z}, nullptr};
    auto [x, slope] = apply(transform, e.add(z, bias));
    return {{x}, slope};
  }

  Value biasOf(const RowTransform& transform, const Group& group) {
    if (plain) return nullptr;
    Value isSet = e.isSet(transform.bias);
    Value mask = e.splat(isSet, lanes);
    if (group.tail) mask = arith::AndIOp::create(e.builder, e.loc, mask, tailMask);
    // Nothing is read where there is no bias; but a masked load from an address that does not exist
    // is very slow.
    Value array = e.select(isSet, transform.bias, logits);
    return maskedLoad(e.address(array, group.position, e.f32()), mask);
  }

  RowElement element(const Group& group) {
    auto visible = [&](Value x) {
      return group.tail ? e.select(tailMask, x, e.like(x, -kInfinity)) : x;
    };
    RowElement result = see(transforms[0], load(base, group), biasOf(transforms[0], group));
    result.x[kLogitsSource] = visible(result.x[kLogitsSource]);
    if (!plan.partner) return result;
    Value partner = see(transforms[1], load(partnerBase, group), biasOf(transforms[1], group)).x[0];
    result.x[kPartnerSource] = visible(partner);
    if (plan.has(kMixSource))
      result.x[kMixSource] = mix(result.x[kLogitsSource], result.x[kPartnerSource]);
    return result;
  }

  // The same of one position.
  RowPoint pointAt(Value position, Value inside) {
    auto scalar = [&](Value array) {
      return e.load(e.f32(), e.address(array, position, e.f32()), sizeof(float));
    };
    auto bias = [&](const RowTransform& transform) -> Value {
      if (plain) return nullptr;
      return e.branch(
          e.isSet(transform.bias), e.f32(),
          [&]() -> SmallVector<Value> { return {scalar(transform.bias)}; },
          [&]() -> SmallVector<Value> { return {e.constant(e.f32(), 0.0)}; })[0];
    };
    RowElement own = see(transforms[0], scalar(base), bias(transforms[0]));
    RowPoint point = {position, inside, own.x, own.slope};
    if (plan.has(kMixSource)) {
      RowElement partner = see(transforms[1], scalar(partnerBase), bias(transforms[1]));
      point.x[kMixSource] = mix(own.x[kLogitsSource], partner.x[kLogitsSource]);
    }
    return point;
  }

  // --- Loops -----------------------------------------------------------------------------------

  // Asks for what the next row holds where this loop is.
  void prefetch(Value position, Prefetch part) {
    if (part == Prefetch::kNone) return;
    int64_t bytes = unroll * lanes * static_cast<int64_t>(sizeof(float));
    if (part != Prefetch::kAll) {
      position = e.shiftRight(position, 1);
      bytes /= 2;
    }
    if (part == Prefetch::kSecondHalf) position = e.add(position, e.shiftRight(unrolledEnd, 1));
    for (int64_t offset = 0; offset < bytes; offset += kCacheLine) {
      Value ahead = e.add(position, e.index(offset / static_cast<int64_t>(sizeof(float))));
      LLVM::Prefetch::create(e.builder, e.loc, e.address(nextBase, ahead, e.f32()), /*rw=*/0,
                             /*hint=*/2, /*cache=*/1);
    }
  }

  // [begin, end) in steps of `unroll` groups, each with its own copy of the carried values;
  // `initial` are those of one group.
  SmallVector<Value> unrolled(Value begin, Value end, ArrayRef<Value> initial, Visit visit,
                              Merge merge, Prefetch part) {
    const size_t count = initial.size();
    SmallVector<Value> carried;
    for (int64_t j = 0; j < unroll; ++j) carried.append(initial.begin(), initial.end());
    carried = e.loop(begin, end, unrolledWidth, carried, [&](Value k, ValueRange seen) {
      SmallVector<Value> next;
      prefetch(k, part);
      for (int64_t j = 0; j < unroll; ++j)
        next.append(visit({e.add(k, e.index(j * lanes))}, seen.slice(j * count, count)));
      return next;
    });
    for (int64_t live = unroll; live > 1; live /= 2)
      for (size_t i = 0; i < count * live / 2; ++i)
        carried[i] = merge(carried[2 * i - i % count], carried[2 * i - i % count + count]);
    carried.resize(count);
    return carried;
  }

  // What `unrolled` leaves: whole vectors, then the tail.
  SmallVector<Value> rest(ArrayRef<Value> initial, Visit visit) {
    SmallVector<Value> carried = e.loop(unrolledEnd, vectorEnd, width, initial,
                                        [&](Value k, ValueRange seen) { return visit({k}, seen); });
    const SmallVector<Value> before = carried;
    return e.branch(
        hasTail, ValueRange(before).getTypes(),
        [&] { return visit({vectorEnd, /*tail=*/true}, before); }, [&] { return before; });
  }

  void each(Prefetch part, llvm::function_ref<void(Group)> body) {
    auto visit = [&](Group group, ValueRange) -> SmallVector<Value> {
      body(group);
      return {};
    };
    unrolled(zero, unrolledEnd, {}, visit, [](Value a, Value) { return a; }, part);
    e.loop(unrolledEnd, vectorEnd, width, {},
           [&](Value k, ValueRange seen) { return visit({k}, seen); });
    e.branch(hasTail, {}, [&] { return visit({vectorEnd, /*tail=*/true}, {}); });
  }

  Value reduce(vector::CombiningKind kind, Value value, arith::FastMathFlags flags) {
    return vector::ReductionOp::create(e.builder, e.loc, kind, value, flags);
  }

  Value reduceSum(Value value) {
    return e.extend(reduce(vector::CombiningKind::ADD, value, arith::FastMathFlags::reassoc));
  }

  // --- Passes ----------------------------------------------------------------------------------

  void emitRows(bool isPlain) {
    plain = isPlain;
    // Independent accumulators hide the latency of the add and of the compare; more values per
    // element leave fewer registers for them.
    unroll = plain && plan.sources.size() == 1 && plan.sums.size() <= 1 ? 4 : 2;
    unrolledWidth = e.index(lanes * unroll);
    unrolledEnd = e.sub(vocab, e.remainder(vocab, unrolledWidth));
    e.loop(zero, rows, one, {}, [&](Value row, ValueRange) -> SmallVector<Value> {
      emitRow(row);
      return {};
    });
  }

  void emitRow(Value row) {
    base = e.address(logits, e.mul(row, stride), e.f32());
    nextBase = e.address(base, stride, e.f32());
    if (plan.partner) partnerBase = e.address(partnerLogits, e.mul(row, partnerStride), e.f32());
    const SmallVector<RowPoint> points = emitPoints(row);
    RowStatistics statistics;
    if (!plan.sources.empty()) statistics.maximum = emitMaxima();
    if (plan.argmax) statistics.argmax = emitArgmax(statistics.maximum[kLogitsSource]);
    Value writes = e.compareInt(CmpIPredicate::ne, mode, e.constantInt(e.i32(), ALIDADE_ROWS_READ));
    if (!plan.sums.empty()) statistics.sums = emitSums(statistics.maximum, writes);
    emitReads(row, statistics, points);
    if (plan.gradient == RowGradient::kNone) return;
    e.branch(writes, {}, [&]() -> SmallVector<Value> {
      emitGradient(row, statistics, points);
      return {};
    });
  }

  // One point per read: that of the label or of the read's index.
  SmallVector<RowPoint> emitPoints(Value row) {
    Value label = e.load(e.i64(), e.address(labels, row, e.i64()), sizeof(int64_t));
    const RowPoint atLabel = pointAt(label, nullptr);
    SmallVector<RowPoint> points;
    for (auto [i, read] : llvm::enumerate(plan.program.reads)) {
      if (!schedule::FindReadOp(read.op)->has_index) {
        points.push_back(atLabel);
        continue;
      }
      Value index = e.load(e.f32(), e.address(indexes[i], row, e.f32()), sizeof(float));
      Value count = e.intToFloat(vocab, e.f32());
      Value inside = arith::AndIOp::create(e.builder, e.loc,
                                           e.compare(CmpFPredicate::OGE, index, e.like(index, 0.0)),
                                           e.compare(CmpFPredicate::OLT, index, count));
      Value safe = e.select(inside, index, e.like(index, 0.0));
      points.push_back(pointAt(arith::FPToSIOp::create(e.builder, e.loc, e.i64(), safe), inside));
    }
    return points;
  }

  // Largest entry of each source. A NaN is passed over here and shows in the sums.
  SourceValues emitMaxima() {
    SmallVector<Value> lowest(plan.sources.size(), e.constant(vectorType, -kInfinity));
    auto visit = [&](Group group, ValueRange seen) {
      RowElement found = element(group);
      SmallVector<Value> next;
      for (auto [source, value] : llvm::zip(plan.sources, seen))
        next.push_back(e.greater(found.x[source], value));
      return next;
    };
    auto merge = [&](Value a, Value b) { return e.greater(a, b); };
    SmallVector<Value> largest =
        rest(unrolled(zero, unrolledEnd, lowest, visit, merge, Prefetch::kNone), visit);
    SourceValues maxima;
    for (auto [source, value] : llvm::zip(plan.sources, largest))
      maxima[source] = reduce(vector::CombiningKind::MAXNUMF, value, arith::FastMathFlags::nnan);
    return maxima;
  }

  // The first position of the maximum; NaN in a row with a NaN.
  Value emitArgmax(Value maximum) {
    Value top = e.splat(maximum, lanes);
    Value none =
        e.constantInt(VectorType::get({lanes}, e.i32()), std::numeric_limits<int32_t>::max());
    auto least = [&](Value a, Value b) -> Value {
      return arith::MinSIOp::create(e.builder, e.loc, a, b);
    };
    auto visit = [&](Group group, ValueRange seen) -> SmallVector<Value> {
      Value x = element(group).x[kLogitsSource];
      Value position = e.add(iota, e.splat(truncateIndex(group.position), lanes));
      Value found = e.select(e.compare(CmpFPredicate::OEQ, x, top), position, none);
      if (group.tail) found = e.select(tailMask, found, none);
      Value broken = e.compare(CmpFPredicate::UNO, x, x);
      return {least(e.select(broken, e.likeInt(found, -1), found), seen[0])};
    };
    auto merge = [&](Value a, Value b) { return least(a, b); };
    Value first =
        reduce(vector::CombiningKind::MINSI,
               rest(unrolled(zero, unrolledEnd, {none}, visit, merge, Prefetch::kNone), visit)[0],
               arith::FastMathFlags::none);
    Value broken = e.compareInt(CmpIPredicate::slt, first, e.likeInt(first, 0));
    return e.select(broken, e.constant(e.f32(), std::numeric_limits<double>::quiet_NaN()),
                    e.intToFloat(first, e.f32()));
  }

  // exp(d); exactly 1 at 0, 0 below kRowFlushBelow.
  Value expOf(Value d) override {
    Value biased = e.fma(d, e.like(d, 1.4426950408889634), e.like(d, kRoundToBiasedInt));
    Value n = e.sub(biased, e.like(d, kRoundToBiasedInt));
    Value r = e.fma(n, e.like(d, -0.6931471805599453), d);
    Value scale = e.bitsToFloat(e.shiftLeft(e.floatToBits(biased), 23));
    Value value = e.mul(e.horner(r, kExpCoefficients), scale);
    return e.select(e.compare(CmpFPredicate::OLT, d, e.like(d, kRowFlushBelow)), e.like(d, 0.0),
                    value);
  }

  SourceValues splat(const SourceValues& scalars) {
    SourceValues vectors;
    for (unsigned source = 0; source < kNumRowSources; ++source)
      if (scalars[source]) vectors[source] = e.splat(scalars[source], lanes);
    return vectors;
  }

  SmallVector<Value> emitSums(const SourceValues& maxima, Value writes) {
    if (plan.gradient != RowGradient::kScaled) return sumRow(maxima, /*keep=*/false);
    SmallVector<Type> types(plan.sums.size(), e.f64());
    return e.branch(
        writes, types, [&] { return sumRow(maxima, /*keep=*/true); },
        [&] { return sumRow(maxima, /*keep=*/false); });
  }

  // Sums over the row, f64; `keep` overwrites it by the exponentials that the gradient consists of,
  // times the slope.
  SmallVector<Value> sumRow(const SourceValues& maxima, bool keep) {
    const SourceValues tops = splat(maxima);
    auto visit = [&](Group group, ValueRange seen) {
      RowElement found = element(group);
      SourceValues d = differences(found.x, tops), ex = exponentials(d);
      SmallVector<Value> next;
      for (auto [sum, term] : llvm::zip(seen, terms(d, ex))) next.push_back(e.add(sum, term));
      if (keep) {
        Value kept = ex[plan.scaled];
        store(found.slope ? e.mul(kept, found.slope) : kept, group);
      }
      return next;
    };
    auto merge = [&](Value a, Value b) { return e.add(a, b); };
    const SmallVector<Value> nothing(plan.sums.size(), e.constant(vectorType, 0.0));
    auto joined = [&](ValueRange outer, ArrayRef<Value> inner) {
      SmallVector<Value> next;
      for (auto [sum, part] : llvm::zip(outer, inner)) next.push_back(e.add(sum, reduceSum(part)));
      return next;
    };
    Value block = e.index(lanes * unroll * kBlockIterations);
    const SmallVector<Value> start(plan.sums.size(), e.constant(e.f64(), 0.0));
    SmallVector<Value> sums =
        e.loop(zero, unrolledEnd, block, start, [&](Value begin, ValueRange outer) {
          Value end = arith::MinSIOp::create(e.builder, e.loc, e.add(begin, block), unrolledEnd);
          return joined(outer, unrolled(begin, end, nothing, visit, merge,
                                        keep ? Prefetch::kFirstHalf : Prefetch::kAll));
        });
    return joined(sums, rest(nothing, visit));
  }

  void emitReads(Value row, const RowStatistics& statistics, ArrayRef<RowPoint> points) {
    for (size_t i = 0; i < plan.program.reads.size(); ++i) {
      Value value = readValue(i, statistics, points);
      e.branch(e.isSet(readOutputs[i]), {}, [&]() -> SmallVector<Value> {
        e.store(value, e.address(readOutputs[i], row, e.f32()), sizeof(float));
        return {};
      });
    }
  }

  // Cotangent of each read with gradient, f64: 1 in mode ALIDADE_ROWS_UNSCALED.
  SmallVector<Value> emitWeights(Value row) {
    SmallVector<Value> weights(plan.program.reads.size());
    size_t next = 0;
    for (auto [read, weight] : llvm::zip(plan.program.reads, weights)) {
      if (!read.gradient) continue;
      Value array = cotangents[next++];
      weight = e.branch(
          isMode(ALIDADE_ROWS_SCALED), e.f64(),
          [&]() -> SmallVector<Value> {
            return {e.extend(e.load(e.f32(), e.address(array, row, e.f32()), sizeof(float)))};
          },
          [&]() -> SmallVector<Value> { return {e.constant(e.f64(), 1.0)}; })[0];
    }
    return weights;
  }

  void emitGradient(Value row, const RowStatistics& statistics, ArrayRef<RowPoint> points) {
    const SmallVector<Value> weights = emitWeights(row);
    const RowCoefficients found = coefficients(statistics, weights);
    const SourceValues least = splat(thresholds(found));
    switch (plan.gradient) {
      case RowGradient::kNone:
        return;
      case RowGradient::kPoints:
        each(Prefetch::kNone, [&](Group group) { store(e.constant(vectorType, 0.0), group); });
        break;
      case RowGradient::kScaled:
        emitScale(plan.scaled == kMixSource ? found.mix : found.row, least[plan.scaled]);
        break;
      case RowGradient::kDense:
        emitDense(statistics, found, least);
        break;
    }
    for (auto [i, point] : llvm::enumerate(points))
      if (Value weight = pointWeight(i, weights)) addAt(point, e.truncate(weight));
  }

  // Multiplies the row, which holds exponentials, by `factor`.
  void emitScale(Value factor, Value least) {
    Value factors = e.splat(factor, lanes);
    each(Prefetch::kSecondHalf, [&](Group group) {
      Value kept = load(base, group);
      Value low = e.compare(CmpFPredicate::OLT, kept, least);
      store(e.mul(e.select(low, e.like(kept, 0.0), kept), factors), group);
    });
  }

  void emitDense(const RowStatistics& statistics, const RowCoefficients& scalars,
                 const SourceValues& least) {
    const SourceValues tops = splat(statistics.maximum);
    auto spreadOut = [&](Value scalar) { return scalar ? e.splat(scalar, lanes) : scalar; };
    const RowCoefficients found = {spreadOut(scalars.row), spreadOut(scalars.linear),
                                   spreadOut(scalars.partnerLinear), spreadOut(scalars.partner),
                                   spreadOut(scalars.mix)};
    each(Prefetch::kNone, [&](Group group) {
      RowElement seen = element(group);
      SourceValues d = differences(seen.x, tops);
      Value value = denseGradient(d, exponentials(d), found, least);
      store(seen.slope ? e.mul(value, seen.slope) : value, group);
    });
  }

  void addAt(const RowPoint& point, Value weight) {
    if (point.slope) weight = e.mul(weight, point.slope);
    auto add = [&]() -> SmallVector<Value> {
      Value address = e.address(base, point.position, e.f32());
      e.store(e.add(e.load(e.f32(), address, sizeof(float)), weight), address, sizeof(float));
      return {};
    };
    if (point.inside) {
      e.branch(point.inside, {}, add);
    } else {
      add();
    }
  }
};

}  // namespace

void buildRowKernel(ModuleOp module, StringRef name, int64_t lanes,
                    const schedule::RowProgram& program) {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  Location loc = builder.getUnknownLoc();
  Emitter e(builder, loc);
  auto function =
      func::FuncOp::create(builder, loc, name, builder.getFunctionType({e.pointer()}, {}));
  builder.setInsertionPointToEnd(function.addEntryBlock());
  RowKernel(e, function.getArgument(0), program, lanes).emit();
  func::ReturnOp::create(builder, loc);
}

}  // namespace alidade::pref
