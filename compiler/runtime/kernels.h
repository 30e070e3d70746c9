#ifndef ALIDADE_COMPILER_RUNTIME_KERNELS_H_
#define ALIDADE_COMPILER_RUNTIME_KERNELS_H_

// The generated code of one objective for one device, as the executor calls it: on the CPU at once,
// on a GPU by launches into LibTorch's current stream (cuda/cuda_kernels.h).

#include <cstdint>

#include "absl/status/status.h"
#include "compiler/runtime/abi.h"

namespace alidade::runtime {

class Kernels {
 public:
  virtual ~Kernels() = default;

  // The kernel of row program `program`. `bf16`: of logits and partner. Pointers are those of the
  // kernels' device.
  virtual absl::Status Rows(int64_t program, bool bf16, const AlidadeRowArgs& args) const = 0;
  // Only where the table's variants have one.
  virtual absl::Status Known(const AlidadeScalarArgs& args) const = 0;
  virtual absl::Status Scalars(const AlidadeScalarArgs& args) const = 0;
};

// Rows are spread over LibTorch's threads; which thread takes a row does not change its bits.
class CpuKernels final : public Kernels {
 public:
  explicit CpuKernels(const AlidadeVariant* variant) : variant_(variant) {}

  absl::Status Rows(int64_t program, bool bf16, const AlidadeRowArgs& args) const override;
  absl::Status Known(const AlidadeScalarArgs& args) const override;
  absl::Status Scalars(const AlidadeScalarArgs& args) const override;

 private:
  const AlidadeVariant* const variant_;
};

}  // namespace alidade::runtime

#endif  // ALIDADE_COMPILER_RUNTIME_KERNELS_H_
