#include <cstddef>
#include <limits>

#include "compiler/conversion/GpuEmitter.h"
#include "compiler/conversion/RowKernel.h"
#include "compiler/conversion/RowMath.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace alidade::pref {
namespace {

using arith::CmpFPredicate;
using arith::CmpIPredicate;

constexpr int64_t kWarps = kGpuRowThreads / kWarpSize;
constexpr int64_t kAccessBytes = 16;
constexpr double kLog2E = 1.4426950408889634;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Stands for -inf as the maximum of nothing: differences with it are never NaN.
constexpr double kLowest = std::numeric_limits<float>::lowest();

class GpuRowKernel final : RowMath {
 public:
  GpuRowKernel(GpuEmitter& e, gpu::GPUFuncOp kernel, const schedule::RowProgram& program,
               RowElementType type)
      : RowMath(e, program),
        gpu(e),
        arguments(kernel.getArgument(0)),
        isBf16(type == RowElementType::kBf16),
        elementBytes(isBf16 ? 2 : 4),
        perAccess(kAccessBytes / elementBytes) {
    for (size_t i = 0; i < numFloats(); ++i)
      shared.push_back(gpu.sharedArray(kernel, kWarps, gpu.f32()));
    if (plan.argmax) shared.push_back(gpu.sharedArray(kernel, kWarps, gpu.i32()));
  }

  void emit() {
    thread = gpu.thread();
    row = gpu.block();
    loadArguments();
    findAlignedPart();
    first = e.compareInt(CmpIPredicate::eq, thread, e.index(0));
    e.branch(
        isPlain(), {},
        [&]() -> SmallVector<Value> {
          emitRow(/*isPlain=*/true);
          return {};
        },
        [&]() -> SmallVector<Value> {
          emitRow(/*isPlain=*/false);
          return {};
        });
  }

 private:
  // What a thread, a warp, the block has seen: maxima of plan.sources, plan.sums, and with argmax
  // the largest logit (inf after a NaN) and its position, i32 (-1 after a NaN).
  struct Seen {
    SourceValues maxima;
    SmallVector<Value> sums;
    Value best, position;
  };

  GpuEmitter& gpu;
  const Value arguments;
  const bool isBf16;
  const int64_t elementBytes, perAccess;  // `perAccess`: elements
  SmallVector<Value> shared;
  Value thread, row, first;
  Value vocab, base, partnerBase, label, mode;
  RowTransform transforms[2];      // of the logits and of the partner's
  Value alignedBegin, alignedEnd;  // positions; multiples of kAccessBytes from address 0
  Value partnerAligned;            // the partner's row is aligned where this one is
  bool plain = true;               // of the code being written: x is z

  size_t numFloats() const {
    return plan.sources.size() + plan.sums.size() + (plan.argmax ? 1 : 0);
  }

  // --- Arguments -------------------------------------------------------------------------------

  Value field(size_t offset, Type type) {
    Value address = e.address(arguments, e.index(offset), e.builder.getI8Type());
    return e.load(type, address, isa<LLVM::LLVMPointerType>(type) || type == e.i64() ? 8 : 4);
  }

  RowTransform transformAt(size_t bias, size_t inverseTemperature, size_t softCap) {
    return {field(bias, e.pointer()), field(inverseTemperature, e.f32()), field(softCap, e.f32())};
  }

  void loadArguments() {
    vocab = field(offsetof(AlidadeRowArgs, vocab), e.i64());
    mode = field(offsetof(AlidadeRowArgs, mode), e.i32());
    mixScale = field(offsetof(AlidadeRowArgs, scale), e.f32());
    base = rowOf(offsetof(AlidadeRowArgs, logits), offsetof(AlidadeRowArgs, stride));
    transforms[0] =
        transformAt(offsetof(AlidadeRowArgs, bias), offsetof(AlidadeRowArgs, inverse_temperature),
                    offsetof(AlidadeRowArgs, soft_cap));
    if (plan.partner) {
      partnerBase =
          rowOf(offsetof(AlidadeRowArgs, partner), offsetof(AlidadeRowArgs, partner_stride));
      transforms[1] = transformAt(offsetof(AlidadeRowArgs, partner_bias),
                                  offsetof(AlidadeRowArgs, partner_inverse_temperature),
                                  offsetof(AlidadeRowArgs, partner_soft_cap));
    }
    Value labels = field(offsetof(AlidadeRowArgs, labels), e.pointer());
    label = e.load(e.i64(), e.address(labels, row, e.i64()), sizeof(int64_t));
  }

  Type memoryType() { return isBf16 ? Type(e.builder.getI16Type()) : Type(e.f32()); }

  Value rowOf(size_t array, size_t stride) {
    return e.address(field(array, e.pointer()), e.mul(row, field(stride, e.i64())), memoryType());
  }

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

  void whenTrue(Value condition, llvm::function_ref<void()> body) {
    e.branch(condition, {}, [&]() -> SmallVector<Value> {
      body();
      return {};
    });
  }

  // --- Memory ----------------------------------------------------------------------------------

  Value bytesPast(Value address) {
    Value number = LLVM::PtrToIntOp::create(e.builder, e.loc, e.i64(), address);
    return e.remainder(number, e.index(kAccessBytes));
  }

  void findAlignedPart() {
    Value past = bytesPast(base);
    Value missing = e.remainder(e.sub(e.index(kAccessBytes), past), e.index(kAccessBytes));
    Value elements = e.shiftRight(missing, isBf16 ? 1 : 2);
    alignedBegin = arith::MinSIOp::create(e.builder, e.loc, elements, vocab);
    Value rest = e.sub(vocab, alignedBegin);
    alignedEnd = e.sub(vocab, e.remainder(rest, e.index(perAccess)));
    if (plan.partner)
      partnerAligned = e.compareInt(CmpIPredicate::eq, bytesPast(partnerBase), past);
  }

  // The upper half of an f32: exact.
  Value fromBf16(Value bits) {
    if (!bits.getType().isInteger(32))
      bits = arith::ExtUIOp::create(e.builder, e.loc, e.i32(), bits);
    return e.bitsToFloat(e.shiftLeft(bits, 16));
  }

  // Rounded to nearest.
  Value toBf16(Value value) {
    Value rounded = arith::TruncFOp::create(e.builder, e.loc, e.builder.getBF16Type(), value);
    return arith::BitcastOp::create(e.builder, e.loc, e.builder.getI16Type(), rounded);
  }

  Value loadOne(Value array, Value position) {
    Value address = e.address(array, position, memoryType());
    Value loaded = e.load(memoryType(), address, elementBytes);
    return isBf16 ? fromBf16(loaded) : loaded;
  }

  void storeOne(Value position, Value value) {
    e.store(isBf16 ? toBf16(value) : value, e.address(base, position, memoryType()), elementBytes);
  }

  // `width` elements from an aligned position on: 1, or `perAccess` in one access.
  SmallVector<Value> loadGroup(Value array, Value position, int64_t width) {
    if (width == 1) return {loadOne(array, position)};
    auto type = VectorType::get({4}, isBf16 ? e.i32() : e.f32());
    Value group = e.load(type, e.address(array, position, memoryType()), kAccessBytes);
    SmallVector<Value> values;
    for (int64_t i = 0; i < 4; ++i) {
      Value word = vector::ExtractOp::create(e.builder, e.loc, group, i);
      if (!isBf16) {
        values.push_back(word);
        continue;
      }
      Value upper = arith::AndIOp::create(e.builder, e.loc, word,
                                          e.constantInt(e.i32(), static_cast<int32_t>(0xffff0000)));
      values.push_back(fromBf16(word));
      values.push_back(e.bitsToFloat(upper));
    }
    return values;
  }

  void storeGroup(Value position, ArrayRef<Value> values) {
    if (values.size() == 1) return storeOne(position, values[0]);
    SmallVector<Value> words(values);
    if (isBf16) {
      words.clear();
      for (size_t i = 0; i < values.size(); i += 2) {
        auto word = [&](Value value) -> Value {
          return arith::ExtUIOp::create(e.builder, e.loc, e.i32(), toBf16(value));
        };
        words.push_back(arith::OrIOp::create(e.builder, e.loc, word(values[i]),
                                             e.shiftLeft(word(values[i + 1]), 16)));
      }
    }
    auto type = VectorType::get({4}, isBf16 ? e.i32() : e.f32());
    e.store(vector::FromElementsOp::create(e.builder, e.loc, type, words),
            e.address(base, position, memoryType()), kAccessBytes);
  }

  SmallVector<Value> loadPartner(Value position, int64_t width) {
    if (width == 1) return {loadOne(partnerBase, position)};
    SmallVector<Type> types(width, e.f32());
    return e.branch(
        partnerAligned, types, [&] { return loadGroup(partnerBase, position, width); },
        [&] {
          SmallVector<Value> values;
          for (int64_t i = 0; i < width; ++i)
            values.push_back(loadOne(partnerBase, e.add(position, e.index(i))));
          return values;
        });
  }

  RowElement see(const RowTransform& transform, Value z, Value position) {
    if (plain) return {{z}, nullptr};
    Value bias = e.branch(
        e.isSet(transform.bias), e.f32(),
        [&]() -> SmallVector<Value> {
          return {e.load(e.f32(), e.address(transform.bias, position, e.f32()), sizeof(float))};
        },
        [&]() -> SmallVector<Value> { return {e.constant(e.f32(), 0.0)}; })[0];
    auto [x, slope] = apply(transform, e.add(z, bias));
    return {{x}, slope};
  }

  // Logit `z` at `position`, with the partner's `b` (null without).
  RowElement element(Value z, Value b, Value position) {
    RowElement result = see(transforms[0], z, position);
    if (!b) return result;
    result.x[kPartnerSource] = see(transforms[1], b, position).x[kLogitsSource];
    if (plan.has(kMixSource))
      result.x[kMixSource] = mix(result.x[kLogitsSource], result.x[kPartnerSource]);
    return result;
  }

  SmallVector<RowElement> elements(Value position, int64_t width) {
    SmallVector<Value> own = loadGroup(base, position, width), partner;
    if (plan.partner) partner = loadPartner(position, width);
    SmallVector<RowElement> found;
    for (int64_t i = 0; i < width; ++i)
      found.push_back(
          element(own[i], plan.partner ? partner[i] : Value(), e.add(position, e.index(i))));
    return found;
  }

  using Step =
      llvm::function_ref<SmallVector<Value>(Value position, int64_t width, ValueRange carried)>;

  // Visits the positions of this thread: at most one before the aligned part, groups in it, one
  // after it; in ascending order.
  SmallVector<Value> forEach(SmallVector<Value> carried, Step step) {
    SmallVector<Type> types = llvm::to_vector(ValueRange(carried).getTypes());
    auto single = [&](Value position, Value end, SmallVector<Value> values) {
      Value inside = e.compareInt(CmpIPredicate::slt, position, end);
      if (types.empty()) {
        e.branch(inside, {}, [&] { return step(position, 1, {}); });
        return values;
      }
      return e.branch(
          inside, types, [&] { return step(position, 1, values); }, [&] { return values; });
    };
    carried = single(thread, alignedBegin, carried);
    Value begin = e.add(alignedBegin, e.mul(thread, e.index(perAccess)));
    carried = e.loop(
        begin, alignedEnd, e.index(perAccess * kGpuRowThreads), carried,
        [&](Value position, ValueRange values) { return step(position, perAccess, values); });
    return single(e.add(alignedEnd, thread), vocab, carried);
  }

  // --- Statistics ------------------------------------------------------------------------------

  Value expOf(Value d) override { return gpu.exp2(e.mul(d, e.like(d, kLog2E))); }

  SmallVector<Value> flatten(const Seen& seen) {
    SmallVector<Value> values;
    for (RowSource source : plan.sources) values.push_back(seen.maxima[source]);
    values.append(seen.sums);
    if (plan.argmax) values.append({seen.best, seen.position});
    return values;
  }

  Seen unflatten(ValueRange values) {
    Seen seen;
    size_t next = 0;
    for (RowSource source : plan.sources) seen.maxima[source] = values[next++];
    for (size_t i = 0; i < plan.sums.size(); ++i) seen.sums.push_back(values[next++]);
    if (plan.argmax) {
      seen.best = values[next];
      seen.position = values[next + 1];
    }
    return seen;
  }

  Seen nothing() {
    Seen seen;
    for (RowSource source : plan.sources) seen.maxima[source] = e.constant(e.f32(), kLowest);
    seen.sums.assign(plan.sums.size(), e.constant(e.f32(), 0.0));
    if (plan.argmax) {
      seen.best = e.constant(e.f32(), -kInfinity);
      seen.position = e.constantInt(e.i32(), std::numeric_limits<int32_t>::max());
    }
    return seen;
  }

  // The sums of `seen` relative to maxima that are not below its own: with d' = d + shift,
  // exp(d') = exp(d) exp(shift).
  SmallVector<Value> rescaled(const Seen& seen, const SourceValues& maxima) {
    SourceValues shift = differences(seen.maxima, maxima), scale = exponentials(shift);
    auto sum = [&](RowSum which) { return seen.sums[plan.positionOf(which)]; };
    auto shifted = [&](RowSum which, RowSum exponentialSum, Value by) {
      return e.fma(by, sum(exponentialSum), sum(which));
    };
    SmallVector<Value> result;
    for (RowSum which : plan.sums) {
      Value value = sum(which);
      Value factor = scale[kLogitsSource];
      if (which == RowSum::kWeighted) value = shifted(which, RowSum::kExp, shift[kLogitsSource]);
      if (which == RowSum::kSquares) value = e.mul(value, factor);
      if (which == RowSum::kTo)
        value = shifted(which, RowSum::kExp, e.sub(shift[kLogitsSource], shift[kPartnerSource]));
      if (which == RowSum::kFrom)
        value =
            shifted(which, RowSum::kPartnerExp, e.sub(shift[kPartnerSource], shift[kLogitsSource]));
      if (which == RowSum::kPartnerExp || which == RowSum::kFrom) factor = scale[kPartnerSource];
      if (which == RowSum::kMixExp) factor = scale[kMixSource];
      result.push_back(e.mul(value, factor));
    }
    return result;
  }

  Seen merge(const Seen& a, const Seen& b) {
    Seen both;
    for (RowSource source : plan.sources)
      both.maxima[source] = e.greater(a.maxima[source], b.maxima[source]);
    SmallVector<Value> left = rescaled(a, both.maxima), right = rescaled(b, both.maxima);
    for (size_t i = 0; i < left.size(); ++i) both.sums.push_back(e.add(left[i], right[i]));
    if (!plan.argmax) return both;
    Value above = e.compare(CmpFPredicate::OGT, a.best, b.best);
    Value equal = e.compare(CmpFPredicate::OEQ, a.best, b.best);
    Value earlier = e.compareInt(CmpIPredicate::slt, a.position, b.position);
    Value takes = arith::OrIOp::create(e.builder, e.loc, above,
                                       arith::AndIOp::create(e.builder, e.loc, equal, earlier));
    both.best = e.select(takes, a.best, b.best);
    both.position = e.select(takes, a.position, b.position);
    return both;
  }

  Seen include(const Seen& before, ArrayRef<RowElement> found, Value position) {
    Seen seen = before;
    for (RowSource source : plan.sources)
      for (const RowElement& element : found)
        seen.maxima[source] = e.greater(element.x[source], seen.maxima[source]);
    seen.sums = rescaled(before, seen.maxima);
    for (auto [i, element] : llvm::enumerate(found)) {
      SourceValues d = differences(element.x, seen.maxima);
      SmallVector<Value> added = terms(d, exponentials(d));
      for (size_t s = 0; s < added.size(); ++s) seen.sums[s] = e.add(seen.sums[s], added[s]);
      if (plan.argmax) includeInArgmax(seen, element.x[kLogitsSource], e.add(position, e.index(i)));
    }
    return seen;
  }

  // Positions ascend, so that the first of equals stays.
  void includeInArgmax(Seen& seen, Value x, Value position) {
    Value none = e.constantInt(e.i32(), std::numeric_limits<int32_t>::max());
    Value above =
        arith::OrIOp::create(e.builder, e.loc, e.compare(CmpFPredicate::OGT, x, seen.best),
                             // A row of -inf has its maximum at its beginning.
                             e.compareInt(CmpIPredicate::eq, seen.position, none));
    Value index = arith::TruncIOp::create(e.builder, e.loc, e.i32(), position);
    Value broken = e.compare(CmpFPredicate::UNO, x, x);
    seen.best = e.select(broken, e.like(x, kInfinity), e.select(above, x, seen.best));
    seen.position =
        e.select(broken, e.constantInt(e.i32(), -1), e.select(above, index, seen.position));
  }

  // Over lanes whose numbers differ in the bits below `width`; every lane gets the same bits.
  Seen mergeLanes(Seen mine, int32_t width) {
    for (int32_t mask = width / 2; mask > 0; mask /= 2) {
      SmallVector<Value> others;
      for (Value value : flatten(mine)) others.push_back(gpu.shuffleXor(value, mask));
      mine = merge(mine, unflatten(others));
    }
    return mine;
  }

  // One reading of the row.
  RowStatistics emitStatistics() {
    SmallVector<Value> start = flatten(nothing());
    RowStatistics statistics;
    if (start.empty()) return statistics;
    SmallVector<Value> found =
        forEach(start, [&](Value position, int64_t width, ValueRange carried) {
          return flatten(include(unflatten(carried), elements(position, width), position));
        });
    SmallVector<Value> mine = flatten(mergeLanes(unflatten(found), kWarpSize));
    Value lane = gpu.lane(thread), warp = gpu.warp(thread);
    whenTrue(e.compareInt(CmpIPredicate::eq, lane, e.index(0)), [&] {
      for (auto [array, value] : llvm::zip(shared, mine)) gpu.storeShared(value, array, warp);
    });
    gpu.barrier();
    Value slot = e.remainder(lane, e.index(kWarps));
    for (auto [array, value] : llvm::zip(shared, mine)) value = gpu.loadShared(array, slot);
    Seen all = mergeLanes(unflatten(mine), kWarps);
    statistics.maximum = all.maxima;
    statistics.sums = all.sums;
    if (plan.argmax) {
      Value broken = e.compareInt(CmpIPredicate::slt, all.position, e.constantInt(e.i32(), 0));
      statistics.argmax =
          e.select(broken, e.constant(e.f32(), std::numeric_limits<double>::quiet_NaN()),
                   e.intToFloat(all.position, e.f32()));
    }
    return statistics;
  }

  // --- The row ---------------------------------------------------------------------------------

  void emitRow(bool isPlain) {
    plain = isPlain;
    // Read by all threads before the barriers of the reduction, hence before the row is
    // overwritten.
    const SmallVector<RowPoint> points = emitPoints();
    const RowStatistics statistics = emitStatistics();
    whenTrue(first, [&] { emitReads(statistics, points); });
    if (plan.gradient == RowGradient::kNone) return;
    Value writes = e.compareInt(CmpIPredicate::ne, mode, e.constantInt(e.i32(), ALIDADE_ROWS_READ));
    whenTrue(writes, [&] { emitGradient(statistics, points); });
  }

  RowPoint pointAt(Value position, Value inside) {
    Value partner = plan.partner ? loadOne(partnerBase, position) : Value();
    RowElement found = element(loadOne(base, position), partner, position);
    return {position, inside, found.x, found.slope};
  }

  SmallVector<RowPoint> emitPoints() {
    const RowPoint atLabel = pointAt(label, nullptr);
    SmallVector<RowPoint> points;
    for (auto [i, read] : llvm::enumerate(plan.program.reads)) {
      if (!schedule::FindReadOp(read.op)->has_index) {
        points.push_back(atLabel);
        continue;
      }
      Value array = field(offsetof(AlidadeRowArgs, indexes) + i * sizeof(void*), e.pointer());
      Value index = e.load(e.f32(), e.address(array, row, e.f32()), sizeof(float));
      Value inside = arith::AndIOp::create(
          e.builder, e.loc, e.compare(CmpFPredicate::OGE, index, e.like(index, 0.0)),
          e.compare(CmpFPredicate::OLT, index, e.intToFloat(vocab, e.f32())));
      Value safe = e.select(inside, index, e.like(index, 0.0));
      points.push_back(pointAt(arith::FPToSIOp::create(e.builder, e.loc, e.i64(), safe), inside));
    }
    return points;
  }

  void emitReads(const RowStatistics& statistics, ArrayRef<RowPoint> points) {
    for (size_t i = 0; i < plan.program.reads.size(); ++i) {
      Value array = field(offsetof(AlidadeRowArgs, reads) + i * sizeof(void*), e.pointer());
      Value value = readValue(i, statistics, points);
      whenTrue(e.isSet(array),
               [&] { e.store(value, e.address(array, row, e.f32()), sizeof(float)); });
    }
  }

  // Cotangent of each read with gradient, f32: 1 in mode ALIDADE_ROWS_UNSCALED.
  SmallVector<Value> emitWeights() {
    SmallVector<Value> weights(plan.program.reads.size());
    size_t next = 0;
    for (auto [read, weight] : llvm::zip(plan.program.reads, weights)) {
      if (!read.gradient) continue;
      size_t offset = offsetof(AlidadeRowArgs, cotangents) + next++ * sizeof(void*);
      weight = e.branch(
          isMode(ALIDADE_ROWS_SCALED), e.f32(),
          [&]() -> SmallVector<Value> {
            Value array = field(offset, e.pointer());
            return {e.load(e.f32(), e.address(array, row, e.f32()), sizeof(float))};
          },
          [&]() -> SmallVector<Value> { return {e.constant(e.f32(), 1.0)}; })[0];
    }
    return weights;
  }

  void emitGradient(const RowStatistics& statistics, ArrayRef<RowPoint> points) {
    // Without statistics nothing else orders the reading of the points before the writing.
    if (plan.sums.empty()) gpu.barrier();
    const SmallVector<Value> weights = emitWeights();
    const RowCoefficients found = coefficients(statistics, weights);
    const SourceValues least = thresholds(found);
    auto smooth = [&](const SourceValues& x) -> Value {
      if (plan.gradient == RowGradient::kPoints) return e.constant(e.f32(), 0.0);
      SourceValues d = differences(x, statistics.maximum);
      return denseGradient(d, exponentials(d), found, least);
    };
    auto sloped = [&](Value value, Value slope) { return slope ? e.mul(value, slope) : value; };
    forEach({}, [&](Value position, int64_t width, ValueRange) -> SmallVector<Value> {
      SmallVector<Value> values;
      if (plan.gradient == RowGradient::kPoints) {
        values.assign(width, e.constant(e.f32(), 0.0));
      } else {
        for (const RowElement& element : elements(position, width))
          values.push_back(sloped(smooth(element.x), element.slope));
      }
      storeGroup(position, values);
      return {};
    });
    gpu.barrier();
    // From what was read at the beginning, so that every entry is rounded once.
    whenTrue(first, [&] {
      for (auto [i, point] : llvm::enumerate(points)) {
        if (!pointWeight(i, weights)) continue;
        Value value = e.add(smooth(point.x), allWeightsAt(point, points, weights));
        auto write = [&, &point = point] { storeOne(point.position, sloped(value, point.slope)); };
        if (point.inside) {
          whenTrue(point.inside, write);
        } else {
          write();
        }
      }
    });
  }

  // Several reads may ask for the same position.
  Value allWeightsAt(const RowPoint& point, ArrayRef<RowPoint> points, ArrayRef<Value> weights) {
    Value sum = e.constant(e.f32(), 0.0);
    for (auto [i, other] : llvm::enumerate(points)) {
      Value weight = pointWeight(i, weights);
      if (!weight) continue;
      Value same = e.compareInt(CmpIPredicate::eq, point.position, other.position);
      if (other.inside) same = arith::AndIOp::create(e.builder, e.loc, same, other.inside);
      sum = e.add(sum, e.select(same, weight, e.constant(e.f32(), 0.0)));
    }
    return sum;
  }
};

}  // namespace

void buildGpuRowKernel(Operation* gpuModule, StringRef name, const schedule::RowProgram& program,
                       RowElementType type) {
  OpBuilder builder(gpuModule->getContext());
  GpuEmitter e(builder, builder.getUnknownLoc());
  gpu::GPUFuncOp kernel =
      e.beginStructKernel(gpuModule, name, sizeof(AlidadeRowArgs), kGpuRowThreads);
  GpuRowKernel(e, kernel, program, type).emit();
  e.endKernel();
}

}  // namespace alidade::pref
