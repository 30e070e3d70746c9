#include "trainers/core/workers.h"

#include <ATen/Parallel.h>

namespace alidade::trainers {

Workers::Workers(int64_t num_parts) : num_parts_(num_parts) {
  if (num_parts_ < 2) return;
  previous_threads_ = at::get_num_threads();
  at::set_num_threads(1);
  for (int64_t part = 1; part < num_parts_; ++part)
    threads_.emplace_back([this, part] { Loop(part); });
}

Workers::~Workers() {
  {
    absl::MutexLock lock(&mutex_);
    stop_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
  if (previous_threads_ > 0) at::set_num_threads(previous_threads_);
}

void Workers::Loop(int64_t part) {
  at::set_num_threads(1);  // a setting of the thread
  int64_t done = 0;
  while (true) {
    const std::function<void(int64_t)>* work = nullptr;
    {
      absl::MutexLock lock(&mutex_);
      const auto ready = [this, done]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return stop_ || round_ > done;
      };
      mutex_.Await(absl::Condition(&ready));
      if (stop_) return;
      work = work_;
    }
    (*work)(part);
    ++done;
    absl::MutexLock lock(&mutex_);
    --running_;
  }
}

void Workers::Run(const std::function<void(int64_t part)>& work) {
  if (num_parts_ > 1) {
    absl::MutexLock lock(&mutex_);
    work_ = &work;
    running_ = num_parts_ - 1;
    ++round_;
  }
  work(0);
  absl::MutexLock lock(&mutex_);
  const auto finished = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return running_ == 0; };
  mutex_.Await(absl::Condition(&finished));
}

}  // namespace alidade::trainers
