#ifndef ALIDADE_COMPILER_RUNTIME_WORKSPACE_H_
#define ALIDADE_COMPILER_RUNTIME_WORKSPACE_H_

// Scratch memory of the executor. On the CPU it is kept between calls: fresh pages for a chunk's
// logits cost as much as 40 % of the GEMM that writes them. One buffer per concurrent call; when
// sizes change, the old buffer is given back first. On a GPU LibTorch's allocator keeps it.

#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"

namespace alidade::runtime {

// A loan of at least `num_bytes` (64-byte aligned); returned to the pool by the destructor.
class Workspace {
 public:
  Workspace(int64_t num_bytes, c10::Device device);
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  // The next `count` elements of the loan as a flat tensor.
  at::Tensor Take(int64_t count, at::ScalarType dtype);

  // What Take consumes of the loan, in bytes: whole cache lines.
  static int64_t RoundUp(int64_t num_bytes) { return (num_bytes + 63) / 64 * 64; }

 private:
  at::Tensor buffer_;  // bytes
  int64_t taken_ = 0;
};

// A copy of `values` on `device` (not the CPU). Copies are kept by content, so that repeated calls
// copy nothing and a captured graph holds no copy from memory that has gone.
at::Tensor DeviceCopy(const std::vector<int64_t>& values, c10::Device device);

}  // namespace alidade::runtime

#endif  // ALIDADE_COMPILER_RUNTIME_WORKSPACE_H_
