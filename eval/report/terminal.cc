#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "eval/report/format.h"
#include "eval/report/report.h"

namespace alidade::eval {
namespace {

std::string Padded(absl::string_view text, size_t width) {
  return absl::StrCat(text, std::string(width > text.size() ? width - text.size() : 0, ' '));
}

using Grid = std::vector<std::vector<std::string>>;

// Columns left-aligned, two blanks between; columns that do not fit go into a further block with
// the first repeated.
std::string LayOut(const Grid& grid, size_t width) {
  std::vector<size_t> widths(grid[0].size(), 0);
  for (const std::vector<std::string>& row : grid) {
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string text;
  size_t begin = 1;
  while (begin < widths.size()) {
    size_t end = begin, used = widths[0];
    while (end < widths.size() && (end == begin || used + 2 + widths[end] <= width))
      used += 2 + widths[end++];
    if (begin > 1) text += "\n";
    for (const std::vector<std::string>& row : grid) {
      std::string line = Padded(row[0], widths[0]);
      for (size_t c = begin; c < end; ++c) absl::StrAppend(&line, "  ", Padded(row[c], widths[c]));
      line.erase(line.find_last_not_of(' ') + 1);
      absl::StrAppend(&text, line, "\n");
    }
    begin = end;
  }
  return text;
}

void AddFacts(std::string& text, absl::string_view title, const std::vector<Fact>& facts) {
  if (facts.empty()) return;
  absl::StrAppend(&text, "\n", title, "\n");
  size_t width = 0;
  for (const Fact& fact : facts) width = std::max(width, fact.first.size());
  for (const Fact& fact : facts)
    absl::StrAppend(&text, "  ", Padded(fact.first, width), "  ", fact.second, "\n");
}

}  // namespace

std::string RenderTerminal(const Report& report, int width) {
  const ReportInput& input = report.input;
  Grid grid(input.methods.size() + 1);
  grid[0].push_back("");
  for (size_t m = 0; m < input.methods.size(); ++m) grid[m + 1].push_back(input.methods[m].label);
  for (size_t c = 0; c < input.columns.size(); ++c) {
    const std::string& unit = report.units[c];
    grid[0].push_back(absl::StrCat(input.columns[c].label, unit == "share" ? " %" : ""));
    for (size_t m = 0; m < input.methods.size(); ++m) {
      const Interval& interval = report.cells[m][c].interval;
      grid[m + 1].push_back(
          absl::StrCat(FormatValue(interval.value, unit), " ", FormatInterval(interval, unit)));
    }
  }
  std::string text = absl::StrCat(input.question, "\n\n", LayOut(grid, width));
  if (!report.verdicts.empty()) {
    text += "\n";
    for (const Verdict& verdict : report.verdicts) {
      absl::StrAppend(&text, verdict.holds ? "holds  " : "fails  ", verdict.claim.statement,
                      "\n       ", verdict.explanation, "\n");
    }
  }
  AddFacts(text, "Annotators", input.agreement);
  AddFacts(text, "Where to look next", input.next);
  return text;
}

}  // namespace alidade::eval
