#include "eval/report/report.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files/files.h"
#include "common/provenance/digest.h"
#include "common/status/status.h"
#include "datasets/schema/dataset_folder.h"
#include "datasets/worlds/test_split.h"
#include "datasets/worlds/world.h"
#include "eval/core/task.h"
#include "experiments/workflow/stages/kinds.h"
#include "experiments/workflow/stages/roles.h"
#include "nlohmann/json.hpp"

namespace alidade::experiments {
namespace {

constexpr int kDisplayFactor = 8;  // pixels on the page per pixel of the world

const Stage* FindStage(const Experiment& experiment, absl::string_view id) {
  for (const Stage& stage : experiment.stage()) {
    if (stage.id() == id) return &stage;
  }
  return nullptr;
}

// Ids of the models that a report's evaluations are of, in order, each once.
std::vector<std::string> EvaluatedModels(const Experiment& experiment, const Stage& report) {
  std::vector<std::string> models;
  for (const std::string& need : report.needs()) {
    const Stage* stage = FindStage(experiment, need);
    if (stage == nullptr || !stage->has_evaluate()) continue;
    for (const std::string& model : stage->needs()) {
      if (std::count(models.begin(), models.end(), model) == 0) models.push_back(model);
    }
  }
  return models;
}

std::string LabelOf(const Experiment& experiment, const std::string& id) {
  const Stage* stage = FindStage(experiment, id);
  return stage == nullptr || stage->label().empty() ? id : stage->label();
}

// Names of a task's metrics as records spell them: "adversarial.accuracy", or "accuracy" where
// there are no groups.
std::vector<std::string> MetricNames(const eval::TaskDefinition& task) {
  std::vector<std::string> names;
  for (const eval::MetricDefinition& metric : task.metrics) {
    if (task.groups.empty()) names.push_back(metric.name);
    for (const std::string& group : task.groups)
      names.push_back(absl::StrCat(group, ".", metric.name));
  }
  return names;
}

// Checks that the evaluations run the task, and that it has the metric.
absl::Status CheckMetric(const ExperimentFile& file, int index, const std::vector<PathStep>& where,
                         const std::string& task, const std::string& metric) {
  std::vector<std::string> tasks;
  for (const std::string& need : file.experiment().stage(index).needs()) {
    const Stage* stage = FindStage(file.experiment(), need);
    if (stage == nullptr || !stage->has_evaluate()) continue;
    for (const std::string& name : stage->evaluate().task()) tasks.push_back(name);
  }
  std::vector<PathStep> path = where;
  if (std::count(tasks.begin(), tasks.end(), task) == 0) {
    path.push_back({"task"});
    return file.ErrorInStage(index, path,
                             absl::StrCat("task: expected one that is evaluated, got \"", task,
                                          "\"", Suggestion(task, tasks)));
  }
  ALIDADE_ASSIGN_OR_RETURN(const eval::Task* definition, eval::FindTask(task));
  const std::vector<std::string> metrics = MetricNames(definition->definition());
  if (std::count(metrics.begin(), metrics.end(), metric) == 0) {
    path.push_back({"metric"});
    return file.ErrorInStage(index, path,
                             absl::StrCat("metric: expected a metric of ", task, ", got \"", metric,
                                          "\"", Suggestion(metric, metrics)));
  }
  return absl::OkStatus();
}

absl::Status CheckModel(const ExperimentFile& file, int index, std::vector<PathStep> path,
                        const std::string& model) {
  const Experiment& experiment = file.experiment();
  const std::vector<std::string> models = EvaluatedModels(experiment, experiment.stage(index));
  if (std::count(models.begin(), models.end(), model) != 0) return absl::OkStatus();
  return file.ErrorInStage(
      index, path,
      absl::StrCat(path.back().field, ": expected a model that is evaluated, got \"", model, "\"",
                   Suggestion(model, models)));
}

absl::Status CheckClaim(const ExperimentFile& file, int index, int i) {
  const Claim& claim = file.experiment().stage(index).report().claim(i);
  const PathStep here = {"claim", i};
  if (claim.statement().empty())
    return file.ErrorInStage(index, {here}, "claim: expected a statement, got none");
  ALIDADE_RETURN_IF_ERROR(CheckMetric(file, index, {here}, claim.task(), claim.metric()));
  ALIDADE_RETURN_IF_ERROR(CheckModel(file, index, {here, {"method"}}, claim.method()));
  if (claim.kind_case() == Claim::KIND_NOT_SET) {
    return file.ErrorInStage(
        index, {here},
        "claim: expected one of difference_at_least, relative_at_most, value_at_least, got none");
  }
  if (claim.kind_case() != Claim::kValueAtLeast) {
    return CheckModel(file, index, {here, {"baseline"}}, claim.baseline());
  }
  if (claim.has_baseline() || claim.interval_excludes_zero()) {
    return file.ErrorInStage(
        index, {here},
        "claim: value_at_least compares with no baseline; expected neither baseline "
        "nor interval_excludes_zero");
  }
  return absl::OkStatus();
}

eval::Claim ToClaim(const Claim& claim) {
  eval::Claim out;
  out.statement = claim.statement();
  out.task = claim.task();
  out.metric = claim.metric();
  out.method = claim.method();
  out.baseline = claim.baseline();
  out.interval_excludes_zero = claim.interval_excludes_zero();
  switch (claim.kind_case()) {
    case Claim::kRelativeAtMost:
      out.kind = eval::ClaimKind::kRelativeAtMost;
      out.threshold = claim.relative_at_most();
      break;
    case Claim::kValueAtLeast:
      out.kind = eval::ClaimKind::kValueAtLeast;
      out.threshold = claim.value_at_least();
      break;
    default:
      out.kind = eval::ClaimKind::kDifferenceAtLeast;
      out.threshold = claim.difference_at_least();
  }
  return out;
}

// The metrics that the first record of a run's metrics.jsonl has.
absl::StatusOr<std::set<std::string>> LoggedMetrics(const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const nlohmann::json record =
      nlohmann::json::parse(text.substr(0, text.find('\n')), nullptr, false);
  if (!record.is_object()) {
    return absl::DataLossError(
        absl::StrCat(path, ":1: expected a JSON object, got something else"));
  }
  std::set<std::string> names;
  for (const auto& [name, value] : record.items()) names.insert(name);
  return names;
}

// Curves of the first seed's models; a metric that a model does not log has no curve of that model.
absl::StatusOr<std::vector<eval::Curve>> ReadCurves(const StageContext& context) {
  std::vector<eval::Curve> curves;
  const std::vector<StageInput> models = InputsOf(context, Role::kModel);
  for (const std::string& metric : context.stage->report().curve()) {
    const size_t before = curves.size();
    std::set<std::string> logged;
    for (const StageInput& model : models) {
      if (model.seed != context.seed) continue;
      const std::string path = JoinPath(model.folder, "metrics.jsonl");
      ALIDADE_ASSIGN_OR_RETURN(const std::set<std::string> names, LoggedMetrics(path));
      logged.insert(names.begin(), names.end());
      if (names.count(metric) == 0) continue;
      ALIDADE_ASSIGN_OR_RETURN(eval::Curve curve, eval::ReadCurve(path, model.id, metric));
      curves.push_back(std::move(curve));
    }
    if (curves.size() == before) {
      return absl::InvalidArgumentError(absl::StrCat(
          "curve: expected a metric that one of the needed models logs, got \"", metric, "\"",
          Suggestion(metric, std::vector<std::string>(logged.begin(), logged.end()))));
    }
  }
  return curves;
}

// What the cards of the needed datasets say about their annotators: agreement with the oracle, and
// how many records.
absl::StatusOr<std::vector<eval::Fact>> ReadAgreement(const StageContext& context) {
  std::vector<eval::Fact> facts;
  for (const StageInput& input : InputsOf(context, Role::kDataset)) {
    ALIDADE_ASSIGN_OR_RETURN(const datasets::DatasetFolder folder,
                             datasets::DatasetFolder::Open(DatasetFolderOf(input)));
    for (const auto& [name, value] : folder.card().statistics) {
      if (!absl::StartsWith(name, "oracle.") && !absl::StartsWith(name, "records.")) continue;
      facts.push_back(
          {absl::StrCat(input.label, context.seeds.size() > 1 ? absl::StrCat(" s", input.seed) : "",
                        ", ", name),
           absl::StrFormat("%.4g", value)});
    }
  }
  return facts;
}

// Wall-clock seconds of every stage that the report reads.
std::vector<eval::Fact> StageSeconds(const StageContext& context) {
  std::vector<eval::Fact> facts;
  for (const StageInput& input : context.inputs) {
    const absl::StatusOr<std::string> text = ReadFile(JoinPath(input.folder, "seconds.json"));
    if (!text.ok()) continue;
    const nlohmann::json json = nlohmann::json::parse(*text, nullptr, false);
    if (!json.is_object() || !json.contains("seconds") || !json["seconds"].is_number()) continue;
    facts.push_back({absl::StrCat("seconds of ", input.id, " s", input.seed),
                     absl::StrFormat("%.1f", json["seconds"].get<double>())});
  }
  return facts;
}

const eval::Evaluation* FindEvaluation(const std::vector<eval::Evaluation>& evaluations,
                                       const std::string& stage, int64_t seed) {
  for (const eval::Evaluation& evaluation : evaluations) {
    if (evaluation.stage == stage && evaluation.seed == seed) return &evaluation;
  }
  return nullptr;
}

absl::StatusOr<std::vector<eval::Picture>> Pictures(
    const StageContext& context, const std::vector<eval::Evaluation>& evaluations) {
  const Report& report = context.stage->report();
  if (report.num_pictures() == 0) return std::vector<eval::Picture>{};
  const Stage* evaluate = nullptr;
  for (const StageInput& input : InputsOf(context, Role::kEvaluation)) {
    if (evaluate == nullptr) evaluate = FindStage(*context.experiment, input.id);
  }
  ALIDADE_ASSIGN_OR_RETURN(
      const datasets::TestSplit split,
      datasets::TestSplit::Create(evaluate->evaluate().preset(),
                                  static_cast<int>(evaluate->evaluate().num_images())));
  return eval::DrawPictures(
      *FindEvaluation(evaluations, report.baseline(), context.seed),
      *FindEvaluation(evaluations, report.method(), context.seed), split,
      [](const Image& image) { return datasets::DisplayImage(image, kDisplayFactor); },
      report.num_pictures());
}

class ReportStage : public StageKind {
 public:
  explicit ReportStage(std::string code) : code_(std::move(code)) {}

  std::string name() const override { return "report"; }
  bool over_seeds() const override { return true; }

  absl::Status Resolve(ExperimentFile& file, int index) const override {
    Stage* stage = file.experiment().mutable_stage(index);
    Report* report = stage->mutable_report();
    if (report->title().empty()) report->set_title(file.experiment().name());
    if (!report->column().empty()) return absl::OkStatus();
    for (const eval::Column& column : eval::WorldColumns()) {
      Column* out = report->add_column();
      out->set_task(column.task);
      out->set_metric(column.metric);
      out->set_label(column.label);
    }
    return absl::OkStatus();
  }

  absl::Status Check(const ExperimentFile& file, int index,
                     absl::Span<const int> needs) const override {
    const int all = file.experiment().stage_size();
    ALIDADE_RETURN_IF_ERROR(CheckNeeds(
        file, index, needs,
        {{Role::kEvaluation, 1, all}, {Role::kModel, 0, all}, {Role::kDataset, 0, all}}));
    const Report& report = file.experiment().stage(index).report();
    ALIDADE_RETURN_IF_ERROR(CheckModel(file, index, {{"baseline"}}, report.baseline()));
    ALIDADE_RETURN_IF_ERROR(CheckModel(file, index, {{"method"}}, report.method()));
    for (int i = 0; i < report.column_size(); ++i) {
      ALIDADE_RETURN_IF_ERROR(CheckMetric(file, index, {{"column", i}}, report.column(i).task(),
                                          report.column(i).metric()));
    }
    for (int i = 0; i < report.claim_size(); ++i)
      ALIDADE_RETURN_IF_ERROR(CheckClaim(file, index, i));
    if (report.num_pictures() < 0) {
      return file.ErrorInStage(
          index, {{"num_pictures"}},
          absl::StrCat("num_pictures: expected >= 0, got ", report.num_pictures()));
    }
    return absl::OkStatus();
  }

  // A report shows the whole experiment's text, so that any change of it makes another report.
  absl::StatusOr<std::string> CodeVersion(const ExperimentFile& file, int) const override {
    return absl::StrCat(code_, " experiment ", Sha256Hex(CanonicalText(file.experiment())));
  }

  absl::Status Run(const StageContext& context) const override {
    const Experiment& experiment = *context.experiment;
    const Report& report = context.stage->report();
    eval::ReportInput input;
    input.title = report.title();
    input.question = experiment.question();
    const std::vector<std::string> models = EvaluatedModels(experiment, *context.stage);
    for (const std::string& model : models)
      input.methods.push_back({model, LabelOf(experiment, model)});
    input.baseline = report.baseline();
    input.method = report.method();
    for (const Column& column : report.column()) {
      input.columns.push_back({column.task(), column.metric(), column.label()});
    }
    for (const StageInput& evaluation : InputsOf(context, Role::kEvaluation)) {
      for (const std::string& model : FindStage(experiment, evaluation.id)->needs()) {
        ALIDADE_ASSIGN_OR_RETURN(eval::Evaluation read,
                                 eval::ReadEvaluation(EvaluationFolder(evaluation.folder, model)));
        input.evaluations.push_back(std::move(read));
      }
    }
    for (const Claim& claim : report.claim()) input.claims.push_back(ToClaim(claim));
    ALIDADE_ASSIGN_OR_RETURN(input.curves, ReadCurves(context));
    ALIDADE_ASSIGN_OR_RETURN(input.agreement, ReadAgreement(context));
    ALIDADE_ASSIGN_OR_RETURN(input.pictures, Pictures(context, input.evaluations));
    input.provenance = context.provenance;
    for (eval::Fact& fact : StageSeconds(context)) input.provenance.push_back(std::move(fact));
    input.config = CanonicalText(experiment);
    for (const Pointer& pointer : report.next())
      input.next.push_back({pointer.what(), pointer.why()});
    ALIDADE_ASSIGN_OR_RETURN(const eval::Report made, eval::MakeReport(std::move(input)));
    ALIDADE_RETURN_IF_ERROR(eval::WriteReport(made, context.folder));
    return WriteFile(JoinPath(context.folder, "report.txt"), eval::RenderTerminal(made));
  }

  std::vector<std::string> Results(const StageContext&) const override { return {"results.json"}; }
  std::vector<std::string> Published() const override {
    return {"report.html", "results.json", "report.txt"};
  }

 private:
  std::string code_;
};

}  // namespace

std::unique_ptr<StageKind> MakeReportStage(std::string code) {
  return std::make_unique<ReportStage>(std::move(code));
}

}  // namespace alidade::experiments
