// Threads that do the same thing to several parts at a time.
#ifndef ALIDADE_TRAINERS_CORE_WORKERS_H_
#define ALIDADE_TRAINERS_CORE_WORKERS_H_

#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace alidade::trainers {

class Workers {
 public:
  // For `num_parts` parts; the calling thread is one of the threads. With more than one part, every
  // thread computes LibTorch operations alone until this object is gone.
  explicit Workers(int64_t num_parts);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Calls `work` with 0, 1, ..., num_parts - 1 at the same time; returns when all are done. `work`
  // must not throw.
  void Run(const std::function<void(int64_t part)>& work);

 private:
  void Loop(int64_t part);

  const int64_t num_parts_;
  int previous_threads_ = 0;
  absl::Mutex mutex_;
  const std::function<void(int64_t)>* work_ ABSL_GUARDED_BY(mutex_) = nullptr;
  int64_t round_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t running_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_CORE_WORKERS_H_
