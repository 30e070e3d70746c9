#ifndef ALIDADE_EVAL_CORE_TASK_DEFINITION_H_
#define ALIDADE_EVAL_CORE_TASK_DEFINITION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alidade::eval {

// value = (sum of the counts named in `numerator`) / (sum of those in `denominator`); a count named
// twice adds twice.
struct MetricDefinition {
  std::string name;
  std::vector<std::string> numerator;
  std::vector<std::string> denominator;
  bool higher_is_better = true;
  std::string unit = "share";  // "share": a fraction, shown as percent; else what is counted
  std::string label;           // for tables
};

// The declarative part of a benchmark: task.json in its folder.
struct TaskDefinition {
  std::string name;
  std::string version;  // goes up whenever a number can move
  std::string paper;
  std::vector<std::string> groups;  // empty: one unnamed group. Metrics are computed per group
  std::vector<std::string> counts;  // what a sample may count
  std::vector<MetricDefinition> metrics;
  std::string sha256;  // of the canonical text
};

// Errors name `source`, the field, expected and got; unknown fields and counts are errors with the
// nearest name.
absl::StatusOr<TaskDefinition> ParseTaskDefinition(absl::string_view text,
                                                   absl::string_view source);

}  // namespace alidade::eval

#endif  // ALIDADE_EVAL_CORE_TASK_DEFINITION_H_
