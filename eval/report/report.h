#ifndef ALIDADE_EVAL_REPORT_REPORT_H_
#define ALIDADE_EVAL_REPORT_REPORT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/media/image.h"
#include "eval/core/bootstrap.h"
#include "eval/core/result_record.h"
#include "eval/core/task.h"

namespace alidade::datasets {
class ImageProvider;
}

namespace alidade::eval {

// A row of the table. `stage` is the id that evaluations and curves carry, `label` what a person
// reads.
struct Method {
  std::string stage;
  std::string label;
};

// A column of the table.
struct Column {
  std::string task;
  std::string metric;
  std::string label;
};

enum class ClaimKind {
  kDifferenceAtLeast,  // method - baseline >= threshold
  kRelativeAtMost,     // (method - baseline) / baseline <= threshold
  kValueAtLeast,       // method >= threshold
};

// A statement that the numbers make true or false. Shares are fractions: +10 points is 0.10.
struct Claim {
  std::string statement;  // e.g. "DPO answers adversarial POPE questions better than SFT by 10
                          // points or more"
  std::string task;
  std::string metric;
  std::string method;    // stage
  std::string baseline;  // stage; empty for kValueAtLeast
  ClaimKind kind = ClaimKind::kDifferenceAtLeast;
  double threshold = 0;
  bool interval_excludes_zero = false;  // of the difference; on the side of the threshold's sign
};

struct Verdict {
  Claim claim;
  bool holds = false;
  Interval interval;             // of the difference, relative difference or value
  std::vector<double> per_seed;  // in the order of Report::seeds
  std::string
      explanation;  // numbers against threshold, one line: "+21.7 points [18.2, 25.1]; asked: ..."
};

struct CurvePoint {
  double step = 0;
  double value = 0;
};

// One line of a plot. Plots are grouped by `metric`, in order of first appearance.
struct Curve {
  std::string stage;
  std::string metric;  // e.g. "loss", "margin"
  std::vector<CurvePoint> points;
};

// A picture with two answers to the same question.
struct Picture {
  Image image;  // as it is to be seen: already enlarged and brightened
  std::string question;
  std::string truth;
  std::string baseline_answer;
  std::string method_answer;
  std::vector<std::string> baseline_wrong;  // words to mark
  std::vector<std::string> method_wrong;
};

using Fact = std::pair<std::string, std::string>;  // name, value

struct ReportInput {
  std::string title;
  std::string question;
  std::vector<Method> methods;  // rows, in this order; one of them is the baseline
  std::string baseline;         // stage
  std::string method;           // stage that pictures and plots put against the baseline
  std::vector<Column> columns;
  std::vector<Evaluation> evaluations;  // every method x every seed, the same seeds for all methods
  std::vector<Claim> claims;
  std::vector<Curve> curves;
  std::vector<Picture> pictures;
  std::vector<Fact> agreement;   // annotators against the oracle: kappa and so on
  std::vector<Fact> provenance;  // commit, versions, digests, times
  std::string config;            // canonical text of the run's configuration
  std::vector<Fact> next;        // where to look next: file or command, what it is
  BootstrapOptions bootstrap;
};

// A cell: one method, one column.
struct Cell {
  Interval interval;             // mean over seeds
  std::vector<double> per_seed;  // in the order of Report::seeds
  Interval difference;           // to the baseline, paired; of the baseline itself: zeros
};

struct Report {
  ReportInput input;
  std::vector<int64_t> seeds;
  std::vector<std::string> units;        // of the columns, as in the task definitions
  std::vector<std::vector<Cell>> cells;  // [method][column]
  std::vector<Verdict> verdicts;
  Results results;  // all records of all evaluations, and the comparisons with the baseline
};

// The columns of the embedded world's quickstart: POPE adversarial, popular and random accuracy,
// adversarial F1 and yes share, CHAIR_s, CHAIR_i, coverage, length, share of captions that end.
std::vector<Column> WorldColumns();

// Computes table, comparisons and verdicts. Errors: a method without evaluation, methods with
// different seeds, an unknown column, claim or baseline (nearest name), samples that differ between
// models.
absl::StatusOr<Report> MakeReport(ReportInput input);

// One self-contained HTML page: no script, no outside resource. Plots are drawn by gnuplot; where
// it is not installed the error names the Debian package.
absl::StatusOr<std::string> RenderHtml(const Report& report);

// The same numbers for a terminal, "value [low, high]"; columns that do not fit into `width` go
// below.
std::string RenderTerminal(const Report& report, int width = 100);

// Writes report.html and results.json into `folder` (which exists).
absl::Status WriteReport(const Report& report, const std::string& folder);

// Reads the points of one metric from a file of JSON lines {"step": n, "<metric>": x, ...}. Lines
// without the metric are of another rhythm and are passed over; a file in which no line has it is
// an error with the nearest name.
absl::StatusOr<Curve> ReadCurve(const std::string& path, absl::string_view stage,
                                absl::string_view metric);

// Up to `count` pictures, half from captions and half from adversarial POPE questions, drawn with
// the evaluation's seed among the samples on which the two models answer differently. Not chosen by
// who is right. `for_people` turns a stored image into one to look at, e.g.
// datasets::DisplayImage(image, 8).
absl::StatusOr<std::vector<Picture>> DrawPictures(const Evaluation& baseline,
                                                  const Evaluation& method,
                                                  const datasets::ImageProvider& images,
                                                  absl::FunctionRef<Image(const Image&)> for_people,
                                                  int64_t count);

}  // namespace alidade::eval

#endif  // ALIDADE_EVAL_REPORT_REPORT_H_
