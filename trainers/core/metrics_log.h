// The curves of a run: metrics.jsonl (one JSON object per logged step) and a TensorBoard event file
// with the same points. metrics.jsonl holds no times, so that equal runs give equal bytes; events
// hold wall times.
#ifndef ALIDADE_TRAINERS_CORE_METRICS_LOG_H_
#define ALIDADE_TRAINERS_CORE_METRICS_LOG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainers/core/append_file.h"

namespace alidade::trainers {

using Scalars = std::vector<std::pair<std::string, double>>;

// Sizes of the two files, in bytes. Stored in checkpoints, so that a resumed run has every point
// once.
struct MetricsPosition {
  int64_t metrics_bytes = 0;
  int64_t event_bytes = 0;
};

class MetricsLog {
 public:
  // Opens <folder>/metrics.jsonl and <folder>/events/events.out.tfevents.alidade, cut back to
  // `position`.
  static absl::StatusOr<std::unique_ptr<MetricsLog>> Open(const std::string& folder,
                                                          const MetricsPosition& position);

  // Appends one point of each curve after `step` steps: {"step":10,"loss":0.5,...}, doubles with
  // all their digits. A value that is not finite is an error that names it.
  absl::Status Write(int64_t step, const Scalars& scalars);

  // Returns the sizes, once all of it is on the disk.
  absl::StatusOr<MetricsPosition> Sync();

 private:
  MetricsLog(std::unique_ptr<AppendFile> metrics, std::unique_ptr<AppendFile> events)
      : metrics_(std::move(metrics)), events_(std::move(events)) {}

  std::unique_ptr<AppendFile> metrics_;
  std::unique_ptr<AppendFile> events_;
};

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_CORE_METRICS_LOG_H_
