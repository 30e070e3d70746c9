#ifndef ALIDADE_EVAL_REPORT_FORMAT_H_
#define ALIDADE_EVAL_REPORT_FORMAT_H_

// How a number of a record is printed, in HTML and on a terminal alike. Shares are shown in
// percent.

#include <string>

#include "absl/strings/string_view.h"
#include "eval/core/bootstrap.h"

namespace alidade::eval {

// "84.3", or "n/a" for a number that does not exist. The unit is that of the record: "share" is
// multiplied by 100.
std::string FormatValue(double value, absl::string_view unit);
// "+21.7", "-0.4", "0.0".
std::string FormatDifference(double value, absl::string_view unit);
// "[81.2, 87.0]"
std::string FormatInterval(const Interval& interval, absl::string_view unit);
std::string FormatDifferenceInterval(const Interval& interval, absl::string_view unit);

// True where the whole interval lies on one side of zero.
bool ExcludesZero(const Interval& interval);

// Text for HTML: & < > " ' become references.
std::string EscapeHtml(absl::string_view text);

}  // namespace alidade::eval

#endif  // ALIDADE_EVAL_REPORT_FORMAT_H_
