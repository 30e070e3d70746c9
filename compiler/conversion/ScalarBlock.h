// The scalar block: everything of a differentiated objective but its vocabulary reads, as functions
// that compute the loss, the metrics, the new states and the token cotangents from the reads
// (AlidadeScalarFn of compiler/runtime/abi.h).
//
// `alidade_scalars` computes all of that for a range of rows. Values that couple rows but carry no
// gradient (KnownValues) come from `alidade_known`, which computes them over the whole batch.
//
// Loops follow LoopPlan: one loop over rows per stage of the batch, inside it one loop over the
// points of each axis per stage of the row. All arithmetic is f64 (a few operations per token,
// against a vocabulary's worth in the row kernel); only what enters and leaves is f32.

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

struct ScalarBlockSizes {
  ScratchSize scratch;  // enough for either function
  ScratchSize known;
  bool hasKnown = false;  // there is a function that fills `known`
};

// Appends func.func `alidade_scalars_<suffix>` and, where something is known,
// `alidade_known_<suffix>` for one thread of a CPU. Errors: at an operation without lowering, or at
// an objective that is not differentiated.
mlir::FailureOr<ScalarBlockSizes> buildScalarBlock(mlir::ModuleOp module, llvm::StringRef suffix,
                                                   ObjectiveOp objective);

// Appends gpu.func `alidade_scalars` and, where something is known, `alidade_known` to a
// gpu.module: one block of kGpuScalarThreads threads; a warp takes a row, its lanes take the points
// in it. Sums have a fixed order. The one parameter is an AlidadeScalarArgs by value; its pointers
// are device pointers. Sums over ranks are those of this rank.
mlir::FailureOr<ScalarBlockSizes> buildGpuScalarBlock(mlir::Operation* gpuModule,
                                                      ObjectiveOp objective);

// Threads of the one block of the GPU scalar kernels; the launcher must use exactly this.
inline constexpr int64_t kGpuScalarThreads = 256;

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_CONVERSION_SCALARBLOCK_H_
