#include "eval/core/result_record.h"

#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/json/json_fields.h"
#include "common/status/status.h"
#include "nlohmann/json.hpp"

namespace alidade::eval {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kSchema[] = "alidade.results/1";

// JSON has no NaN: null where a number does not exist.
Json NumberOrNull(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

bool Same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

bool Same(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!Same(a[i], b[i])) return false;
  }
  return true;
}

Json ToJson(const ResultRecord& record) {
  return {{"stage", record.stage},
          {"task", record.task},
          {"metric", record.metric},
          {"value", NumberOrNull(record.value)},
          {"low", NumberOrNull(record.low)},
          {"high", NumberOrNull(record.high)},
          {"n", record.n},
          {"seed", record.seed},
          {"task_version", record.task_version},
          {"higher_is_better", record.higher_is_better},
          {"unit", record.unit}};
}

Json ToJson(const ComparisonRecord& comparison) {
  Json per_seed = Json::array();
  for (size_t i = 0; i < comparison.per_seed.size(); ++i) {
    per_seed.push_back(
        {{"seed", comparison.seeds[i]}, {"value", NumberOrNull(comparison.per_seed[i])}});
  }
  return {{"stage", comparison.stage},
          {"baseline", comparison.baseline},
          {"task", comparison.task},
          {"metric", comparison.metric},
          {"relative", comparison.relative},
          {"value", NumberOrNull(comparison.value)},
          {"low", NumberOrNull(comparison.low)},
          {"high", NumberOrNull(comparison.high)},
          {"n", comparison.n},
          {"per_seed", per_seed}};
}

// Null is how a number that does not exist is written; an absent field is an error.
void ReadNumberOrNull(JsonFields& fields, absl::string_view name, double* value) {
  *value = std::numeric_limits<double>::quiet_NaN();
  if (!fields.Has(name)) fields.Fail(name, "expected a number or null, got no such field");
  fields.Optional(name, value);
}

absl::StatusOr<ResultRecord> ReadRecord(const JsonDocument& document, const nlohmann::json& object,
                                        const std::string& path) {
  JsonFields fields(document, object, path);
  ResultRecord record;
  fields.Required("stage", &record.stage);
  fields.Required("task", &record.task);
  fields.Required("metric", &record.metric);
  ReadNumberOrNull(fields, "value", &record.value);
  ReadNumberOrNull(fields, "low", &record.low);
  ReadNumberOrNull(fields, "high", &record.high);
  fields.Required("n", &record.n);
  fields.Expect(record.n >= 0, "n", ">= 0");
  fields.Expect(!(record.low > record.high), "low", "<= high");
  fields.Required("seed", &record.seed);
  fields.Required("task_version", &record.task_version);
  fields.Required("higher_is_better", &record.higher_is_better);
  fields.Required("unit", &record.unit);
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  return record;
}

absl::StatusOr<ComparisonRecord> ReadComparison(const JsonDocument& document,
                                                const nlohmann::json& object,
                                                const std::string& path) {
  JsonFields fields(document, object, path);
  ComparisonRecord comparison;
  fields.Required("stage", &comparison.stage);
  fields.Required("baseline", &comparison.baseline);
  fields.Required("task", &comparison.task);
  fields.Required("metric", &comparison.metric);
  fields.Required("relative", &comparison.relative);
  ReadNumberOrNull(fields, "value", &comparison.value);
  ReadNumberOrNull(fields, "low", &comparison.low);
  ReadNumberOrNull(fields, "high", &comparison.high);
  fields.Required("n", &comparison.n);
  const nlohmann::json* per_seed = fields.RequiredArray("per_seed");
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  for (size_t i = 0; i < per_seed->size(); ++i) {
    JsonFields entry(document, (*per_seed)[i], absl::StrCat(path, ".per_seed[", i, "]"));
    int64_t seed = 0;
    double value = 0;
    entry.Required("seed", &seed);
    ReadNumberOrNull(entry, "value", &value);
    ALIDADE_RETURN_IF_ERROR(entry.Finish());
    comparison.seeds.push_back(seed);
    comparison.per_seed.push_back(value);
  }
  return comparison;
}

}  // namespace

bool operator==(const ResultRecord& a, const ResultRecord& b) {
  return a.stage == b.stage && a.task == b.task && a.metric == b.metric && Same(a.value, b.value) &&
         Same(a.low, b.low) && Same(a.high, b.high) && a.n == b.n && a.seed == b.seed &&
         a.task_version == b.task_version && a.higher_is_better == b.higher_is_better &&
         a.unit == b.unit;
}

bool operator==(const ComparisonRecord& a, const ComparisonRecord& b) {
  return a.stage == b.stage && a.baseline == b.baseline && a.task == b.task &&
         a.metric == b.metric && a.relative == b.relative && Same(a.value, b.value) &&
         Same(a.low, b.low) && Same(a.high, b.high) && a.n == b.n && a.seeds == b.seeds &&
         Same(a.per_seed, b.per_seed);
}

std::string ResultsToJson(const Results& results) {
  Json root = {{"schema", kSchema}, {"records", Json::array()}, {"comparisons", Json::array()}};
  for (const ResultRecord& record : results.records) root["records"].push_back(ToJson(record));
  for (const ComparisonRecord& comparison : results.comparisons)
    root["comparisons"].push_back(ToJson(comparison));
  return root.dump(1, ' ', true, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<Results> ResultsFromJson(absl::string_view text, absl::string_view source) {
  ALIDADE_ASSIGN_OR_RETURN(const JsonDocument document, ParseJson(text, source));
  JsonFields fields(document);
  fields.MustBe("schema", kSchema);
  const nlohmann::json* records = fields.RequiredArray("records");
  const nlohmann::json* comparisons = fields.RequiredArray("comparisons");
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  Results results;
  for (size_t i = 0; i < records->size(); ++i) {
    ALIDADE_ASSIGN_OR_RETURN(ResultRecord record,
                             ReadRecord(document, (*records)[i], absl::StrCat("records[", i, "]")));
    results.records.push_back(std::move(record));
  }
  for (size_t i = 0; i < comparisons->size(); ++i) {
    ALIDADE_ASSIGN_OR_RETURN(
        ComparisonRecord comparison,
        ReadComparison(document, (*comparisons)[i], absl::StrCat("comparisons[", i, "]")));
    results.comparisons.push_back(std::move(comparison));
  }
  return results;
}

absl::Status WriteResults(const std::string& path, const Results& results) {
  return WriteFile(path, ResultsToJson(results));
}

absl::StatusOr<Results> ReadResults(const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ResultsFromJson(text, path);
}

}  // namespace alidade::eval
