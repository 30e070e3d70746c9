#ifndef ALIDADE_EVAL_CORE_RESULT_RECORD_H_
#define ALIDADE_EVAL_CORE_RESULT_RECORD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alidade::eval {

// One reported number. Every table and every verdict is made of these, and only an evaluation
// writes them.
struct ResultRecord {
  std::string stage;   // who answered: the id of the stage that made the model, e.g. "sft"
  std::string task;    // e.g. "pope"
  std::string metric;  // e.g. "adversarial.accuracy"
  // Shares are fractions in [0, 1], never percent. NaN (null in JSON) where the metric does not
  // exist because its denominator is zero.
  double value = 0;
  double low = 0;   // 95 % bootstrap percentile interval, resampled over images
  double high = 0;  //
  int64_t n = 0;    // samples behind the number: questions or captions
  int64_t seed = 0;
  std::string task_version;
  bool higher_is_better = true;
  std::string unit = "share";  // "share", or what is counted, e.g. "words"
};

// The difference "stage minus baseline" of one metric on the same samples, paired per image and per
// seed; with an empty baseline the metric itself. Value and interval are of the mean over seeds.
struct ComparisonRecord {
  std::string stage;
  std::string baseline;
  std::string task;
  std::string metric;
  bool relative = false;  // true: (stage - baseline) / baseline
  double value = 0;       // mean over the seeds; NaN where it does not exist
  double low = 0;
  double high = 0;
  int64_t n = 0;  // images
  std::vector<int64_t> seeds;
  std::vector<double> per_seed;  // in the order of `seeds`
};

struct Results {
  std::vector<ResultRecord> records;
  std::vector<ComparisonRecord> comparisons;
};

bool operator==(const ResultRecord& a, const ResultRecord& b);          // NaN equals NaN
bool operator==(const ComparisonRecord& a, const ComparisonRecord& b);  // NaN equals NaN

// The text of results.json: {"schema": "alidade.results/1", "records": [...], "comparisons":
// [...]}. Numbers are printed so that reading them back gives the same bits.
std::string ResultsToJson(const Results& results);

// Errors name `source`, the record and the field, what was expected and got; an unknown field is an
// error.
absl::StatusOr<Results> ResultsFromJson(absl::string_view text, absl::string_view source);

absl::Status WriteResults(const std::string& path, const Results& results);
absl::StatusOr<Results> ReadResults(const std::string& path);

}  // namespace alidade::eval

#endif  // ALIDADE_EVAL_CORE_RESULT_RECORD_H_
