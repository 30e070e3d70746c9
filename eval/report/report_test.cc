#include "eval/report/report.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/files/files.h"
#include "common/media/image.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "eval/core/result_record.h"
#include "eval/core/testing.h"
#include "eval/report/example.h"
#include "eval/report/format.h"
#include "eval/report/plots.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::eval {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kImages = 20;

size_t CountOf(absl::string_view text, absl::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != absl::string_view::npos;
       at = text.find(part, at + part.size()))
    ++count;
  return count;
}

TEST(FormatTest, PercentAndSigns) {
  EXPECT_EQ(FormatValue(0.8434, "share"), "84.3");
  EXPECT_EQ(FormatValue(13.25, "words"), "13.2");
  EXPECT_EQ(FormatValue(0.0 / 0.0, "share"), "n/a");
  EXPECT_EQ(FormatDifference(0.2171, "share"), "+21.7");
  EXPECT_EQ(FormatDifference(-0.004, "share"), "-0.4");
  EXPECT_EQ(FormatDifference(-0.0001, "share"), "0.0");
  EXPECT_EQ(FormatInterval({0.5, 0.4, 0.6}, "share"), "[40.0, 60.0]");
  EXPECT_TRUE(ExcludesZero({0.1, 0.01, 0.2}));
  EXPECT_FALSE(ExcludesZero({0.1, -0.01, 0.2}));
  EXPECT_FALSE(ExcludesZero({0.0 / 0.0, 0.0 / 0.0, 0.0 / 0.0}));
  EXPECT_EQ(EscapeHtml("<a href=\"x\">'&'</a>"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
}

TEST(ReportTest, WithOneSeedTheTableIsTheRecords) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Report report, MakeReport(ExampleReportInput(kImages, {5})));
  int compared = 0;
  for (size_t m = 0; m < report.input.methods.size(); ++m) {
    for (size_t c = 0; c < report.input.columns.size(); ++c) {
      for (const ResultRecord& record : report.results.records) {
        if (record.stage != report.input.methods[m].stage ||
            record.task != report.input.columns[c].task ||
            record.metric != report.input.columns[c].metric) {
          continue;
        }
        const Interval& interval = report.cells[m][c].interval;
        EXPECT_EQ(interval.value, record.value) << record.stage << " " << record.metric;
        EXPECT_EQ(interval.low, record.low) << record.stage << " " << record.metric;
        EXPECT_EQ(interval.high, record.high) << record.stage << " " << record.metric;
        ++compared;
      }
    }
  }
  EXPECT_EQ(compared, report.input.methods.size() * report.input.columns.size());
}

TEST(ReportTest, PageAndTerminalShowEveryNumber) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Report report, MakeReport(ExampleReportInput(kImages, {5})));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string html, RenderHtml(report));
  const std::string terminal = RenderTerminal(report);
  for (const ResultRecord& record : report.results.records) {
    bool in_table = false;
    for (const Column& column : report.input.columns) {
      in_table |= column.task == record.task && column.metric == record.metric;
    }
    if (!in_table) continue;
    const Interval interval{record.value, record.low, record.high};
    const std::string value = FormatValue(record.value, record.unit),
                      range = FormatInterval(interval, record.unit);
    EXPECT_THAT(html, HasSubstr(absl::StrCat("<td class=\"number\">", value, "<small>", range,
                                             "</small></td>")));
    EXPECT_THAT(terminal, HasSubstr(absl::StrCat(value, " ", range)));
  }
  for (const Verdict& verdict : report.verdicts) {
    EXPECT_THAT(html, HasSubstr(EscapeHtml(verdict.explanation)));
    EXPECT_THAT(terminal, HasSubstr(verdict.explanation));
  }
  for (const std::string& line :
       std::vector<std::string>{"Where to look next", "results.json", "kappa 0.61"}) {
    EXPECT_THAT(html, HasSubstr(line));
    EXPECT_THAT(terminal, HasSubstr(line));
  }
}

TEST(ReportTest, PageIsSelfContained) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Report report, MakeReport(ExampleReportInput(kImages, {5})));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string html, RenderHtml(report));
  EXPECT_EQ(CountOf(html, "<svg"), 1 + report.input.curves.size());
  EXPECT_EQ(CountOf(html, "src=\"data:image/png;base64,"), 8);
  EXPECT_EQ(CountOf(html, "src="), 8);
  for (const std::string outside :
       {"<script", "<link", "@import", "url(", "<?xml", "<!DOCTYPE svg"}) {
    EXPECT_THAT(html, Not(HasSubstr(outside)));
  }
  const std::string without_namespaces =
      absl::StrReplaceAll(html, {{"xmlns=\"http://www.w3.org/2000/svg\"", ""},
                                 {"xmlns:xlink=\"http://www.w3.org/1999/xlink\"", ""}});
  EXPECT_THAT(without_namespaces, Not(HasSubstr("http")));
  EXPECT_EQ(CountOf(html, "<section"), CountOf(html, "</section>"));
  EXPECT_EQ(CountOf(html, "<table"), CountOf(html, "</table>"));
}

TEST(ReportTest, EverythingIsEscaped) {
  const std::string evil = "<b>'x'</b> & \"y\" `id` $HOME\\n";
  ReportInput input = ExampleReportInput(kImages, {1, 2});
  input.title = input.question = input.config = evil;
  for (Method& method : input.methods) method.label = absl::StrCat(method.stage, evil);
  for (Column& column : input.columns) column.label = evil;
  for (Claim& claim : input.claims) claim.statement = evil;
  for (Curve& curve : input.curves) curve.metric = evil;
  for (Picture& picture : input.pictures) {
    picture.question = picture.truth = picture.baseline_answer = picture.method_answer = evil;
    picture.baseline_wrong = {"<b>'x'</b>"};
  }
  input.agreement = input.provenance = input.next = {{evil, evil}};
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Report report, MakeReport(std::move(input)));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string html, RenderHtml(report));
  EXPECT_THAT(html, Not(HasSubstr("<b>")));
  EXPECT_THAT(html, HasSubstr("<mark>&lt;b&gt;&#39;x&#39;&lt;/b&gt;</mark>"));
  EXPECT_THAT(html, HasSubstr("<title>&lt;b&gt;"));
  EXPECT_THAT(html, HasSubstr("`id` $HOME\\n"));
}

TEST(ReportTest, SeveralSeedsShowMeanAndEachSeed) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Report report,
                               MakeReport(ExampleReportInput(kImages, {1, 2, 3})));
  const Cell& cell = report.cells[1][0];
  ASSERT_EQ(cell.per_seed.size(), 3);
  EXPECT_NEAR(cell.interval.value, (cell.per_seed[0] + cell.per_seed[1] + cell.per_seed[2]) / 3,
              1e-12);
  const Cell& baseline = report.cells[0][0];
  EXPECT_NEAR(cell.difference.value, cell.interval.value - baseline.interval.value, 1e-12);
  EXPECT_EQ(baseline.difference.value, 0);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string html, RenderHtml(report));
  EXPECT_THAT(html,
              AllOf(HasSubstr("Per seed"), HasSubstr("DPO, seed 3"), HasSubstr("the 3 seeds")));
  const ComparisonRecord& mean = report.results.comparisons[0];
  EXPECT_EQ(mean.baseline, "");
  EXPECT_EQ(mean.seeds, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(mean.value, baseline.interval.value);
}

TEST(ReportTest, VerdictsFollowTheNumbers) {
  ReportInput input = ExampleReportInput(kImages, {5});
  const Claim better = input.claims[0];
  input.claims.push_back(better);
  input.claims.back().threshold = 0.9;
  input.claims.push_back(better);
  input.claims.back().method = "sft";  // against itself: no difference
  input.claims.back().threshold = 0;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Report report, MakeReport(std::move(input)));
  const Interval& difference = report.cells[1][0].difference;
  const Verdict& first = report.verdicts[0];
  EXPECT_EQ(first.interval.value, difference.value);
  EXPECT_EQ(first.interval.low, difference.low);
  EXPECT_EQ(first.holds, difference.value >= 0.10 && difference.low > 0);
  EXPECT_TRUE(first.holds);
  EXPECT_THAT(first.explanation,
              HasSubstr("asked: at least +10.0 points, with a 95 % interval that excludes zero"));
  const Cell &dpo = report.cells[1][5], &sft = report.cells[0][5];
  EXPECT_NEAR(report.verdicts[1].interval.value, dpo.interval.value / sft.interval.value - 1,
              1e-12);
  EXPECT_TRUE(report.verdicts[3].holds);
  EXPECT_FALSE(report.verdicts[4].holds);
  EXPECT_FALSE(report.verdicts[5].holds);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string html, RenderHtml(report));
  EXPECT_THAT(
      html, HasSubstr(absl::StrCat("No: ", 2 + report.verdicts[1].holds + report.verdicts[2].holds,
                                   " of 6 conditions hold.")));
}

TEST(ReportTest, WritesPageAndRecords) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Report report, MakeReport(ExampleReportInput(kImages, {5})));
  const std::string folder = TempFolder();
  ALIDADE_ASSERT_OK(WriteReport(report, folder));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Results results,
                               ReadResults(JoinPath(folder, "results.json")));
  EXPECT_EQ(results.records, report.results.records);
  EXPECT_EQ(results.comparisons, report.results.comparisons);
  EXPECT_TRUE(PathExists(JoinPath(folder, "report.html")));
}

TEST(ReportTest, MistakesAreNamed) {
  const ReportInput good = ExampleReportInput(kImages, {5});
  ReportInput input = good;
  input.baseline = "sfft";
  EXPECT_THAT(MakeReport(input), StatusIs(absl::StatusCode::kNotFound,
                                          AllOf(HasSubstr("'sfft'"), HasSubstr("'sft'"))));
  input = good;
  input.columns[0].metric = "adversarial.acuracy";
  EXPECT_THAT(MakeReport(input),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("'adversarial.accuracy'")));
  input = good;
  input.evaluations[1].seed = 6;
  EXPECT_THAT(MakeReport(input),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("'dpo'"), HasSubstr("seeds 5"), HasSubstr("got 6"))));
  input = good;
  input.evaluations[1].tasks.pop_back();
  EXPECT_THAT(MakeReport(input), StatusIs(absl::StatusCode::kInvalidArgument,
                                          AllOf(HasSubstr("'dpo'"), HasSubstr("task 'chair'"))));
  input = good;
  input.evaluations[1].tasks[1].samples.pop_back();
  EXPECT_THAT(MakeReport(input),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("paired bootstrap")));
  input = good;
  input.claims[0].metric = "chair_s";
  EXPECT_THAT(MakeReport(input), StatusIs(absl::StatusCode::kNotFound, HasSubstr("chair_s")));
}

TEST(GnuplotTest, ErrorsAreReported) {
  EXPECT_THAT(Gnuplot("plot $nothing\n", 100, 100, "x"),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("gnuplot failed")));
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/absent", 1);
  EXPECT_THAT(Gnuplot("plot x\n", 100, 100, "x"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("gnuplot-nox")));
  ::setenv("PATH", path.c_str(), 1);
}

TEST(CurveTest, ReadsOneMetric) {
  const std::string path = JoinPath(TempFolder(), "metrics.jsonl");
  ALIDADE_ASSERT_OK(WriteFile(path,
                              "{\"step\": 1, \"loss\": 0.5}\n{\"step\": 1, \"accuracy\": 1}\n"
                              "{\"step\": 2, \"loss\": 0.25, \"margin\": 1}\n"));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Curve curve, ReadCurve(path, "dpo", "loss"));
  ASSERT_EQ(curve.points.size(), 2);
  EXPECT_EQ(curve.points[1].step, 2);
  EXPECT_EQ(curve.points[1].value, 0.25);
  EXPECT_THAT(ReadCurve(path, "dpo", "margn"),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("metrics.jsonl"), HasSubstr("'margin'"))));
  ALIDADE_ASSERT_OK(
      WriteFile(path, "{\"step\": 1, \"loss\": 0.5}\n{\"step\": 2, \"loss\": \"x\"}\n"));
  EXPECT_THAT(ReadCurve(path, "dpo", "loss"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("metrics.jsonl:2: loss"), HasSubstr("expected a number"))));
  ALIDADE_ASSERT_OK(WriteFile(path, "{\"step\": 2, \"loss\": 0.5}\n{\"step\": 2, \"loss\": 1}\n"));
  EXPECT_THAT(ReadCurve(path, "dpo", "loss"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("step: expected > 2, got 2")));
}

TEST(PicturesTest, AreDrawnWhereAnswersDiffer) {
  const ReportInput input = ExampleReportInput(kImages, {5});
  const ListSource images({});
  int shown = 0;
  const auto display = [&](const Image& image) {
    ++shown;
    return image;
  };
  ALIDADE_ASSERT_OK_AND_ASSIGN(
      const std::vector<Picture> pictures,
      DrawPictures(input.evaluations[0], input.evaluations[1], images, display, 8));
  ASSERT_EQ(pictures.size(), 8);
  EXPECT_EQ(shown, 8);
  int captions = 0;
  for (const Picture& picture : pictures) {
    EXPECT_NE(picture.baseline_answer, picture.method_answer);
    captions += picture.question == "describe :";
  }
  EXPECT_EQ(captions, 4);
  ALIDADE_ASSERT_OK_AND_ASSIGN(
      const std::vector<Picture> again,
      DrawPictures(input.evaluations[0], input.evaluations[1], images, display, 8));
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(again[i].baseline_answer, pictures[i].baseline_answer);
  ALIDADE_ASSERT_OK_AND_ASSIGN(
      const std::vector<Picture> none,
      DrawPictures(input.evaluations[0], input.evaluations[0], images, display, 8));
  EXPECT_TRUE(none.empty());
}

}  // namespace
}  // namespace alidade::eval
