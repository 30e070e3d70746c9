#include "eval/core/task_definition.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/json/json_fields.h"
#include "common/provenance/digest.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"
#include "nlohmann/json.hpp"

namespace alidade::eval {
namespace {

absl::Status CheckUnique(const std::vector<std::string>& names, absl::string_view where) {
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": expected every name once, got '", name, "' twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckCounts(const std::vector<std::string>& names, const TaskDefinition& task,
                         absl::string_view where) {
  if (names.empty())
    return absl::InvalidArgumentError(absl::StrCat(where, ": expected a count, got none"));
  for (const std::string& name : names) {
    if (std::find(task.counts.begin(), task.counts.end(), name) != task.counts.end()) continue;
    return WithContext(UnknownNameError("count", name, task.counts), where);
  }
  return absl::OkStatus();
}

absl::StatusOr<MetricDefinition> ReadMetric(const JsonDocument& document,
                                            const nlohmann::json& object, const std::string& path,
                                            const TaskDefinition& task) {
  JsonFields fields(document, object, path);
  MetricDefinition metric;
  fields.Required("name", &metric.name);
  fields.Required("label", &metric.label);
  fields.Required("numerator", &metric.numerator);
  fields.Required("denominator", &metric.denominator);
  fields.Required("higher_is_better", &metric.higher_is_better);
  fields.Required("unit", &metric.unit);
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  ALIDADE_RETURN_IF_ERROR(CheckCounts(metric.numerator, task, document.Where(path + ".numerator")));
  ALIDADE_RETURN_IF_ERROR(
      CheckCounts(metric.denominator, task, document.Where(path + ".denominator")));
  return metric;
}

}  // namespace

absl::StatusOr<TaskDefinition> ParseTaskDefinition(absl::string_view text,
                                                   absl::string_view source) {
  ALIDADE_ASSIGN_OR_RETURN(const JsonDocument document, ParseJson(text, source));
  JsonFields fields(document);
  TaskDefinition task;
  fields.Required("name", &task.name);
  fields.Required("version", &task.version);
  fields.Required("paper", &task.paper);
  fields.Required("groups", &task.groups);
  fields.Required("counts", &task.counts);
  const nlohmann::json* metrics = fields.RequiredArray("metrics");
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  ALIDADE_RETURN_IF_ERROR(CheckUnique(task.groups, document.Where("groups")));
  ALIDADE_RETURN_IF_ERROR(CheckUnique(task.counts, document.Where("counts")));
  std::vector<std::string> names;
  for (size_t i = 0; i < metrics->size(); ++i) {
    ALIDADE_ASSIGN_OR_RETURN(
        MetricDefinition metric,
        ReadMetric(document, (*metrics)[i], absl::StrCat("metrics[", i, "]"), task));
    names.push_back(metric.name);
    task.metrics.push_back(std::move(metric));
  }
  ALIDADE_RETURN_IF_ERROR(CheckUnique(names, document.Where("metrics")));
  if (task.metrics.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(document.Where("metrics"), ": expected at least one metric, got none"));
  }
  task.sha256 = Sha256Hex(document.root.dump());
  return task;
}

}  // namespace alidade::eval
