#include "compiler/runtime/cuda/cuda_kernels.h"

#include "common/status/status.h"
#include "compiler/runtime/cuda/libtorch_cuda.h"

namespace alidade::runtime::cuda {

absl::Status CudaKernels::Rows(int64_t program, bool bf16, const AlidadeRowArgs& args) const {
  return module_->Rows(program, bf16, args, stream_());
}

absl::Status CudaKernels::Known(const AlidadeScalarArgs& args) const {
  return module_->Known(args, stream_());
}

absl::Status CudaKernels::Scalars(const AlidadeScalarArgs& args) const {
  return module_->Scalars(args, stream_());
}

absl::StatusOr<std::unique_ptr<Kernels>> LoadCudaKernels(const AlidadeObjectiveTable& table,
                                                         int64_t num_row_programs,
                                                         c10::Device device) {
  ALIDADE_ASSIGN_OR_RETURN(const Driver* driver, Driver::Global());
  ALIDADE_RETURN_IF_ERROR(LoadLibtorchCuda());
  ALIDADE_ASSIGN_OR_RETURN(std::unique_ptr<KernelModule> module,
                           KernelModule::Load(*driver, table, num_row_programs, device.index()));
  return std::make_unique<CudaKernels>(std::move(module),
                                       [device] { return CurrentStream(device); });
}

}  // namespace alidade::runtime::cuda
