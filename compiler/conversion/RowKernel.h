// Row kernels: for every row of logits the reads of a row program, and the gradient of its logits
// in place (AlidadeRowArgs of compiler/runtime/abi.h). Objectives differ in programs only, so that
// equal programs give equal kernels.
//
// CPU, per row: one pass for the maximum; one for e = exp(x - max) and the sums of the program;
// and, for a gradient, one that writes it. Where the gradient is e times a number
// (log-probabilities), the second pass stores e, so that no exponential is computed twice. Passes
// after the first find the row in cache (a row of 32000 logits is 125 KiB) and prefetch the next
// one, so that memory is never idle. Rows must be finite or -inf; a NaN shows in all reads but
// those of single logits.
//
// Errors of a log-probability: 2e-5 for logits up to 80 (sums in f64 over f32 blocks).

#ifndef ALIDADE_COMPILER_CONVERSION_ROWKERNEL_H_
#define ALIDADE_COMPILER_CONVERSION_ROWKERNEL_H_

#include "compiler/runtime/abi.h"
#include "compiler/schedule/row_program.h"
#include "mlir/IR/BuiltinOps.h"

namespace alidade::pref {

// Appends func.func `name`, an AlidadeRowFn for `program`, which must be valid
// (schedule::ValidateRowProgram), computing on vectors of `lanes` floats.
void buildRowKernel(mlir::ModuleOp module, llvm::StringRef name, int64_t lanes,
                    const schedule::RowProgram& program);

// Logits and gradients of a GPU kernel in memory; arithmetic is f32.
enum class RowElementType { kF32, kBf16 };

// Appends gpu.func `name` to a gpu.module: one block of kGpuRowThreads threads per row, 16-byte
// accesses. The one parameter is an AlidadeRowArgs by value.
void buildGpuRowKernel(mlir::Operation* gpuModule, llvm::StringRef name,
                       const schedule::RowProgram& program, RowElementType type);

// Threads per block of the GPU row kernel; the launcher must use exactly this.
inline constexpr int64_t kGpuRowThreads = ALIDADE_GPU_ROW_THREADS;

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_CONVERSION_ROWKERNEL_H_
