#ifndef ALIDADE_COMPILER_RUNTIME_CUDA_LIBTORCH_CUDA_H_
#define ALIDADE_COMPILER_RUNTIME_CUDA_LIBTORCH_CUDA_H_

// LibTorch's CUDA half, which this project never links: it is opened at run time where a GPU is
// there, after which LibTorch's allocator, streams and GEMMs serve tensors on it.

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "c10/core/Device.h"
#include "compiler/runtime/cuda/driver.h"

namespace alidade::runtime::cuda {

// Opens libtorch_cuda.so from the folder of the LibTorch in use, unless it is there already. Errors
// (FailedPrecondition): no usable driver; no such library, or one that lacks its own dependencies.
absl::Status LoadLibtorchCuda();

// The same from a given folder, without asking for a driver first.
absl::Status LoadLibtorchCudaFrom(const std::string& folder);

// The folder that holds the LibTorch in use.
absl::StatusOr<std::string> LibtorchFolder();

// LibTorch's current stream on `device`, in the driver's terms. Throws what LibTorch throws.
Stream CurrentStream(c10::Device device);

}  // namespace alidade::runtime::cuda

#endif  // ALIDADE_COMPILER_RUNTIME_CUDA_LIBTORCH_CUDA_H_
