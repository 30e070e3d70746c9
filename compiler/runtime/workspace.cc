#include "compiler/runtime/workspace.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "c10/core/InferenceMode.h"
#include "common/status/status.h"
#include "compiler/runtime/objective.h"

namespace alidade::runtime {
namespace {

class Pool {
 public:
  // A pooled buffer that fits without wasting more than itself, or a new one of exactly this size.
  at::Tensor Acquire(int64_t num_floats) {
    {
      absl::MutexLock lock(&mutex_);
      const auto fits =
          std::find_if(free_.begin(), free_.end(), [num_floats](const at::Tensor& buffer) {
            return buffer.numel() >= num_floats && buffer.numel() <= 2 * num_floats;
          });
      if (fits != free_.end()) {
        at::Tensor buffer = std::move(*fits);
        free_.erase(fits);
        return buffer;
      }
      free_.clear();
    }
    // A buffer born in inference mode could not be written outside of it later.
    c10::InferenceMode off(false);
    return at::empty({num_floats}, at::kFloat);
  }

  void Release(at::Tensor buffer) {
    absl::MutexLock lock(&mutex_);
    free_.push_back(std::move(buffer));
  }

  void Clear() {
    absl::MutexLock lock(&mutex_);
    free_.clear();
  }

 private:
  absl::Mutex mutex_;
  std::vector<at::Tensor> free_ ABSL_GUARDED_BY(mutex_);
};

Pool& GlobalPool() {
  static auto* pool = new Pool;
  return *pool;
}

}  // namespace

Workspace::Workspace(int64_t num_floats) : buffer_(GlobalPool().Acquire(num_floats)) {}

Workspace::~Workspace() { GlobalPool().Release(std::move(buffer_)); }

at::Tensor Workspace::Take(int64_t num_floats) {
  ALIDADE_CHECK(taken_ + num_floats <= buffer_.numel());
  at::Tensor part = buffer_.narrow(0, taken_, num_floats);
  taken_ += RoundUp(num_floats);
  return part;
}

void ReleaseWorkspace() { GlobalPool().Clear(); }

}  // namespace alidade::runtime
