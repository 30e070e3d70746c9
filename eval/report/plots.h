#ifndef ALIDADE_EVAL_REPORT_PLOTS_H_
#define ALIDADE_EVAL_REPORT_PLOTS_H_

// Plots as SVG elements to be put into a page, drawn by gnuplot in a process of its own.

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "eval/report/report.h"

namespace alidade::eval {

// Runs gnuplot on `script`, which gets its terminal (svg of that size in pixels, class `name`) from
// here. Errors: gnuplot is not installed (names the Debian package), gnuplot's own message.
absl::StatusOr<std::string> Gnuplot(absl::string_view script, int width, int height,
                                    absl::string_view name);

// A string constant of gnuplot's language that stands for exactly this text.
std::string GnuplotString(absl::string_view text);

// One curve over training steps: every point in light colour, the mean over a window of 1/20 of the
// points in full.
absl::StatusOr<std::string> PlotCurve(const Curve& curve, const std::string& title,
                                      const std::string& colour, const std::string& name);

// Grouped bars with 95 % intervals, in percent. The legend is the page's, which can wrap it.
struct Bars {
  std::vector<std::string> groups;
  std::vector<std::string> colours;           // per method
  std::vector<std::vector<Interval>> values;  // [method][group], shares
  double chance = 50;                         // drawn as a line
};
absl::StatusOr<std::string> PlotBars(const Bars& bars, const std::string& title,
                                     const std::string& name);

}  // namespace alidade::eval

#endif  // ALIDADE_EVAL_REPORT_PLOTS_H_
