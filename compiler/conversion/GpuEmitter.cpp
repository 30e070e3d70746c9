#include "compiler/conversion/GpuEmitter.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace alidade::pref {

gpu::GPUFuncOp GpuEmitter::beginKernel(Operation* gpuModule, StringRef name, ArrayRef<Type> inputs,
                                       int64_t threads) {
  auto module = cast<gpu::GPUModuleOp>(gpuModule);
  builder.setInsertionPointToEnd(module.getBody());
  auto kernel = gpu::GPUFuncOp::create(builder, loc, name, builder.getFunctionType(inputs, {}));
  kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), builder.getUnitAttr());
  kernel.setKnownBlockSizeAttr(builder.getDenseI32ArrayAttr({static_cast<int32_t>(threads), 1, 1}));
  builder.setInsertionPointToEnd(&kernel.getBody().front());
  return kernel;
}

gpu::GPUFuncOp GpuEmitter::beginStructKernel(Operation* gpuModule, StringRef name, uint64_t bytes,
                                             int64_t threads) {
  gpu::GPUFuncOp kernel = beginKernel(gpuModule, name, {pointer()}, threads);
  Type image = LLVM::LLVMArrayType::get(builder.getI8Type(), bytes);
  kernel.setArgAttr(0, LLVM::LLVMDialect::getByValAttrName(), TypeAttr::get(image));
  kernel.setArgAttr(0, LLVM::LLVMDialect::getAlignAttrName(), builder.getI64IntegerAttr(8));
  return kernel;
}

void GpuEmitter::endKernel() { gpu::ReturnOp::create(builder, loc); }

Value GpuEmitter::sharedArray(gpu::GPUFuncOp kernel, int64_t count, Type element) {
  auto space = gpu::AddressSpaceAttr::get(builder.getContext(), gpu::AddressSpace::Workgroup);
  return kernel.addWorkgroupAttribution(
      MemRefType::get({count}, element, MemRefLayoutAttrInterface(), space), loc);
}

Value GpuEmitter::loadShared(Value array, Value index) {
  Value position = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), index);
  return memref::LoadOp::create(builder, loc, array, ValueRange{position});
}

void GpuEmitter::storeShared(Value value, Value array, Value index) {
  Value position = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), index);
  memref::StoreOp::create(builder, loc, value, array, ValueRange{position});
}

Value GpuEmitter::thread() {
  return arith::IndexCastOp::create(builder, loc, i64(),
                                    gpu::ThreadIdOp::create(builder, loc, gpu::Dimension::x));
}

Value GpuEmitter::block() {
  return arith::IndexCastOp::create(builder, loc, i64(),
                                    gpu::BlockIdOp::create(builder, loc, gpu::Dimension::x));
}

Value GpuEmitter::lane(Value thread) { return remainder(thread, index(kWarpSize)); }
Value GpuEmitter::warp(Value thread) { return shiftRight(thread, 5); }

void GpuEmitter::barrier() { gpu::BarrierOp::create(builder, loc); }

void GpuEmitter::warpBarrier() { NVVM::SyncWarpOp::create(builder, loc, constantInt(i32(), -1)); }

Value GpuEmitter::shuffleXor(Value value, int32_t mask) {
  return shuffle(value, mask, gpu::ShuffleMode::XOR);
}

Value GpuEmitter::shuffleUp(Value value, int32_t distance) {
  return shuffle(value, distance, gpu::ShuffleMode::UP);
}

Value GpuEmitter::shuffleFrom(Value value, int32_t lane) {
  return shuffle(value, lane, gpu::ShuffleMode::IDX);
}

Value GpuEmitter::shuffle(Value value, int32_t offset, gpu::ShuffleMode mode) {
  auto exchange = [&](Value part) -> Value {
    auto shuffle =
        gpu::ShuffleOp::create(builder, loc, part, offset, static_cast<int32_t>(kWarpSize), mode);
    return shuffle.getShuffleResult();
  };
  if (!value.getType().isF64()) return exchange(value);
  // Shuffles move 32 bits.
  Value bits = floatToBits(value);
  Value low = exchange(arith::TruncIOp::create(builder, loc, i32(), bits));
  Value high = exchange(arith::TruncIOp::create(builder, loc, i32(), shiftRight(bits, 32)));
  Value lowBits = arith::ExtUIOp::create(builder, loc, i64(), low);
  Value highBits = shiftLeft(arith::ExtUIOp::create(builder, loc, i64(), high), 32);
  return bitsToFloat(arith::OrIOp::create(builder, loc, highBits, lowBits));
}

// By intrinsic: convert-gpu-to-nvvm makes a library call of every other spelling.
Value GpuEmitter::exp2(Value x) {
  return LLVM::CallIntrinsicOp::create(builder, loc, f32(), builder.getStringAttr("llvm.exp2.f32"),
                                       ValueRange{x})
      ->getResult(0);
}

}  // namespace alidade::pref
