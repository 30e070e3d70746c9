#include "compiler/conversion/GpuEmitter.h"
#include "compiler/conversion/ScalarBlockBase.h"
#include "compiler/runtime/abi.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace alidade::pref {
namespace {

using arith::CmpIPredicate;

constexpr int64_t kWarps = kGpuScalarThreads / kWarpSize;

// A warp takes a row, its lanes take the points of an axis in the row; members are taken one after
// another, lanes take their tokens. What has a value per row or member is computed by all lanes
// alike, [] values by all threads alike.
class GpuScalarBlock final : public ScalarBlockBase {
 public:
  GpuScalarBlock(GpuEmitter& gpu, ObjectiveOp objective, const KnownValues& known,
                 LoopPlan::Function kind, gpu::GPUFuncOp kernel)
      : ScalarBlockBase(gpu, objective, known, kind, kernel.getArgument(0)),
        gpu(gpu),
        partials(gpu.sharedArray(kernel, kWarps, gpu.f64())),
        thread(gpu.thread()),
        lane(gpu.lane(thread)),
        warp(gpu.warp(thread)) {}

 protected:
  Range shareOf(Sharing sharing, Value begin, Value end) override {
    switch (sharing) {
      case Sharing::kRows:
        return {e.add(begin, warp), end, e.index(kWarps)};
      case Sharing::kBatchPoints:
        return {e.add(begin, thread), end, e.index(kGpuScalarThreads)};
      case Sharing::kRowPoints:
        return {e.add(begin, lane), end, e.index(kWarpSize)};
    }
    llvm_unreachable("every sharing is handled");
  }

  Value join(Sharing sharing, Value partial, Combine combine) override {
    if (sharing == Sharing::kRowPoints) {
      for (int32_t mask = kWarpSize / 2; mask > 0; mask /= 2)
        partial = combine(partial, gpu.shuffleXor(partial, mask));
      return partial;
    }
    // All lanes of a warp hold the warp's partial result.
    oncePerRow([&] { gpu.storeShared(partial, partials, warp); });
    gpu.barrier();
    Value total = gpu.loadShared(partials, e.index(0));
    for (int64_t i = 1; i < kWarps; ++i)
      total = combine(total, gpu.loadShared(partials, e.index(i)));
    gpu.barrier();
    return total;
  }

  void synchronize(Sharing sharing) override {
    if (sharing == Sharing::kRowPoints)
      gpu.warpBarrier();
    else
      gpu.barrier();
  }

  void once(llvm::function_ref<void()> body) override { inThreadZeroOf(thread, body); }
  void oncePerRow(llvm::function_ref<void()> body) override { inThreadZeroOf(lane, body); }
  bool isAlone() const override { return false; }

  // A warp takes 32 points at a time. After the step of distance d a lane holds the sum over the
  // 2 d points up to its own; `carry` is the sum up to the points before.
  void scan(Value begin, Value end, Value decay, bool reverse, Load load, Store store) override {
    Value zero = e.constant(e.f64(), 0.0);
    SmallVector<Value> powers = {decay};  // decay^(2^k)
    for (int64_t distance = 2; distance < kWarpSize; distance *= 2)
      powers.push_back(e.mul(powers.back(), powers.back()));
    Value fromCarry = decay;  // decay^(lane + 1)
    for (auto [bit, power] : llvm::enumerate(powers))
      fromCarry = e.mul(fromCarry, e.select(laneHasBit(bit), power, e.constant(e.f64(), 1.0)));

    e.loop(begin, end, e.index(kWarpSize), {zero},
           [&](Value first, ValueRange carry) -> SmallVector<Value> {
             Value i = e.add(first, lane);
             Value index = reverse ? e.sub(e.add(begin, e.sub(end, i)), e.index(1)) : i;
             Value isPoint = e.compareInt(CmpIPredicate::slt, i, end);
             Value sum = e.branch(
                 isPoint, {e.f64()}, [&]() -> SmallVector<Value> { return {load(index)}; },
                 [&]() -> SmallVector<Value> { return {e.constant(e.f64(), 0.0)}; })[0];
             for (auto [k, power] : llvm::enumerate(powers)) {
               const int32_t distance = 1 << k;
               Value before = gpu.shuffleUp(sum, distance);
               Value hasBefore = e.compareInt(CmpIPredicate::sge, lane, e.index(distance));
               sum = e.select(hasBefore, e.add(sum, e.mul(power, before)), sum);
             }
             sum = e.add(sum, e.mul(fromCarry, carry[0]));
             e.branch(isPoint, {}, [&]() -> SmallVector<Value> {
               store(sum, index);
               return {};
             });
             return {gpu.shuffleFrom(sum, kWarpSize - 1)};
           });
  }

  // A kernel cannot reach other ranks: the launcher refuses such an objective on several.
  SmallVector<Value> sumOverRanks(ArrayRef<Value> values) override {
    return llvm::to_vector(values);
  }

 private:
  GpuEmitter& gpu;
  const Value partials, thread, lane, warp;

  Value laneHasBit(unsigned bit) {
    Value masked = e.bitAnd(lane, e.index(int64_t{1} << bit));
    return e.compareInt(CmpIPredicate::ne, masked, e.index(0));
  }

  void inThreadZeroOf(Value number, llvm::function_ref<void()> body) {
    Value first = e.compareInt(CmpIPredicate::eq, number, e.index(0));
    e.branch(first, {}, [&]() -> SmallVector<Value> {
      body();
      return {};
    });
  }
};

FailureOr<ScratchSize> buildKernel(Operation* gpuModule, StringRef name, ObjectiveOp objective,
                                   const KnownValues& known, LoopPlan::Function kind) {
  OpBuilder builder(gpuModule->getContext());
  GpuEmitter e(builder, objective.getLoc());
  gpu::GPUFuncOp kernel =
      e.beginStructKernel(gpuModule, name, sizeof(AlidadeScalarArgs), kGpuScalarThreads);
  // One block is all there is: it may have the registers of a whole multiprocessor.
  kernel->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(), builder.getI32IntegerAttr(1));
  GpuScalarBlock block(e, objective, known, kind, kernel);
  if (failed(block.emit())) return failure();
  e.endKernel();
  return block.scratchSize();
}

}  // namespace

FailureOr<ScalarBlockSizes> buildGpuScalarBlock(Operation* gpuModule, ObjectiveOp objective) {
  return buildBoth(objective,
                   [&](StringRef name, const KnownValues& known, LoopPlan::Function kind) {
                     return buildKernel(gpuModule, name, objective, known, kind);
                   });
}

}  // namespace alidade::pref
