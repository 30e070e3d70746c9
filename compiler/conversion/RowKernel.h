// The row kernel: for every row of logits, its log softmax at the label and, if asked, the gradient
// of that value with respect to the logits, in place. Independent of the objective.
//
// Per row: one pass for the maximum; one pass for e = exp(x - max) and its sum, which stores e when
// a gradient is wanted so that no exponential is computed twice; and, for the gradient, one pass
// that scales. All but the first find the row in cache (a row of 32000 logits is 125 KiB). Rows
// must be finite or -inf; a NaN shows in the result.

#ifndef ALIDADE_COMPILER_CONVERSION_ROWKERNEL_H_
#define ALIDADE_COMPILER_CONVERSION_ROWKERNEL_H_

#include "mlir/IR/BuiltinOps.h"

namespace alidade::pref {

// Appends func.func `name`, an AlidadeRowFn of compiler/runtime/abi.h, computing on vectors of
// `lanes` floats.
void buildRowKernel(mlir::ModuleOp module, llvm::StringRef name, int64_t lanes);

// Appends gpu.func `alidade_rows` to a gpu.module: one block of kGpuRowThreads threads per row,
// 16-byte accesses. Parameters: logits, vocab i64, stride i64, labels, logp, gradient i32.
void buildGpuRowKernel(mlir::Operation* gpuModule);

// Threads per block of the GPU row kernel; the launcher must use exactly this.
inline constexpr int64_t kGpuRowThreads = 512;

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_CONVERSION_ROWKERNEL_H_
