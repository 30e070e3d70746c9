#include "compiler/conversion/GpuEmitter.h"
#include "compiler/conversion/ScalarBlockBase.h"
#include "compiler/runtime/abi.h"

using namespace mlir;

namespace alidade::pref {
namespace {

using arith::CmpIPredicate;

constexpr int64_t kWarps = kGpuScalarThreads / kWarpSize;

// A warp takes a row, its lanes take tokens. [] values are computed by all threads alike.
class GpuScalarBlock final : public ScalarBlockBase {
 public:
  GpuScalarBlock(GpuEmitter& gpu, ObjectiveOp objective, gpu::GPUFuncOp kernel)
      : ScalarBlockBase(gpu, objective, kernel.getArgument(0)),
        gpu(gpu),
        sums(gpu.sharedArray(kernel, kWarps, gpu.f64())),
        thread(gpu.thread()),
        lane(gpu.lane(thread)),
        warp(gpu.warp(thread)) {}

 protected:
  Range rowsOf(Value begin, Value end) override {
    return {e.add(begin, warp), end, e.index(kWarps)};
  }
  Range tokensOf(Value begin, Value end) override {
    return {e.add(begin, lane), end, e.index(kWarpSize)};
  }

  Value joinTokens(Value partial) override {
    for (int32_t mask = kWarpSize / 2; mask > 0; mask /= 2)
      partial = e.add(partial, gpu.shuffleXor(partial, mask));
    return partial;
  }

  // All lanes of a warp hold the warp's sum. The first barrier also lets the whole block see what
  // rows kept in scratch.
  Value joinRows(Value partial) override {
    oncePerRow([&] { gpu.storeShared(partial, sums, warp); });
    gpu.barrier();
    Value total = gpu.loadShared(sums, e.index(0));
    for (int64_t i = 1; i < kWarps; ++i) total = e.add(total, gpu.loadShared(sums, e.index(i)));
    gpu.barrier();
    return total;
  }

  void once(llvm::function_ref<void()> body) override { inThreadZeroOf(thread, body); }
  void oncePerRow(llvm::function_ref<void()> body) override { inThreadZeroOf(lane, body); }

 private:
  GpuEmitter& gpu;
  const Value sums, thread, lane, warp;

  void inThreadZeroOf(Value number, llvm::function_ref<void()> body) {
    Value first = e.compareInt(CmpIPredicate::eq, number, e.index(0));
    e.branch(first, {}, [&]() -> SmallVector<Value> {
      body();
      return {};
    });
  }
};

}  // namespace

FailureOr<ScratchSize> buildGpuScalarBlock(Operation* gpuModule, ObjectiveOp objective) {
  OpBuilder builder(gpuModule->getContext());
  GpuEmitter e(builder, objective.getLoc());
  gpu::GPUFuncOp kernel = e.beginStructKernel(gpuModule, "alidade_scalars",
                                              sizeof(AlidadeScalarArgs), kGpuScalarThreads);
  GpuScalarBlock block(e, objective, kernel);
  if (failed(block.emit())) return failure();
  e.endKernel();
  return block.scratchSize();
}

}  // namespace alidade::pref
