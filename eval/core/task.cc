#include "eval/core/task.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/provenance/random_stream.h"
#include "common/registry/registry.h"
#include "common/status/status.h"

namespace alidade::eval {
namespace {

// Metric of a group as records name it: "adversarial.accuracy", or "chair_s" where the task has no
// groups.
struct GroupMetric {
  std::string group;
  const MetricDefinition* metric;
  std::string name;
};

std::vector<GroupMetric> GroupMetrics(const TaskDefinition& definition) {
  std::vector<GroupMetric> all;
  for (const MetricDefinition& metric : definition.metrics) {
    if (definition.groups.empty()) all.push_back({"", &metric, metric.name});
  }
  for (const std::string& group : definition.groups) {
    for (const MetricDefinition& metric : definition.metrics) {
      all.push_back({group, &metric, absl::StrCat(group, ".", metric.name)});
    }
  }
  return all;
}

double SumOf(const std::vector<std::string>& names, const std::map<std::string, double>& counts) {
  double sum = 0;
  for (const std::string& name : names) {
    const auto found = counts.find(name);
    if (found != counts.end()) sum += found->second;
  }
  return sum;
}

absl::Status CheckCounts(const TaskDefinition& definition, const SampleOutput& sample) {
  for (const auto& [name, value] : sample.counts) {
    if (std::find(definition.counts.begin(), definition.counts.end(), name) ==
        definition.counts.end()) {
      return WithContext(UnknownNameError("count", name, definition.counts), "sample '", sample.id,
                         "'");
    }
    if (!std::isfinite(value)) {
      return absl::InvalidArgumentError(absl::StrCat("sample '", sample.id, "': count ", name,
                                                     ": expected a finite number, got ", value));
    }
  }
  const bool known = definition.groups.empty()
                         ? sample.group.empty()
                         : std::find(definition.groups.begin(), definition.groups.end(),
                                     sample.group) != definition.groups.end();
  if (known) return absl::OkStatus();
  return WithContext(UnknownNameError("group", sample.group, definition.groups), "sample '",
                     sample.id, "'");
}

std::vector<UnitRatio> RatiosOf(const GroupMetric& metric,
                                const std::vector<SampleOutput>& samples) {
  std::vector<UnitRatio> ratios;
  std::unordered_map<std::string, size_t> index;
  for (const SampleOutput& sample : samples) {
    if (sample.group != metric.group) continue;
    const auto [place, is_new] = index.try_emplace(sample.unit, ratios.size());
    if (is_new) ratios.push_back({sample.unit, 0, 0});
    ratios[place->second].numerator += SumOf(metric.metric->numerator, sample.counts);
    ratios[place->second].denominator += SumOf(metric.metric->denominator, sample.counts);
  }
  return ratios;
}

Registry<std::unique_ptr<Task>>& TaskRegistry() {
  static auto* registry = new Registry<std::unique_ptr<Task>>("task");
  return *registry;
}

}  // namespace

bool RegisterTask(std::unique_ptr<Task> task) {
  const std::string name = task->name();
  return TaskRegistry().Register(name, std::move(task));
}

std::vector<std::string> TaskNames() { return TaskRegistry().Names(); }

absl::StatusOr<const Task*> FindTask(absl::string_view name) {
  ALIDADE_ASSIGN_OR_RETURN(const std::unique_ptr<Task>* task, TaskRegistry().Find(name));
  return task->get();
}

absl::StatusOr<std::vector<UnitRatio>> UnitRatios(const TaskDefinition& definition,
                                                  const std::vector<SampleOutput>& samples,
                                                  absl::string_view metric) {
  std::vector<std::string> names;
  for (const GroupMetric& candidate : GroupMetrics(definition)) {
    names.push_back(candidate.name);
    if (candidate.name != metric) continue;
    for (const SampleOutput& sample : samples)
      ALIDADE_RETURN_IF_ERROR(CheckCounts(definition, sample));
    return RatiosOf(candidate, samples);
  }
  return WithContext(UnknownNameError("metric", metric, names), "task '", definition.name, "'");
}

std::string BootstrapStreamName(absl::string_view task, absl::string_view metric) {
  return absl::StrCat("bootstrap/", task, "/", metric);
}

absl::Status ScoreSamples(const TaskDefinition& definition, const TaskOptions& options,
                          TaskOutput& output) {
  output.task = definition.name;
  output.task_version = definition.version;
  output.task_sha256 = definition.sha256;
  output.records.clear();
  for (const SampleOutput& sample : output.samples)
    ALIDADE_RETURN_IF_ERROR(CheckCounts(definition, sample));
  for (const GroupMetric& metric : GroupMetrics(definition)) {
    const std::vector<UnitRatio> ratios = RatiosOf(metric, output.samples);
    RandomStream stream(options.seed, BootstrapStreamName(definition.name, metric.name));
    ALIDADE_ASSIGN_OR_RETURN(const Interval interval,
                             BootstrapRatio(ratios, options.bootstrap, stream), "while scoring ",
                             definition.name, " ", metric.name);
    const int64_t n =
        std::count_if(output.samples.begin(), output.samples.end(),
                      [&](const SampleOutput& sample) { return sample.group == metric.group; });
    output.records.push_back({options.stage, definition.name, metric.name, interval.value,
                              interval.low, interval.high, n, options.seed, definition.version,
                              metric.metric->higher_is_better, metric.metric->unit});
  }
  return absl::OkStatus();
}

absl::StatusOr<Evaluation> Evaluate(datasets::Responder& model,
                                    const std::vector<std::string>& tasks,
                                    const TaskOptions& options) {
  Evaluation evaluation{options.stage, options.seed, {}};
  if (tasks.empty())
    return absl::InvalidArgumentError("evaluation: expected at least one task, got none");
  for (const std::string& name : tasks) {
    ALIDADE_ASSIGN_OR_RETURN(const Task* task, FindTask(name));
    ALIDADE_ASSIGN_OR_RETURN(TaskOutput output, task->Run(model, options),
                             "while evaluating stage '", options.stage, "' on ", name);
    evaluation.tasks.push_back(std::move(output));
  }
  return evaluation;
}

}  // namespace alidade::eval
