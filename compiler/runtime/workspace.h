#ifndef ALIDADE_COMPILER_RUNTIME_WORKSPACE_H_
#define ALIDADE_COMPILER_RUNTIME_WORKSPACE_H_

// Scratch memory of the executor, kept between calls: fresh pages for a chunk's logits cost as much
// as 40 % of the GEMM that writes them. One buffer per concurrent call; when sizes change, the old
// buffer is given back first.

#include <cstdint>

#include "ATen/core/Tensor.h"

namespace alidade::runtime {

// A loan of at least `num_floats` f32 (64-byte aligned); returned to the pool by the destructor.
class Workspace {
 public:
  explicit Workspace(int64_t num_floats);
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  // The next `num_floats` of the loan as a flat f32 tensor, rounded up to whole cache lines.
  at::Tensor Take(int64_t num_floats);

  // What Take consumes for `num_floats`.
  static int64_t RoundUp(int64_t num_floats) { return (num_floats + 15) / 16 * 16; }

 private:
  at::Tensor buffer_;
  int64_t taken_ = 0;
};

}  // namespace alidade::runtime

#endif  // ALIDADE_COMPILER_RUNTIME_WORKSPACE_H_
