#ifndef ALIDADE_EVAL_CORE_TASK_H_
#define ALIDADE_EVAL_CORE_TASK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "eval/core/bootstrap.h"
#include "eval/core/result_record.h"
#include "eval/core/task_definition.h"

namespace alidade::datasets {
class Responder;
class Source;
}  // namespace alidade::datasets

namespace alidade::eval {

struct TaskOptions {
  std::string stage;  // copied into every record: who answers
  int64_t seed = 0;   // of the run; copied into every record
  // Test images and questions with ground truth, e.g. datasets::TestSplit; outlives the run.
  const datasets::Source* source = nullptr;
  BootstrapOptions bootstrap;
};

// What was asked, answered and counted for one question of one group (POPE: one split).
struct SampleOutput {
  std::string id;                  // unique within the task
  std::string unit;                // resampling unit: the image, as the source names it
  std::string group;               // "" or a name the task definition lists, e.g. "adversarial"
  std::string prompt;              // text of the question
  std::string answer;              // the model's answer, untouched
  std::string truth;               // what a person reads as ground truth
  std::vector<std::string> wrong;  // words of `answer` that are wrong, for display
  std::map<std::string, double> counts;  // e.g. {"tp": 1}; metrics are ratios of sums of these
  std::string document_sha256;           // of the image's name and the sample's id
  std::string prompt_sha256;
  std::string target_sha256;
};

struct TaskOutput {
  std::string task;
  std::string task_version;
  std::string task_sha256;  // of the canonical text of the task's definition
  std::vector<ResultRecord> records;
  std::vector<SampleOutput> samples;
};

// A benchmark. Implementations register themselves under their name and hold no state between runs.
class Task {
 public:
  virtual ~Task() = default;
  virtual const TaskDefinition& definition() const = 0;
  const std::string& name() const { return definition().name; }
  const std::string& version() const { return definition().version; }

  // Asks `model` every question of the test split and scores its answers. Deterministic: the same
  // answers give the same records, bit for bit.
  virtual absl::StatusOr<TaskOutput> Run(datasets::Responder& model,
                                         const TaskOptions& options) const = 0;
};

// The task of that name ("pope", "chair"); an unknown name is an error that lists the nearest.
absl::StatusOr<const Task*> FindTask(absl::string_view name);
std::vector<std::string> TaskNames();

// Adds a task; called once per task at start, from its own file. True, so that it can initialise a
// static.
bool RegisterTask(std::unique_ptr<Task> task);

// The numbers of one metric per resampling unit, in order of first appearance; metric as in the
// records
// ("adversarial.accuracy"). Errors: unknown metric (nearest name), unknown count in a sample.
absl::StatusOr<std::vector<UnitRatio>> UnitRatios(const TaskDefinition& definition,
                                                  const std::vector<SampleOutput>& samples,
                                                  absl::string_view metric);

// The name of the random stream that draws the intervals of a metric; it says what is drawn, so
// that another metric or task does not shift it.
std::string BootstrapStreamName(absl::string_view task, absl::string_view metric);

// Records of all groups and metrics of the definition, with intervals; fills output.records from
// output.samples.
absl::Status ScoreSamples(const TaskDefinition& definition, const TaskOptions& options,
                          TaskOutput& output);

// All tasks of one model.
struct Evaluation {
  std::string stage;
  int64_t seed = 0;
  std::vector<TaskOutput> tasks;
};

// Folder layout: results.json, tasks.json (name, version, hash), samples_<task>.jsonl. Reading
// checks every field and that the records are those of the samples' task; errors name file, line
// and field.
absl::Status WriteEvaluation(const std::string& folder, const Evaluation& evaluation);
absl::StatusOr<Evaluation> ReadEvaluation(const std::string& folder);

// Runs the named tasks one after the other.
absl::StatusOr<Evaluation> Evaluate(datasets::Responder& model,
                                    const std::vector<std::string>& tasks,
                                    const TaskOptions& options);

}  // namespace alidade::eval

#endif  // ALIDADE_EVAL_CORE_TASK_H_
