#include "trainers/core/metrics_log.h"

#include <cmath>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/files/files.h"
#include "common/status/status.h"
#include "nlohmann/json.hpp"
#include "trainers/core/event_file.h"

namespace alidade::trainers {
namespace {

double WallTime() { return absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()); }

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsLog>> MetricsLog::Open(const std::string& folder,
                                                             const MetricsPosition& position) {
  const std::string events_folder = JoinPath(folder, "events");
  ALIDADE_RETURN_IF_ERROR(MakeFolder(events_folder));
  ALIDADE_ASSIGN_OR_RETURN(
      auto metrics, AppendFile::Open(JoinPath(folder, "metrics.jsonl"), position.metrics_bytes));
  ALIDADE_ASSIGN_OR_RETURN(auto events,
                           AppendFile::Open(JoinPath(events_folder, "events.out.tfevents.alidade"),
                                            position.event_bytes));
  if (position.event_bytes == 0)
    ALIDADE_RETURN_IF_ERROR(events->Append(EncodeFileVersion(WallTime())));
  return absl::WrapUnique(new MetricsLog(std::move(metrics), std::move(events)));
}

absl::Status MetricsLog::Write(int64_t step, const Scalars& scalars) {
  nlohmann::ordered_json record;
  record["step"] = step;
  for (const auto& [name, value] : scalars) {
    if (!std::isfinite(value)) {
      return absl::FailedPreconditionError(absl::StrCat("step ", step, ": metric ", name,
                                                        ": expected a finite number, got ", value));
    }
    record[name] = value;
  }
  ALIDADE_RETURN_IF_ERROR(metrics_->Append(record.dump() + "\n"));
  return events_->Append(EncodeScalars(WallTime(), step, scalars));
}

absl::StatusOr<MetricsPosition> MetricsLog::Sync() {
  ALIDADE_RETURN_IF_ERROR(metrics_->Sync());
  ALIDADE_RETURN_IF_ERROR(events_->Sync());
  return MetricsPosition{metrics_->size(), events_->size()};
}

}  // namespace alidade::trainers
