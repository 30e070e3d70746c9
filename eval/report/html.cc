#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/media/image.h"
#include "common/status/status.h"
#include "eval/report/format.h"
#include "eval/report/plots.h"
#include "eval/report/report.h"

namespace alidade::eval {
namespace {

constexpr char kStyle[] =
#include "eval/report/report.css.inc"
    ;

// Distinguishable in grey and with common colour blindness; the baseline is grey.
constexpr const char* kColours[] = {"#1b6ca8", "#c8553d", "#3a7d44",
                                    "#8a5aa8", "#b8860b", "#2a9d8f"};
constexpr char kBaselineColour[] = "#8b8f94";

class Page {
 public:
  explicit Page(const Report& report) : report_(report), input_(report.input) {
    size_t next = 0;
    for (const Method& method : input_.methods) {
      const bool is_baseline = method.stage == input_.baseline;
      colours_.push_back(is_baseline ? kBaselineColour : kColours[next++ % std::size(kColours)]);
    }
  }

  absl::StatusOr<std::string> Render() {
    Add("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
        EscapeHtml(input_.title), "</title>\n<style>\n", kStyle, "</style>\n</head>\n<body>\n");
    Add("<header><p class=\"kicker\">", EscapeHtml(input_.title), "</p>\n<h1>",
        EscapeHtml(input_.question), "</h1></header>\n");
    AddVerdict();
    AddTable();
    AddDifferences();
    AddSeeds();
    ALIDADE_RETURN_IF_ERROR(AddBars());
    ALIDADE_RETURN_IF_ERROR(AddCurves());
    ALIDADE_RETURN_IF_ERROR(AddPictures());
    AddFacts("Annotators", "How far each annotator agrees with the ground truth's preferences.",
             input_.agreement);
    AddFacts("Where to look next", "", input_.next);
    AddProvenance();
    Add("</body>\n</html>\n");
    return std::move(html_);
  }

 private:
  template <typename... Parts>
  void Add(const Parts&... parts) {
    absl::StrAppend(&html_, parts...);
  }

  std::string LabelOf(const std::string& stage) const {
    for (const Method& method : input_.methods) {
      if (method.stage == stage) return EscapeHtml(method.label);
    }
    return EscapeHtml(stage);
  }

  std::string ColourOf(const std::string& stage) const {
    for (size_t m = 0; m < input_.methods.size(); ++m) {
      if (input_.methods[m].stage == stage) return colours_[m];
    }
    return kBaselineColour;
  }

  void AddVerdict() {
    if (report_.verdicts.empty()) return;
    const size_t holding = std::count_if(report_.verdicts.begin(), report_.verdicts.end(),
                                         [](const Verdict& verdict) { return verdict.holds; });
    const bool all = holding == report_.verdicts.size();
    Add("<section class=\"verdict ", all ? "holds" : "fails", "\">\n<p class=\"headline\">",
        all ? "Yes: " : "No: ", holding, " of ", report_.verdicts.size(),
        " conditions hold.</p>\n<ul>\n");
    for (const Verdict& verdict : report_.verdicts) {
      Add("<li class=\"", verdict.holds ? "holds" : "fails", "\"><span class=\"mark\">",
          verdict.holds ? "holds" : "fails", "</span><span>", EscapeHtml(verdict.claim.statement),
          "<small>", EscapeHtml(verdict.explanation), "</small></span></li>\n");
    }
    Add("</ul>\n</section>\n");
  }

  void AddColumnHeads(absl::string_view first) {
    Add("<thead><tr><th>", first, "</th>");
    for (size_t c = 0; c < input_.columns.size(); ++c) {
      Add("<th class=\"number\">", EscapeHtml(input_.columns[c].label), "<small>",
          report_.units[c] == "share" ? "%" : EscapeHtml(report_.units[c]), "</small></th>");
    }
    Add("</tr></thead>\n<tbody>\n");
  }

  void AddTable() {
    Add("<section>\n<h2>Results</h2>\n<p class=\"note\">Value and 95 % bootstrap interval over the "
        "test images",
        report_.seeds.size() > 1
            ? absl::StrCat(" and the ", report_.seeds.size(), " seeds; the value is their mean")
            : std::string(),
        ".</p>\n<div class=\"scroll\"><table class=\"wide\">\n");
    AddColumnHeads("");
    for (size_t m = 0; m < input_.methods.size(); ++m) {
      Add("<tr", input_.methods[m].stage == input_.baseline ? " class=\"baseline\"" : "", "><th>",
          EscapeHtml(input_.methods[m].label), "</th>");
      for (size_t c = 0; c < input_.columns.size(); ++c) {
        const Interval& interval = report_.cells[m][c].interval;
        Add("<td class=\"number\">", FormatValue(interval.value, report_.units[c]), "<small>",
            FormatInterval(interval, report_.units[c]), "</small></td>");
      }
      Add("</tr>\n");
    }
    Add("</tbody></table></div>\n</section>\n");
  }

  void AddDifferences() {
    if (input_.methods.size() < 2) return;
    Add("<section>\n<h2>Difference to ", LabelOf(input_.baseline),
        "</h2>\n<p class=\"note\">Paired: both models on the same images",
        report_.seeds.size() > 1 ? " and seeds" : "",
        ". Bold where the 95 % interval excludes zero.</p>\n<div class=\"scroll\"><table "
        "class=\"wide\">\n");
    AddColumnHeads("");
    for (size_t m = 0; m < input_.methods.size(); ++m) {
      if (input_.methods[m].stage == input_.baseline) continue;
      Add("<tr><th>", EscapeHtml(input_.methods[m].label), "</th>");
      for (size_t c = 0; c < input_.columns.size(); ++c) {
        const Interval& difference = report_.cells[m][c].difference;
        Add("<td class=\"number", ExcludesZero(difference) ? " clear" : "", "\">",
            FormatDifference(difference.value, report_.units[c]), "<small>",
            FormatDifferenceInterval(difference, report_.units[c]), "</small></td>");
      }
      Add("</tr>\n");
    }
    Add("</tbody></table></div>\n</section>\n");
  }

  void AddSeeds() {
    if (report_.seeds.size() < 2) return;
    Add("<section>\n<h2>Per seed</h2>\n<div class=\"scroll\"><table class=\"wide\">\n");
    AddColumnHeads("");
    for (size_t m = 0; m < input_.methods.size(); ++m) {
      for (size_t s = 0; s < report_.seeds.size(); ++s) {
        Add("<tr", input_.methods[m].stage == input_.baseline ? " class=\"baseline\"" : "", "><th>",
            EscapeHtml(input_.methods[m].label), ", seed ", report_.seeds[s], "</th>");
        for (size_t c = 0; c < input_.columns.size(); ++c) {
          Add("<td class=\"number\">",
              FormatValue(report_.cells[m][c].per_seed[s], report_.units[c]), "</td>");
        }
        Add("</tr>\n");
      }
    }
    Add("</tbody></table></div>\n</section>\n");
  }

  absl::Status AddBars() {
    Bars bars;
    std::vector<size_t> columns;
    for (size_t c = 0; c < input_.columns.size(); ++c) {
      const std::vector<std::string> parts = absl::StrSplit(input_.columns[c].metric, '.');
      if (input_.columns[c].task != "pope" || parts.back() != "accuracy") continue;
      columns.push_back(c);
      bars.groups.push_back(parts.front());
    }
    if (columns.empty()) return absl::OkStatus();
    std::string legend;
    for (size_t m = 0; m < input_.methods.size(); ++m) {
      absl::StrAppend(&legend, "<span><i style=\"background:", colours_[m], "\"></i>",
                      EscapeHtml(input_.methods[m].label), "</span>\n");
      bars.colours.push_back(colours_[m]);
      std::vector<Interval>& values = bars.values.emplace_back();
      for (size_t c : columns) values.push_back(report_.cells[m][c].interval);
    }
    ALIDADE_ASSIGN_OR_RETURN(const std::string svg, PlotBars(bars, "POPE accuracy, %", "pope"));
    Add("<section>\n<h2>Does it see what is not there?</h2>\n<p class=\"note\">POPE accuracy by "
        "how the absent "
        "objects are drawn, with 95 % intervals. The dotted line is what answering always yes "
        "gives.</p>\n"
        "<div class=\"bars\">",
        svg, "</div>\n<div class=\"legend\">\n", legend, "</div>\n</section>\n");
    return absl::OkStatus();
  }

  absl::Status AddCurves() {
    std::vector<std::string> metrics;
    for (const Curve& curve : input_.curves) {
      if (std::find(metrics.begin(), metrics.end(), curve.metric) == metrics.end())
        metrics.push_back(curve.metric);
    }
    if (metrics.empty()) return absl::OkStatus();
    Add("<section>\n<h2>Training</h2>\n<p class=\"note\">Over optimizer steps; light: every "
        "record, dark: running "
        "mean. Each plot has its own scale, for objectives differ in theirs.</p>\n");
    int number = 0;
    for (const std::string& metric : metrics) {
      Add("<h3>", EscapeHtml(metric), "</h3>\n<div class=\"plots\">\n");
      for (const Curve& curve : input_.curves) {
        if (curve.metric != metric) continue;
        std::string label = curve.stage;
        for (const Method& method : input_.methods) {
          if (method.stage == curve.stage) label = method.label;
        }
        ALIDADE_ASSIGN_OR_RETURN(
            const std::string svg,
            PlotCurve(curve, label, ColourOf(curve.stage), absl::StrCat("curve", number++)));
        Add("<div>", svg, "</div>\n");
      }
      Add("</div>\n");
    }
    Add("</section>\n");
    return absl::OkStatus();
  }

  // The answer with wrong words marked; a wrong answer as a whole is marked as a whole.
  static std::string Marked(const std::string& answer, const std::vector<std::string>& wrong) {
    if (answer.empty()) return "<em>no answer</em>";
    const std::set<std::string> words(wrong.begin(), wrong.end());
    if (words.count(answer) > 0) return absl::StrCat("<mark>", EscapeHtml(answer), "</mark>");
    std::vector<std::string> pieces;
    for (const std::string& piece : std::vector<std::string>(absl::StrSplit(answer, ' '))) {
      pieces.push_back(words.count(piece) > 0 ? absl::StrCat("<mark>", EscapeHtml(piece), "</mark>")
                                              : EscapeHtml(piece));
    }
    return absl::StrJoin(pieces, " ");
  }

  absl::Status AddPictures() {
    if (input_.pictures.empty()) return absl::OkStatus();
    Add("<section>\n<h2>", input_.pictures.size(),
        " pictures</h2>\n<p class=\"note\">Drawn at random among those "
        "on which the two models answer differently, not chosen by who is right. What is wrong is "
        "underlined.</p>\n<div class=\"pictures\">\n");
    for (const Picture& picture : input_.pictures) {
      ALIDADE_ASSIGN_OR_RETURN(const std::string png, EncodePng(picture.image),
                               "while adding a picture");
      Add("<figure class=\"picture\"><img alt=\"", EscapeHtml(picture.truth),
          "\" src=\"data:image/png;base64,", absl::Base64Escape(png),
          "\">\n<dl><dt>question</dt><dd class=\"question\">", EscapeHtml(picture.question),
          "</dd>\n<dt>ground truth</dt><dd>", EscapeHtml(picture.truth), "</dd>\n<dt>",
          LabelOf(input_.baseline), "</dt><dd>",
          Marked(picture.baseline_answer, picture.baseline_wrong), "</dd>\n<dt>",
          LabelOf(input_.method), "</dt><dd>", Marked(picture.method_answer, picture.method_wrong),
          "</dd></dl></figure>\n");
    }
    Add("</div>\n</section>\n");
    return absl::OkStatus();
  }

  void AddFactRows(const std::vector<Fact>& facts) {
    Add("<table class=\"facts\"><tbody>\n");
    for (const Fact& fact : facts) {
      Add("<tr><th>", EscapeHtml(fact.first), "</th><td>", EscapeHtml(fact.second), "</td></tr>\n");
    }
    Add("</tbody></table>\n");
  }

  void AddFacts(absl::string_view title, absl::string_view note, const std::vector<Fact>& facts) {
    if (facts.empty()) return;
    Add("<section>\n<h2>", title, "</h2>\n");
    if (!note.empty()) Add("<p class=\"note\">", note, "</p>\n");
    AddFactRows(facts);
    Add("</section>\n");
  }

  void AddProvenance() {
    std::vector<Fact> facts = input_.provenance;
    facts.emplace_back("seeds", absl::StrJoin(report_.seeds, ", "));
    std::set<std::string> tasks;
    for (const Evaluation& evaluation : input_.evaluations) {
      for (const TaskOutput& task : evaluation.tasks) {
        tasks.insert(
            absl::StrCat(task.task, " ", task.task_version, ", definition ", task.task_sha256));
      }
    }
    for (const std::string& task : tasks) facts.emplace_back("task", task);
    Add("<section>\n<h2>Provenance</h2>\n");
    AddFactRows(facts);
    if (!input_.config.empty())
      Add("<h3>Configuration</h3>\n<pre>", EscapeHtml(input_.config), "</pre>\n");
    Add("</section>\n");
  }

  const Report& report_;
  const ReportInput& input_;
  std::vector<std::string> colours_;
  std::string html_;
};

}  // namespace

absl::StatusOr<std::string> RenderHtml(const Report& report) { return Page(report).Render(); }

}  // namespace alidade::eval
