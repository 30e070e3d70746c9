#include "eval/report/report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/files.h"
#include "common/provenance/random_stream.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"
#include "eval/report/format.h"

namespace alidade::eval {
namespace {

// Per-image numbers of one metric of one stage, one entry per seed.
using SeedUnits = std::vector<std::vector<UnitRatio>>;

class Builder {
 public:
  explicit Builder(Report& report) : report_(report), input_(report.input) {}

  absl::Status Build() {
    ALIDADE_RETURN_IF_ERROR(CheckMethods());
    ALIDADE_RETURN_IF_ERROR(FindSeeds());
    for (const Evaluation& evaluation : input_.evaluations) {
      for (const TaskOutput& task : evaluation.tasks) {
        report_.results.records.insert(report_.results.records.end(), task.records.begin(),
                                       task.records.end());
      }
    }
    for (const Column& column : input_.columns) {
      ALIDADE_ASSIGN_OR_RETURN(std::string unit, UnitOf(column.task, column.metric), "column '",
                               column.label, "'");
      report_.units.push_back(std::move(unit));
    }
    for (const Method& method : input_.methods) {
      std::vector<Cell> row;
      for (const Column& column : input_.columns) {
        ALIDADE_ASSIGN_OR_RETURN(Cell cell, MakeCell(method, column), "method '", method.label,
                                 "', column '", column.label, "'");
        row.push_back(std::move(cell));
      }
      report_.cells.push_back(std::move(row));
    }
    for (const Claim& claim : input_.claims) {
      ALIDADE_ASSIGN_OR_RETURN(Verdict verdict, Judge(claim), "claim '", claim.statement, "'");
      report_.verdicts.push_back(std::move(verdict));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status CheckStage(const std::string& stage, absl::string_view role) {
    std::vector<std::string> known;
    for (const Method& method : input_.methods) known.push_back(method.stage);
    if (std::find(known.begin(), known.end(), stage) != known.end()) return absl::OkStatus();
    return UnknownNameError(role, stage, known);
  }

  absl::Status CheckMethods() {
    std::set<std::string> seen;
    for (const Method& method : input_.methods) {
      if (!seen.insert(method.stage).second) {
        return absl::InvalidArgumentError(
            absl::StrCat("report: method '", method.stage, "' stands there twice"));
      }
    }
    if (input_.columns.empty())
      return absl::InvalidArgumentError("report: expected at least one column, got none");
    ALIDADE_RETURN_IF_ERROR(CheckStage(input_.baseline, "baseline"));
    ALIDADE_RETURN_IF_ERROR(CheckStage(input_.method, "method"));
    for (const Curve& curve : input_.curves)
      ALIDADE_RETURN_IF_ERROR(CheckStage(curve.stage, "method of a curve"));
    return absl::OkStatus();
  }

  absl::Status FindSeeds() {
    std::map<std::string, std::set<int64_t>> seeds_of;
    for (const Evaluation& evaluation : input_.evaluations) {
      ALIDADE_RETURN_IF_ERROR(CheckStage(evaluation.stage, "method of an evaluation"));
      if (!seeds_of[evaluation.stage].insert(evaluation.seed).second) {
        return absl::InvalidArgumentError(absl::StrCat("report: two evaluations of method '",
                                                       evaluation.stage, "' with seed ",
                                                       evaluation.seed));
      }
    }
    const std::set<int64_t>& expected = seeds_of[input_.baseline];
    for (const Method& method : input_.methods) {
      const std::set<int64_t>& got = seeds_of[method.stage];
      if (got.empty()) {
        return absl::InvalidArgumentError(
            absl::StrCat("report: method '", method.stage, "' has no evaluation"));
      }
      if (got != expected) {
        return absl::InvalidArgumentError(absl::StrCat(
            "report: method '", method.stage, "': expected the seeds ",
            absl::StrJoin(expected, ", "), " of the baseline, got ", absl::StrJoin(got, ", ")));
      }
    }
    report_.seeds.assign(expected.begin(), expected.end());
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> UnitOf(const std::string& task_name, const std::string& metric) {
    ALIDADE_ASSIGN_OR_RETURN(const Task* task, FindTask(task_name));
    ALIDADE_RETURN_IF_ERROR(UnitRatios(task->definition(), {}, metric).status());
    const std::string name =
        metric.substr(metric.rfind('.') + 1);  // npos + 1 = 0: a metric without a group
    for (const MetricDefinition& definition : task->definition().metrics) {
      if (definition.name == name) return definition.unit;
    }
    return absl::InternalError(
        absl::StrCat("task '", task_name, "' lost its metric '", metric, "'"));
  }

  absl::StatusOr<const SeedUnits*> Units(const std::string& stage, const std::string& task_name,
                                         const std::string& metric) {
    const auto key = std::make_tuple(stage, task_name, metric);
    const auto found = units_.find(key);
    if (found != units_.end()) return &found->second;
    ALIDADE_ASSIGN_OR_RETURN(const Task* task, FindTask(task_name));
    SeedUnits units;
    for (int64_t seed : report_.seeds) {
      const TaskOutput* output = nullptr;
      for (const Evaluation& evaluation : input_.evaluations) {
        if (evaluation.stage != stage || evaluation.seed != seed) continue;
        for (const TaskOutput& candidate : evaluation.tasks) {
          if (candidate.task == task_name) output = &candidate;
        }
      }
      if (output == nullptr) {
        return absl::InvalidArgumentError(absl::StrCat("method '", stage, "' with seed ", seed,
                                                       " was not evaluated on task '", task_name,
                                                       "'"));
      }
      ALIDADE_ASSIGN_OR_RETURN(std::vector<UnitRatio> ratios,
                               UnitRatios(task->definition(), output->samples, metric));
      units.push_back(std::move(ratios));
    }
    return &(units_[key] = std::move(units));
  }

  // The stream of a single evaluation, so that with one seed the interval is that of its record.
  RandomStream Stream(const std::string& task, const std::string& metric) {
    return RandomStream(report_.seeds[0], BootstrapStreamName(task, metric));
  }

  std::vector<double> PerSeed(const SeedUnits& model, const SeedUnits* baseline,
                              DifferenceKind kind) {
    std::vector<double> values;
    for (size_t s = 0; s < model.size(); ++s) {
      double value = RatioOfSums(model[s]);
      if (baseline != nullptr) {
        const double base = RatioOfSums((*baseline)[s]);
        value = kind == DifferenceKind::kAbsolute ? value - base : (value - base) / base;
      }
      values.push_back(value);
    }
    return values;
  }

  absl::StatusOr<Interval> Difference(const SeedUnits& model, const SeedUnits& baseline,
                                      DifferenceKind kind, RandomStream stream) {
    std::vector<PairedUnits> pairs;
    for (size_t s = 0; s < model.size(); ++s) pairs.push_back({model[s], baseline[s]});
    return BootstrapPairedDifference(pairs, kind, input_.bootstrap, stream);
  }

  void Record(const std::string& stage, const std::string& baseline, const std::string& task,
              const std::string& metric, bool relative, const Interval& interval, size_t images,
              std::vector<double> per_seed) {
    ComparisonRecord record{stage,         baseline,           task,
                            metric,        relative,           interval.value,
                            interval.low,  interval.high,      static_cast<int64_t>(images),
                            report_.seeds, std::move(per_seed)};
    std::vector<ComparisonRecord>& all = report_.results.comparisons;
    if (std::find(all.begin(), all.end(), record) == all.end()) all.push_back(std::move(record));
  }

  absl::StatusOr<Cell> MakeCell(const Method& method, const Column& column) {
    ALIDADE_ASSIGN_OR_RETURN(const SeedUnits* units,
                             Units(method.stage, column.task, column.metric));
    Cell cell;
    cell.per_seed = PerSeed(*units, nullptr, DifferenceKind::kAbsolute);
    RandomStream stream = Stream(column.task, column.metric);
    ALIDADE_ASSIGN_OR_RETURN(cell.interval, BootstrapOverSeeds(*units, input_.bootstrap, stream));
    Record(method.stage, "", column.task, column.metric, false, cell.interval, (*units)[0].size(),
           cell.per_seed);
    if (method.stage == input_.baseline) return cell;
    ALIDADE_ASSIGN_OR_RETURN(const SeedUnits* baseline,
                             Units(input_.baseline, column.task, column.metric));
    ALIDADE_ASSIGN_OR_RETURN(cell.difference,
                             Difference(*units, *baseline, DifferenceKind::kAbsolute,
                                        Stream(column.task, column.metric)));
    Record(method.stage, input_.baseline, column.task, column.metric, false, cell.difference,
           (*units)[0].size(), PerSeed(*units, baseline, DifferenceKind::kAbsolute));
    return cell;
  }

  absl::StatusOr<Verdict> Judge(const Claim& claim) {
    ALIDADE_RETURN_IF_ERROR(CheckStage(claim.method, "method"));
    ALIDADE_ASSIGN_OR_RETURN(const std::string unit, UnitOf(claim.task, claim.metric));
    ALIDADE_ASSIGN_OR_RETURN(const SeedUnits* units, Units(claim.method, claim.task, claim.metric));
    Verdict verdict{claim, false, {}, {}, ""};
    const SeedUnits* baseline = nullptr;
    const bool relative = claim.kind == ClaimKind::kRelativeAtMost;
    const DifferenceKind kind = relative ? DifferenceKind::kRelative : DifferenceKind::kAbsolute;
    if (claim.kind == ClaimKind::kValueAtLeast) {
      RandomStream stream = Stream(claim.task, claim.metric);
      ALIDADE_ASSIGN_OR_RETURN(verdict.interval,
                               BootstrapOverSeeds(*units, input_.bootstrap, stream));
    } else {
      ALIDADE_RETURN_IF_ERROR(CheckStage(claim.baseline, "baseline"));
      ALIDADE_ASSIGN_OR_RETURN(baseline, Units(claim.baseline, claim.task, claim.metric));
      ALIDADE_ASSIGN_OR_RETURN(
          verdict.interval, Difference(*units, *baseline, kind, Stream(claim.task, claim.metric)));
    }
    verdict.per_seed = PerSeed(*units, baseline, kind);
    Record(claim.method, baseline == nullptr ? "" : claim.baseline, claim.task, claim.metric,
           relative, verdict.interval, (*units)[0].size(), verdict.per_seed);
    const double value =
        verdict.interval.value;  // NaN compares false: a number that does not exist holds nothing
    verdict.holds = relative ? value <= claim.threshold : value >= claim.threshold;
    if (claim.interval_excludes_zero) {
      verdict.holds =
          verdict.holds && (relative ? verdict.interval.high < 0 : verdict.interval.low > 0);
    }
    verdict.explanation = Explain(verdict, unit);
    return verdict;
  }

  static std::string Explain(const Verdict& verdict, const std::string& unit) {
    const Claim& claim = verdict.claim;
    const Interval& interval = verdict.interval;
    std::string got, asked;
    const std::string points = unit == "share" ? "points" : unit;
    if (claim.kind == ClaimKind::kDifferenceAtLeast) {
      got = absl::StrCat(FormatDifference(interval.value, unit), " ", points, " ",
                         FormatDifferenceInterval(interval, unit));
      asked = absl::StrCat("at least ", FormatDifference(claim.threshold, unit), " ", points);
    } else if (claim.kind == ClaimKind::kRelativeAtMost) {
      got = absl::StrCat(FormatDifference(interval.value, "share"), " % ",
                         FormatDifferenceInterval(interval, "share"), " of the baseline");
      asked = absl::StrCat("at most ", FormatDifference(claim.threshold, "share"), " %");
    } else {
      const std::string sign = unit == "share" ? "%" : unit;
      got = absl::StrCat(FormatValue(interval.value, unit), " ", sign, " ",
                         FormatInterval(interval, unit));
      asked = absl::StrCat("at least ", FormatValue(claim.threshold, unit), " ", sign);
    }
    if (claim.interval_excludes_zero)
      absl::StrAppend(&asked, ", with a 95 % interval that excludes zero");
    return absl::StrCat(got, "; asked: ", asked);
  }

  Report& report_;
  const ReportInput& input_;
  std::map<std::tuple<std::string, std::string, std::string>, SeedUnits> units_;
};

}  // namespace

std::vector<Column> WorldColumns() {
  return {{"pope", "adversarial.accuracy", "POPE adversarial"},
          {"pope", "popular.accuracy", "POPE popular"},
          {"pope", "random.accuracy", "POPE random"},
          {"pope", "adversarial.f1", "adversarial F1"},
          {"pope", "adversarial.yes_ratio", "adversarial yes"},
          {"chair", "chair_s", "CHAIR_s"},
          {"chair", "chair_i", "CHAIR_i"},
          {"chair", "coverage", "coverage"},
          {"chair", "length", "length"},
          {"chair", "ended", "captions end"}};
}

absl::StatusOr<Report> MakeReport(ReportInput input) {
  Report report;
  report.input = std::move(input);
  ALIDADE_RETURN_IF_ERROR(Builder(report).Build(), "while making the report");
  return report;
}

absl::Status WriteReport(const Report& report, const std::string& folder) {
  ALIDADE_RETURN_IF_ERROR(WriteResults(JoinPath(folder, "results.json"), report.results));
  ALIDADE_ASSIGN_OR_RETURN(const std::string html, RenderHtml(report), "while writing the report");
  return WriteFile(JoinPath(folder, "report.html"), html);
}

}  // namespace alidade::eval
