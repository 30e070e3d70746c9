// MLIR to PTX and cubin.

#ifndef ALIDADE_COMPILER_TARGET_NVPTX_NVPTXTARGET_H_
#define ALIDADE_COMPILER_TARGET_NVPTX_NVPTXTARGET_H_

#include <optional>
#include <string>
#include <vector>

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace alidade::pref {

// What ptxas reported for one kernel.
struct GpuKernelResources {
  std::string kernel;
  unsigned registers = 0;
  unsigned spillBytes = 0;  // stores and loads; always 0 in a result: a spill is an error
  unsigned sharedBytes = 0;
};

// Lowers the kernels in the gpu.module ops of `module` (gpu.func in upstream dialects) to the NVVM
// dialect, in place.
mlir::LogicalResult lowerToNvvm(mlir::ModuleOp module);

// PTX of a lowered module for `chip` ("sm_80", "sm_90a"). The module is not changed.
mlir::FailureOr<std::string> emitPtx(mlir::gpu::GPUModuleOp module, llvm::StringRef chip);

struct Cubin {
  std::string bytes;
  std::vector<GpuKernelResources> resources;
};

// The ptxas of this machine: on PATH, in ${CUDA_HOME}/bin or in /usr/local/cuda/bin. Nullopt where
// there is none.
std::optional<std::string> findPtxas();

// Assembles PTX. Errors at `source`: what ptxas said; a kernel that spills registers, which no
// kernel here may.
mlir::FailureOr<Cubin> assemblePtx(mlir::Operation* source, llvm::StringRef ptxas,
                                   llvm::StringRef ptx, llvm::StringRef chip);

// Reads the report of `ptxas --verbose`.
std::vector<GpuKernelResources> parsePtxasReport(llvm::StringRef report);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TARGET_NVPTX_NVPTXTARGET_H_
