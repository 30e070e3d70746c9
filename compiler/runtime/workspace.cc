#include "compiler/runtime/workspace.h"

#include <algorithm>
#include <map>
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

at::TensorOptions Bytes(c10::Device device) {
  return at::TensorOptions().dtype(at::kByte).device(device);
}

class Pool {
 public:
  // A pooled buffer that fits without wasting more than itself, or a new one of exactly this size.
  at::Tensor Acquire(int64_t num_bytes) {
    {
      absl::MutexLock lock(&mutex_);
      const auto fits =
          std::find_if(free_.begin(), free_.end(), [num_bytes](const at::Tensor& buffer) {
            return buffer.numel() >= num_bytes && buffer.numel() <= 2 * num_bytes;
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
    return at::empty({num_bytes}, Bytes(at::kCPU));
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

// Offsets of that many batches are kept on a device.
constexpr size_t kMostCopies = 256;

}  // namespace

Workspace::Workspace(int64_t num_bytes, c10::Device device)
    : buffer_(device.is_cpu() ? GlobalPool().Acquire(num_bytes)
                              : at::empty({num_bytes}, Bytes(device))) {}

Workspace::~Workspace() {
  if (buffer_.is_cpu()) GlobalPool().Release(std::move(buffer_));
}

at::Tensor Workspace::Take(int64_t count, at::ScalarType dtype) {
  const int64_t num_bytes = count * static_cast<int64_t>(c10::elementSize(dtype));
  ALIDADE_CHECK(taken_ + num_bytes <= buffer_.numel());
  at::Tensor part = buffer_.narrow(0, taken_, num_bytes).view(dtype);
  taken_ += RoundUp(num_bytes);
  return part;
}

at::Tensor DeviceCopy(const std::vector<int64_t>& values, c10::Device device) {
  static auto* mutex = new absl::Mutex;
  static auto* copies = new std::map<std::pair<int64_t, std::vector<int64_t>>, at::Tensor>;
  absl::MutexLock lock(mutex);
  if (copies->size() > kMostCopies) copies->clear();
  at::Tensor& copy = (*copies)[{device.index(), values}];
  if (!copy.defined()) {
    c10::InferenceMode off(false);
    // From pinned memory, so that the host does not wait.
    copy = at::tensor(values, at::kLong).pin_memory().to(device, /*non_blocking=*/true);
  }
  return copy;
}

void ReleaseWorkspace() { GlobalPool().Clear(); }

}  // namespace alidade::runtime
