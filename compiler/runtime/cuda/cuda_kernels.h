#ifndef ALIDADE_COMPILER_RUNTIME_CUDA_CUDA_KERNELS_H_
#define ALIDADE_COMPILER_RUNTIME_CUDA_CUDA_KERNELS_H_

// An objective's kernels on a GPU, in LibTorch's current stream.

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "c10/core/Device.h"
#include "compiler/runtime/abi.h"
#include "compiler/runtime/cuda/driver.h"
#include "compiler/runtime/cuda/kernel_module.h"
#include "compiler/runtime/kernels.h"

namespace alidade::runtime::cuda {

class CudaKernels final : public Kernels {
 public:
  // `stream` says at each launch where it goes.
  CudaKernels(std::unique_ptr<KernelModule> module, std::function<Stream()> stream)
      : module_(std::move(module)), stream_(std::move(stream)) {}

  absl::Status Rows(int64_t program, bool bf16, const AlidadeRowArgs& args) const override;
  absl::Status Known(const AlidadeScalarArgs& args) const override;
  absl::Status Scalars(const AlidadeScalarArgs& args) const override;

 private:
  const std::unique_ptr<KernelModule> module_;
  const std::function<Stream()> stream_;
};

// Loads driver, LibTorch's CUDA half and the kernels of `table`, which must outlive the result.
absl::StatusOr<std::unique_ptr<Kernels>> LoadCudaKernels(const AlidadeObjectiveTable& table,
                                                         int64_t num_row_programs,
                                                         c10::Device device);

}  // namespace alidade::runtime::cuda

#endif  // ALIDADE_COMPILER_RUNTIME_CUDA_CUDA_KERNELS_H_
