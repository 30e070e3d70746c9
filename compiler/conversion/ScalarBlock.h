// The scalar block: everything of a differentiated objective but its vocabulary reads, as one
// function that computes the loss, the metrics and the token cotangents from token
// log-probabilities (AlidadeScalarFn of compiler/runtime/abi.h).
//
// Loops follow LoopPlan: one loop over rows per phase, inside it one loop over the tokens of a
// response per level. All arithmetic is f64 (a few operations per token, against a vocabulary's
// worth in the row kernel); only what enters and leaves is f32.

#ifndef ALIDADE_COMPILER_CONVERSION_SCALARBLOCK_H_
#define ALIDADE_COMPILER_CONVERSION_SCALARBLOCK_H_

#include "compiler/dialect/pref/Pref.h"
#include "mlir/IR/BuiltinOps.h"

namespace alidade::pref {

// Doubles that AlidadeScalarArgs::scratch (or ::known) must hold: `fixed`, `perRow` for each row
// and `perAxis[a]` for each point of the signature's axis a (absent entries are 0).
struct ScratchSize {
  uint64_t fixed = 0;
  uint64_t perRow = 0;
  llvm::SmallVector<uint64_t> perAxis;
};

// Appends func.func `name` for one thread of a CPU. Errors: at an operation without lowering, or at
// an objective that is not differentiated.
mlir::FailureOr<ScratchSize> buildScalarBlock(mlir::ModuleOp module, llvm::StringRef name,
                                              ObjectiveOp objective);

// Appends gpu.func `alidade_scalars` to a gpu.module: one block of kGpuScalarThreads threads; a
// warp takes a row, its lanes take tokens. Sums have a fixed order. The one parameter is an
// AlidadeScalarArgs by value; its pointers are device pointers.
mlir::FailureOr<ScratchSize> buildGpuScalarBlock(mlir::Operation* gpuModule, ObjectiveOp objective);

// Threads of the one block of the GPU scalar kernel; the launcher must use exactly this.
inline constexpr int64_t kGpuScalarThreads = 256;

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_CONVERSION_SCALARBLOCK_H_
