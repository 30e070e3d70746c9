#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files/files.h"
#include "common/json/json_fields.h"
#include "common/status/status.h"
#include "eval/core/task.h"
#include "nlohmann/json.hpp"

namespace alidade::eval {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kSchema[] = "alidade.evaluation/1";

std::string SamplesName(absl::string_view task) { return absl::StrCat("samples_", task, ".jsonl"); }

std::string SampleLine(const SampleOutput& sample) {
  Json json = {{"id", sample.id},
               {"unit", sample.unit},
               {"group", sample.group},
               {"prompt", sample.prompt},
               {"answer", sample.answer},
               {"truth", sample.truth},
               {"wrong", sample.wrong},
               {"counts", sample.counts},
               {"document_sha256", sample.document_sha256},
               {"prompt_sha256", sample.prompt_sha256},
               {"target_sha256", sample.target_sha256}};
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

absl::StatusOr<SampleOutput> ParseSample(absl::string_view line, const std::string& where) {
  ALIDADE_ASSIGN_OR_RETURN(JsonDocument document, ParseJson(line, where));
  document.lines.clear();  // `where` has the line; a sample is one line
  JsonFields fields(document);
  SampleOutput sample;
  fields.Required("id", &sample.id);
  fields.Required("unit", &sample.unit);
  fields.Required("group", &sample.group);
  fields.Required("prompt", &sample.prompt);
  fields.Required("answer", &sample.answer);
  fields.Required("truth", &sample.truth);
  fields.Required("wrong", &sample.wrong);
  fields.Required("document_sha256", &sample.document_sha256);
  fields.Required("prompt_sha256", &sample.prompt_sha256);
  fields.Required("target_sha256", &sample.target_sha256);
  const nlohmann::json* counts = fields.RequiredObject("counts");
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  JsonFields numbers(document, *counts, "counts");
  for (const auto& [name, value] : counts->items()) numbers.Required(name, &sample.counts[name]);
  ALIDADE_RETURN_IF_ERROR(numbers.Finish());
  return sample;
}

absl::StatusOr<std::vector<SampleOutput>> ReadSamples(const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  if (text.empty() || text.back() != '\n') {
    return absl::DataLossError(
        absl::StrCat(path, ": expected a line end at the end, got a truncated file"));
  }
  std::vector<SampleOutput> samples;
  int number = 0;
  for (absl::string_view line :
       absl::StrSplit(absl::string_view(text).substr(0, text.size() - 1), '\n')) {
    ALIDADE_ASSIGN_OR_RETURN(SampleOutput sample,
                             ParseSample(line, absl::StrCat(path, ":", ++number)));
    samples.push_back(std::move(sample));
  }
  return samples;
}

// The record that the samples give must be the record that stands in results.json: a file edited by
// hand, or samples of another run, show here.
absl::Status CheckRecords(const TaskOutput& output, const std::string& folder) {
  ALIDADE_ASSIGN_OR_RETURN(const Task* task, FindTask(output.task), "while reading ", folder);
  if (output.task_version != task->version() || output.task_sha256 != task->definition().sha256) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder, "/tasks.json: ", output.task, ": expected version ", task->version(),
                     " with definition ", task->definition().sha256, ", got version ",
                     output.task_version, " with ", output.task_sha256, "; evaluate again"));
  }
  for (const ResultRecord& record : output.records) {
    ALIDADE_ASSIGN_OR_RETURN(const std::vector<UnitRatio> ratios,
                             UnitRatios(task->definition(), output.samples, record.metric),
                             "while reading ", folder);
    const double value = RatioOfSums(ratios);
    if (value == record.value || (value != value && record.value != record.value)) continue;
    return absl::DataLossError(absl::StrCat(folder, "/results.json: ", output.task, " ",
                                            record.metric, ": expected ", value,
                                            " as the samples give, got ", record.value));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteEvaluation(const std::string& folder, const Evaluation& evaluation) {
  ALIDADE_RETURN_IF_ERROR(MakeFolder(folder));
  Results results;
  Json tasks = Json::array();
  for (const TaskOutput& output : evaluation.tasks) {
    results.records.insert(results.records.end(), output.records.begin(), output.records.end());
    tasks.push_back(
        {{"name", output.task}, {"version", output.task_version}, {"sha256", output.task_sha256}});
    std::string lines;
    for (const SampleOutput& sample : output.samples)
      absl::StrAppend(&lines, SampleLine(sample), "\n");
    ALIDADE_RETURN_IF_ERROR(WriteFile(JoinPath(folder, SamplesName(output.task)), lines));
  }
  ALIDADE_RETURN_IF_ERROR(WriteResults(JoinPath(folder, "results.json"), results));
  const Json root = {{"schema", kSchema},
                     {"stage", evaluation.stage},
                     {"seed", evaluation.seed},
                     {"tasks", tasks}};
  return WriteFile(JoinPath(folder, "tasks.json"), root.dump(1) + "\n");
}

absl::StatusOr<Evaluation> ReadEvaluation(const std::string& folder) {
  const std::string path = JoinPath(folder, "tasks.json");
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ALIDADE_ASSIGN_OR_RETURN(const JsonDocument document, ParseJson(text, path));
  JsonFields fields(document);
  Evaluation evaluation;
  fields.MustBe("schema", kSchema);
  fields.Required("stage", &evaluation.stage);
  fields.Required("seed", &evaluation.seed);
  const nlohmann::json* tasks = fields.RequiredArray("tasks");
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  ALIDADE_ASSIGN_OR_RETURN(const Results results, ReadResults(JoinPath(folder, "results.json")));
  for (size_t i = 0; i < tasks->size(); ++i) {
    JsonFields task(document, (*tasks)[i], absl::StrCat("tasks[", i, "]"));
    TaskOutput output;
    task.Required("name", &output.task);
    task.Required("version", &output.task_version);
    task.Required("sha256", &output.task_sha256);
    ALIDADE_RETURN_IF_ERROR(task.Finish());
    ALIDADE_ASSIGN_OR_RETURN(output.samples,
                             ReadSamples(JoinPath(folder, SamplesName(output.task))));
    for (const ResultRecord& record : results.records) {
      if (record.task == output.task) output.records.push_back(record);
    }
    ALIDADE_RETURN_IF_ERROR(CheckRecords(output, folder));
    evaluation.tasks.push_back(std::move(output));
  }
  return evaluation;
}

}  // namespace alidade::eval
