#include "eval/report/plots.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "common/files/files.h"
#include "common/status/status.h"

extern char** environ;

namespace alidade::eval {
namespace {

// A folder that goes away with its owner.
class ScratchFolder {
 public:
  ScratchFolder() {
    const char* base = std::getenv("TMPDIR");
    std::string pattern = JoinPath(base != nullptr ? base : "/tmp", "alidade_plot_XXXXXX");
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~ScratchFolder() {
    if (!path_.empty()) RemoveTree(path_).IgnoreError();
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Output and messages go to files: nothing can block, whatever the sizes.
absl::Status RunGnuplot(const std::string& script, const std::string& output,
                        const std::string& messages) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  const absl::Cleanup destroy = [&actions] { ::posix_spawn_file_actions_destroy(&actions); };
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, messages.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
  std::string arguments[] = {"gnuplot", "-d", script};
  char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), nullptr};
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, "gnuplot", &actions, nullptr, argv, environ);
  if (error == ENOENT) {
    return absl::FailedPreconditionError(
        "gnuplot is not installed, and plots need it; install the Debian package gnuplot-nox");
  }
  if (error != 0)
    return absl::InternalError(absl::StrCat("gnuplot does not start: ", std::strerror(error)));
  int state = 0;
  while (::waitpid(child, &state, 0) < 0) {
    if (errno != EINTR)
      return absl::InternalError(absl::StrCat("gnuplot is lost: ", std::strerror(errno)));
  }
  if (WIFEXITED(state) && WEXITSTATUS(state) == 0) return absl::OkStatus();
  ALIDADE_ASSIGN_OR_RETURN(const std::string said, ReadFile(messages));
  return absl::InternalError(absl::StrCat("gnuplot failed: ", absl::StripAsciiWhitespace(said)));
}

// Mean over the points within `half` positions.
std::vector<double> Smooth(const std::vector<CurvePoint>& points, int64_t half) {
  const int64_t n = points.size();
  std::vector<double> smooth(n);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t begin = std::max<int64_t>(0, i - half), end = std::min(n, i + half + 1);
    for (int64_t j = begin; j < end; ++j) smooth[i] += points[j].value / (end - begin);
  }
  return smooth;
}

// Removes the first part from `begin` to `end`, both included.
void Cut(std::string& text, const std::string& begin, const std::string& end) {
  const size_t from = text.find(begin);
  const size_t to = text.find(end, from == std::string::npos ? 0 : from);
  if (from != std::string::npos && to != std::string::npos)
    text.erase(from, to + end.size() - from);
}

constexpr absl::string_view kAxes =
    "set border 3 lw 0.8 lc rgb '#777777'\n"
    "set tics nomirror out scale 0.6 textcolor rgb '#444444'\n"
    "set grid ytics lc rgb '#e6e6e6' lw 0.8 lt 1\n";

}  // namespace

std::string GnuplotString(absl::string_view text) {
  // Between single quotes nothing is special but the quote, which is doubled.
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "''"}, {"\n", " "}, {"\r", " "}}), "'");
}

absl::StatusOr<std::string> Gnuplot(absl::string_view script, int width, int height,
                                    absl::string_view name) {
  const ScratchFolder scratch;
  if (scratch.path().empty()) {
    return absl::InternalError(
        absl::StrCat("no folder for temporary files: ", std::strerror(errno)));
  }
  const std::string path = JoinPath(scratch.path(), "plot.gp");
  const std::string output = JoinPath(scratch.path(), "plot.svg");
  const std::string text = absl::StrFormat(
      "set terminal svg size %d,%d dynamic noenhanced font 'sans-serif,12' name %s\n%s", width,
      height, GnuplotString(name), script);
  ALIDADE_RETURN_IF_ERROR(WriteFile(path, text));
  ALIDADE_RETURN_IF_ERROR(RunGnuplot(path, output, JoinPath(scratch.path(), "messages")));
  ALIDADE_ASSIGN_OR_RETURN(std::string svg, ReadFile(output));
  const size_t start = svg.find("<svg");
  if (start == std::string::npos) return absl::InternalError("gnuplot wrote no SVG");
  svg = svg.substr(
      start);  // without the XML declaration, which may stand only at the start of a document
  // Point symbols, which these plots do not use, have the same global names in every plot; titles
  // show as tooltips.
  Cut(svg, "<title>", "</title>");
  Cut(svg, "<desc>", "</desc>");
  Cut(svg, "<defs>", "</defs>");
  return absl::StrReplaceAll(svg, {{"<g id=\"gnuplot_canvas\">", "<g>"}});
}

absl::StatusOr<std::string> PlotCurve(const Curve& curve, const std::string& title,
                                      const std::string& colour, const std::string& name) {
  std::string data;
  const std::vector<double> smooth =
      Smooth(curve.points, static_cast<int64_t>(curve.points.size()) / 40);
  for (size_t i = 0; i < smooth.size(); ++i) {
    absl::StrAppendFormat(&data, "%.9g %.9g %.9g\n", curve.points[i].step, curve.points[i].value,
                          smooth[i]);
  }
  const std::string script =
      absl::StrCat("$data << END\n", data, "END\n", kAxes, "unset key\n", "set title ",
                   GnuplotString(title), " offset 0,-0.4\n",
                   "set lmargin 7\nset rmargin 2\nset bmargin 2\nset tmargin 2\nset ytics 5\nset "
                   "format y '%.3g'\n",
                   "set autoscale xfix\nset ytics autofreq\nset xtics autofreq\n",
                   "plot $data using 1:2 with lines lw 1 lc rgb ",
                   GnuplotString(absl::StrCat("#b0", colour.substr(1))),
                   ", $data using 1:3 with lines lw 2 lc rgb ", GnuplotString(colour), "\n");
  return Gnuplot(script, 250, 165, name);
}

absl::StatusOr<std::string> PlotBars(const Bars& bars, const std::string& title,
                                     const std::string& name) {
  std::string data;
  for (size_t g = 0; g < bars.groups.size(); ++g) {
    absl::StrAppend(&data, "\"", absl::StrReplaceAll(bars.groups[g], {{"\"", "'"}, {"\n", " "}}),
                    "\"");
    for (const std::vector<Interval>& method : bars.values) {
      const Interval& value = method[g];
      if (std::isnan(value.value)) {
        absl::StrAppend(&data, " NaN NaN NaN");
      } else {
        absl::StrAppendFormat(&data, " %.6f %.6f %.6f", 100 * value.value, 100 * value.low,
                              100 * value.high);
      }
    }
    data += "\n";
  }
  std::string plots;
  for (size_t m = 0; m < bars.colours.size(); ++m) {
    absl::StrAppend(&plots, m == 0 ? "plot " : ", ", "$data using ", 3 * m + 2, ":", 3 * m + 3, ":",
                    3 * m + 4, m == 0 ? ":xtic(1)" : "", " lc rgb ",
                    GnuplotString(bars.colours[m]));
  }
  const std::string style =
      absl::StrCat("set style data histograms\nset style histogram errorbars gap 1.5 lw 1\n",
                   "set errorbars lw 1 lc rgb '#333333'\nset style fill solid 0.85 noborder\n",
                   "set boxwidth 0.92\nset yrange [0:100]\nset ytics 25\nset xrange [-0.65:",
                   bars.groups.size() - 0.35, "]\nset xtics scale 0\nunset key\n");
  const std::string script = absl::StrCat(
      "$data << END\n", data, "END\n", kAxes, style, "set title ", GnuplotString(title),
      " offset 0,-0.3\nset arrow from graph 0, first ", bars.chance, " to graph 1, first ",
      bars.chance, " nohead dt 3 lw 1 lc rgb '#777777' front\n", plots, "\n");
  return Gnuplot(script, 760, 260, name);
}

}  // namespace alidade::eval
