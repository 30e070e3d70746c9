#include <limits>

#include "compiler/conversion/GpuEmitter.h"
#include "compiler/conversion/RowKernel.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace alidade::pref {
namespace {

using arith::CmpIPredicate;

constexpr int64_t kWarps = kGpuRowThreads / kWarpSize;
constexpr int64_t kVector = 4;  // floats of one 16-byte access
constexpr int64_t kAccessBytes = 16;
constexpr double kLog2E = 1.4426950408889634;
// Stands for -inf as the maximum of nothing: differences with it are never NaN.
constexpr double kLowest = std::numeric_limits<float>::lowest();

// The running maximum of some logits and the sum of exp(x - maximum) over them.
struct Statistics {
  Value maximum, sum;
};

class GpuRowKernel {
 public:
  GpuRowKernel(GpuEmitter& e, gpu::GPUFuncOp kernel)
      : e(e),
        logits(kernel.getArgument(0)),
        vocab(kernel.getArgument(1)),
        stride(kernel.getArgument(2)),
        labels(kernel.getArgument(3)),
        logp(kernel.getArgument(4)),
        gradient(kernel.getArgument(5)),
        maxima(e.sharedArray(kernel, kWarps, e.f32())),
        sums(e.sharedArray(kernel, kWarps, e.f32())) {}

  void emit() {
    thread = e.thread();
    Value row = e.block();
    base = e.address(logits, e.mul(row, stride), e.f32());
    findAlignedPart();
    Value label = e.load(e.i64(), e.address(labels, row, e.i64()), sizeof(int64_t));
    // Read by all threads before the barriers of the reduction, hence before the row is
    // overwritten.
    Value target = e.load(e.f32(), at(label), sizeof(float));
    Statistics statistics = emitStatistics();
    Value first = e.compareInt(CmpIPredicate::eq, thread, e.index(0));
    whenTrue(first, [&] {
      Value shifted = e.sub(e.extend(target), e.extend(statistics.maximum));
      Value result =
          e.sub(shifted, math::LogOp::create(e.builder, e.loc, e.extend(statistics.sum)));
      e.store(e.truncate(result), e.address(logp, row, e.f32()), sizeof(float));
    });
    whenTrue(e.compareInt(CmpIPredicate::ne, gradient, e.constantInt(e.i32(), 0)), [&] {
      emitGradient(statistics);
      e.barrier();
      whenTrue(first, [&] {
        Value kept = e.load(e.f32(), at(label), sizeof(float));
        e.store(e.add(kept, e.constant(e.f32(), 1.0)), at(label), sizeof(float));
      });
    });
  }

 private:
  GpuEmitter& e;
  const Value logits, vocab, stride, labels, logp, gradient, maxima, sums;
  Value thread, base;
  Value alignedBegin, alignedEnd;  // multiples of kAccessBytes from address 0

  void whenTrue(Value condition, llvm::function_ref<void()> body) {
    e.branch(condition, {}, [&]() -> SmallVector<Value> {
      body();
      return {};
    });
  }

  Value at(Value position) { return e.address(base, position, e.f32()); }

  void findAlignedPart() {
    Value address = LLVM::PtrToIntOp::create(e.builder, e.loc, e.i64(), base);
    Value past = e.remainder(address, e.index(kAccessBytes));
    Value missing = e.remainder(e.sub(e.index(kAccessBytes), past), e.index(kAccessBytes));
    alignedBegin = arith::MinSIOp::create(e.builder, e.loc, e.shiftRight(missing, 2), vocab);
    Value rest = e.sub(vocab, alignedBegin);
    alignedEnd = e.sub(vocab, e.remainder(rest, e.index(kVector)));
  }

  using Step =
      llvm::function_ref<SmallVector<Value>(Value position, int64_t width, ValueRange carried)>;

  // Visits the positions of this thread: at most one before the aligned part, groups of kVector in
  // it, one after it.
  SmallVector<Value> forEach(SmallVector<Value> carried, Step step) {
    TypeRange types = ValueRange(carried).getTypes();
    SmallVector<Type> kept(types.begin(), types.end());
    auto single = [&](Value position, Value end, SmallVector<Value> values) {
      Value inside = e.compareInt(CmpIPredicate::slt, position, end);
      if (kept.empty()) {
        e.branch(inside, {}, [&] { return step(position, 1, {}); });
        return values;
      }
      return e.branch(
          inside, kept, [&] { return step(position, 1, values); }, [&] { return values; });
    };
    carried = single(thread, alignedBegin, carried);
    Value begin = e.add(alignedBegin, e.mul(thread, e.index(kVector)));
    carried =
        e.loop(begin, alignedEnd, e.index(kVector * kGpuRowThreads), carried,
               [&](Value position, ValueRange values) { return step(position, kVector, values); });
    return single(e.add(alignedEnd, thread), vocab, carried);
  }

  SmallVector<Value> loadGroup(Value position, int64_t width) {
    if (width == 1) return {e.load(e.f32(), at(position), sizeof(float))};
    Value group = e.load(VectorType::get({width}, e.f32()), at(position), kAccessBytes);
    SmallVector<Value> values;
    for (int64_t i = 0; i < width; ++i)
      values.push_back(vector::ExtractOp::create(e.builder, e.loc, group, i));
    return values;
  }

  void storeGroup(Value position, ArrayRef<Value> values) {
    if (values.size() == 1) return e.store(values[0], at(position), sizeof(float));
    auto type = VectorType::get({static_cast<int64_t>(values.size())}, e.f32());
    e.store(vector::FromElementsOp::create(e.builder, e.loc, type, values), at(position),
            kAccessBytes);
  }

  // exp(x - maximum).
  Value expBelow(Value x, Value maximum) {
    Value difference = e.sub(x, maximum);
    return e.exp2(e.mul(difference, e.like(x, kLog2E)));
  }

  Statistics merge(Statistics a, Statistics b) {
    Value maximum = e.greater(a.maximum, b.maximum);
    return {maximum, e.add(e.mul(a.sum, expBelow(a.maximum, maximum)),
                           e.mul(b.sum, expBelow(b.maximum, maximum)))};
  }

  // Over lanes whose numbers differ in the bits below `width`; every lane gets the same bits.
  Statistics mergeLanes(Statistics mine, int32_t width) {
    for (int32_t mask = width / 2; mask > 0; mask /= 2)
      mine = merge(mine, {e.shuffleXor(mine.maximum, mask), e.shuffleXor(mine.sum, mask)});
    return mine;
  }

  // One reading of the row.
  Statistics emitStatistics() {
    SmallVector<Value> found = {e.constant(e.f32(), kLowest), e.constant(e.f32(), 0.0)};
    found = forEach(found,
                    [&](Value position, int64_t width, ValueRange carried) -> SmallVector<Value> {
                      SmallVector<Value> values = loadGroup(position, width);
                      Value maximum = carried[0];
                      for (Value value : values) maximum = e.greater(value, maximum);
                      Value sum = e.mul(carried[1], expBelow(carried[0], maximum));
                      for (Value value : values) sum = e.add(sum, expBelow(value, maximum));
                      return {maximum, sum};
                    });
    Statistics mine = mergeLanes({found[0], found[1]}, kWarpSize);
    Value lane = e.lane(thread), warp = e.warp(thread);
    whenTrue(e.compareInt(CmpIPredicate::eq, lane, e.index(0)), [&] {
      e.storeShared(mine.maximum, maxima, warp);
      e.storeShared(mine.sum, sums, warp);
    });
    e.barrier();
    Value slot = e.remainder(lane, e.index(kWarps));
    return mergeLanes({e.loadShared(maxima, slot), e.loadShared(sums, slot)}, kWarps);
  }

  // Overwrites the row by -softmax.
  void emitGradient(Statistics statistics) {
    Value factor = e.div(e.constant(e.f32(), -1.0), statistics.sum);
    forEach({}, [&](Value position, int64_t width, ValueRange) -> SmallVector<Value> {
      SmallVector<Value> values = loadGroup(position, width);
      for (Value& value : values) value = e.mul(expBelow(value, statistics.maximum), factor);
      storeGroup(position, values);
      return {};
    });
  }
};

}  // namespace

void buildGpuRowKernel(Operation* gpuModule) {
  OpBuilder builder(gpuModule->getContext());
  GpuEmitter e(builder, builder.getUnknownLoc());
  Type pointer = e.pointer();
  gpu::GPUFuncOp kernel =
      e.beginKernel(gpuModule, "alidade_rows",
                    {pointer, e.i64(), e.i64(), pointer, pointer, e.i32()}, kGpuRowThreads);
  GpuRowKernel(e, kernel).emit();
  e.endKernel();
}

}  // namespace alidade::pref
