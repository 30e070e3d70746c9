#include "trainers/core/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace alidade::trainers {

double LearningRate(const ScheduleConfig& config, double peak, int64_t step, int64_t num_steps) {
  const int64_t warmup = config.warmup_steps();
  if (step < warmup) return peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
  const double t = static_cast<double>(step - warmup) /
                   static_cast<double>(std::max<int64_t>(1, num_steps - 1 - warmup));
  double shape = 1;
  switch (config.decay()) {
    case ScheduleConfig::COSINE:
      shape = (1 + std::cos(std::numbers::pi * t)) / 2;
      break;
    case ScheduleConfig::LINEAR:
      shape = 1 - t;
      break;
  }
  return peak * (config.floor() + (1 - config.floor()) * shape);
}

}  // namespace alidade::trainers
