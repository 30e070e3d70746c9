#ifndef ALIDADE_COMPILER_RUNTIME_CUDA_KERNEL_MODULE_H_
#define ALIDADE_COMPILER_RUNTIME_CUDA_KERNEL_MODULE_H_

// The GPU kernels of one objective on one device. Launches put the arguments into the launch by
// value and never wait for the device, so that they can be captured into a CUDA graph (load the
// module before the capture begins).

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "compiler/runtime/abi.h"
#include "compiler/runtime/cuda/driver.h"

namespace alidade::runtime::cuda {

class KernelModule {
 public:
  // Loads the best code of `table` that the device runs: the cubin or the PTX for sm_90a on compute
  // capability 9.0, else the PTX for sm_80 from 8.0 on. `driver` and `table` must outlive the
  // module. Errors: an older device, a table without code for it, a missing kernel, the driver's.
  static absl::StatusOr<std::unique_ptr<KernelModule>> Load(const Driver& driver,
                                                            const AlidadeObjectiveTable& table,
                                                            int64_t num_row_programs,
                                                            Device device);
  ~KernelModule();
  KernelModule(const KernelModule&) = delete;
  KernelModule& operator=(const KernelModule&) = delete;

  // One block per row; all pointers of `args` are device pointers. bf16: of logits and partner.
  absl::Status Rows(int64_t program, bool bf16, const AlidadeRowArgs& args, Stream stream) const;
  absl::Status Known(const AlidadeScalarArgs& args, Stream stream) const;
  absl::Status Scalars(const AlidadeScalarArgs& args, Stream stream) const;

 private:
  KernelModule(const Driver& driver, Context context) : driver_(driver), context_(context) {}

  absl::Status FindKernels(const AlidadeObjectiveTable& table, int64_t num_row_programs);
  absl::Status Launch(Function kernel, const char* name, unsigned blocks, unsigned threads,
                      const void* args, Stream stream) const;

  const Driver& driver_;
  const Context context_;
  Module module_ = nullptr;
  std::vector<Function> rows_, rows_bf16_;  // by row program
  Function known_ = nullptr, scalars_ = nullptr;
};

}  // namespace alidade::runtime::cuda

#endif  // ALIDADE_COMPILER_RUNTIME_CUDA_KERNEL_MODULE_H_
