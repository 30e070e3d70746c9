#include "eval/report/format.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace alidade::eval {
namespace {

double Scale(absl::string_view unit) { return unit == "share" ? 100 : 1; }

}  // namespace

std::string FormatValue(double value, absl::string_view unit) {
  if (!std::isfinite(value)) return "n/a";
  std::string text = absl::StrFormat("%.1f", Scale(unit) * value);
  return text == "-0.0" ? "0.0" : text;
}

std::string FormatDifference(double value, absl::string_view unit) {
  const std::string text = FormatValue(value, unit);
  return text == "n/a" || text == "0.0" || text[0] == '-' ? text : absl::StrCat("+", text);
}

std::string FormatInterval(const Interval& interval, absl::string_view unit) {
  return absl::StrCat("[", FormatValue(interval.low, unit), ", ", FormatValue(interval.high, unit),
                      "]");
}

std::string FormatDifferenceInterval(const Interval& interval, absl::string_view unit) {
  return absl::StrCat("[", FormatDifference(interval.low, unit), ", ",
                      FormatDifference(interval.high, unit), "]");
}

bool ExcludesZero(const Interval& interval) { return interval.low > 0 || interval.high < 0; }

std::string EscapeHtml(absl::string_view text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

}  // namespace alidade::eval
