#include "eval/tasks/chair/chair.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "datasets/worlds/language.h"
#include "datasets/worlds/test_split.h"
#include "datasets/worlds/world.h"
#include "eval/core/result_record.h"
#include "eval/core/task.h"
#include "eval/core/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::eval {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Phrase(int cell, int colour, int category) {
  return absl::StrCat(datasets::PositionName(cell), " ", datasets::ColourName(colour), " ",
                      datasets::Noun(category));
}

TEST(CountCaptionTest, CountsDistinctTypes) {
  const std::vector<std::string> present = {datasets::Noun(0), datasets::Noun(1),
                                            datasets::Noun(2)};
  // Type 0 twice, type 1 once, types 5 and 6 not there; type 2 is left out. Colours and cells do
  // not matter.
  const std::string caption =
      absl::StrCat(Phrase(0, 0, 0), " , ", Phrase(1, 1, 5), " , ", Phrase(2, 2, 1), " , ",
                   Phrase(3, 3, 0), " , ", Phrase(4, 4, 6), " .");
  ALIDADE_ASSERT_OK_AND_ASSIGN(const CaptionCounts counts, CountCaption(caption, present));
  EXPECT_THAT(counts.mentioned, ElementsAre(datasets::Noun(0), datasets::Noun(5), datasets::Noun(1),
                                            datasets::Noun(6)));
  EXPECT_THAT(counts.hallucinated, ElementsAre(datasets::Noun(5), datasets::Noun(6)));
  EXPECT_EQ(counts.num_present, 3);
  EXPECT_EQ(counts.num_covered, 2);
  EXPECT_EQ(counts.num_words, datasets::ParseCaption(caption).num_words);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const CaptionCounts empty, CountCaption("", present));
  EXPECT_TRUE(empty.mentioned.empty());
  EXPECT_EQ(empty.num_present, 3);
  EXPECT_THAT(CountCaption("", {"unicorn"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("got 'unicorn'")));
}

// Two scenes of the test split. The first caption is the truth plus two types that are not there
// and does not end; the second names one true type only.
TEST(ChairTaskTest, KnownAnswer) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const datasets::TestSplit split,
                               datasets::TestSplit::Create("hard", 2));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<datasets::Prompt> prompts, split.Prompts());
  std::vector<std::string> ids;
  for (const datasets::Prompt& prompt : prompts) {
    if (prompt.kind == "caption") ids.push_back(prompt.id);
  }
  ASSERT_EQ(ids.size(), 2);
  const datasets::Scene &first = split.scenes()[0], &second = split.scenes()[1];
  std::string too_much;
  for (const datasets::WorldObject& object : first.objects) {
    absl::StrAppend(&too_much, Phrase(object.cell, object.colour, object.category), " , ");
  }
  int added = 0;
  for (int category = 0; category < datasets::kWorldCategories && added < 2; ++category) {
    if (datasets::IsPresent(first, category)) continue;
    absl::StrAppend(&too_much, added == 0 ? "" : " , ", Phrase(0, 0, category));
    ++added;
  }
  const std::string too_little = Phrase(8, 0, second.objects[0].category) + " .";
  TableResponder model({{ids[0], {too_much, false, 20}}, {ids[1], {too_little, true, 4}}});
  TaskOptions options;
  options.stage = "sft";
  options.source = &split;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Evaluation evaluation, Evaluate(model, {"chair"}, options));
  std::map<std::string, double> values;
  for (const ResultRecord& record : evaluation.tasks[0].records) {
    values[record.metric] = record.value;
    EXPECT_EQ(record.n, 2) << record.metric;
    EXPECT_LE(record.low, record.value) << record.metric;
    EXPECT_GE(record.high, record.value) << record.metric;
  }
  const double in_first = first.objects.size(), in_second = second.objects.size();
  EXPECT_EQ(values["chair_s"], 0.5);
  EXPECT_DOUBLE_EQ(values["chair_i"], 2 / (in_first + 2 + 1));
  EXPECT_DOUBLE_EQ(values["coverage"], (in_first + 1) / (in_first + in_second));
  EXPECT_EQ(values["ended"], 0.5);
  EXPECT_DOUBLE_EQ(values["length"], (datasets::ParseCaption(too_much).num_words +
                                      datasets::ParseCaption(too_little).num_words) /
                                         2.0);
  EXPECT_EQ(evaluation.tasks[0].samples[0].wrong.size(), 2);
  EXPECT_THAT(evaluation.tasks[0].samples[1].truth,
              HasSubstr(datasets::Noun(second.objects[0].category)));
}

TEST(ChairTaskTest, SilenceHasNoInstances) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const datasets::TestSplit split,
                               datasets::TestSplit::Create("easy", 1));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<datasets::Prompt> prompts, split.Prompts());
  TableResponder model({{prompts[0].id, {"", true, 0}}});
  TaskOptions options;
  options.source = &split;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Evaluation evaluation, Evaluate(model, {"chair"}, options));
  for (const ResultRecord& record : evaluation.tasks[0].records) {
    if (record.metric == "chair_i") {
      EXPECT_NE(record.value, record.value);  // NaN: nothing was mentioned
    } else {
      EXPECT_EQ(record.value, record.metric == "ended" ? 1 : 0) << record.metric;
    }
  }
}

}  // namespace
}  // namespace alidade::eval
