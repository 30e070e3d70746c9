// Learning rate over steps.
#ifndef ALIDADE_TRAINERS_CORE_SCHEDULE_H_
#define ALIDADE_TRAINERS_CORE_SCHEDULE_H_

#include <cstdint>

#include "trainers/core/training.pb.h"

namespace alidade::trainers {

// Learning rate of step `step` (0 is the first) of `num_steps`, for a peak of `peak`.
//   warm-up, step < W:  peak * (step + 1) / W
//   after it:           peak * (floor + (1 - floor) * shape(t)),  t = (step - W) / max(1, num_steps
//   - 1 - W) shape: cosine (1 + cos(pi t)) / 2, linear 1 - t
// W = warmup_steps. The last step runs at peak * floor.
double LearningRate(const ScheduleConfig& config, double peak, int64_t step, int64_t num_steps);

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_CORE_SCHEDULE_H_
