// What every stage's entry point takes besides its config and inputs, and what it gives back.
#ifndef ALIDADE_TRAINERS_CORE_RUN_H_
#define ALIDADE_TRAINERS_CORE_RUN_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"

namespace alidade::trainers {

// Settings of a run that change no number of it.
struct RunOptions {
  // Label of the progress line, for example "sft".
  std::string label;
  // Shows no progress line.
  bool quiet = false;
  // Called after every step (1 is the first) and after what that step had to write is on disk. An
  // error ends the run with that error, as if it had been killed there.
  std::function<absl::Status(int64_t step)> after_step;
};

// A finished run.
struct RunSummary {
  int64_t steps = 0;
  // Metrics of the last step, by name, are in metrics.jsonl; this is its loss.
  double final_loss = 0;
  // Step that this call started from: > 0 after an interruption, equal to `steps` if there was
  // nothing left to do.
  int64_t resumed_from = 0;
};

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_CORE_RUN_H_
