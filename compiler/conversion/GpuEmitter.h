// What a GPU kernel needs beside the Emitter: thread positions, shuffles, shared memory.

#ifndef ALIDADE_COMPILER_CONVERSION_GPUEMITTER_H_
#define ALIDADE_COMPILER_CONVERSION_GPUEMITTER_H_

#include "compiler/conversion/Emitter.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace alidade::pref {

inline constexpr int64_t kWarpSize = 32;

class GpuEmitter : public Emitter {
 public:
  using Emitter::Emitter;

  // Starts gpu.func `name`, a kernel for blocks of exactly `threads` threads, and moves the
  // insertion point into it.
  mlir::gpu::GPUFuncOp beginKernel(mlir::Operation* gpuModule, llvm::StringRef name,
                                   llvm::ArrayRef<mlir::Type> inputs, int64_t threads);
  // The same with one parameter, a struct of `bytes` bytes that is passed by value; the kernel's
  // argument is its address.
  mlir::gpu::GPUFuncOp beginStructKernel(mlir::Operation* gpuModule, llvm::StringRef name,
                                         uint64_t bytes, int64_t threads);
  void endKernel();
  // `count` values of `element` in shared memory of the kernel.
  mlir::Value sharedArray(mlir::gpu::GPUFuncOp kernel, int64_t count, mlir::Type element);
  mlir::Value loadShared(mlir::Value array, mlir::Value index);
  void storeShared(mlir::Value value, mlir::Value array, mlir::Value index);

  // As i64.
  mlir::Value thread();
  mlir::Value block();
  mlir::Value lane(mlir::Value thread);
  mlir::Value warp(mlir::Value thread);
  void barrier();
  // Waits for the lanes of the warp, which then see what each of them stored.
  void warpBarrier();
  // The value of the lane whose number differs in the bits of `mask`; f32 or f64. All lanes of the
  // warp take part.
  mlir::Value shuffleXor(mlir::Value value, int32_t mask);
  // The value of the lane `distance` below; its own in the lanes that have none.
  mlir::Value shuffleUp(mlir::Value value, int32_t distance);
  // The value of one lane.
  mlir::Value shuffleFrom(mlir::Value value, int32_t lane);
  // 2^x in one instruction, f32, relative error 2^-22.
  mlir::Value exp2(mlir::Value x);

 private:
  mlir::Value shuffle(mlir::Value value, int32_t offset, mlir::gpu::ShuffleMode mode);
};

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_CONVERSION_GPUEMITTER_H_
