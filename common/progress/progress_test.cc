#include "common/progress/progress.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace alidade {
namespace {

struct Recorder {
  double now = 100;
  std::string text;
  Progress::Output Output(bool terminal) {
    return {terminal, [this](absl::string_view more) { absl::StrAppend(&text, more); },
            [this] { return now; }};
  }
};

TEST(ProgressTest, ALogGetsPlainLinesNowAndThen) {
  Recorder recorder;
  Progress progress("sft", 100, "step", recorder.Output(false));
  progress.Update(0);
  recorder.now += 1;
  progress.Update(5, {{"loss", 0.5}});
  EXPECT_EQ(recorder.text, "");
  recorder.now += 19;
  progress.Update(40, {{"loss", 0.25}});
  EXPECT_EQ(recorder.text, "sft  40/100 step  2/s  loss 0.25  30s left\n");
  recorder.text.clear();
  recorder.now += 30;
  progress.Update(100, {{"loss", 0.125}});
  recorder.text.clear();
  progress.Finish();
  progress.Finish();
  EXPECT_EQ(recorder.text, "sft  100/100 step  2/s  loss 0.125  in 50s\n");
}

TEST(ProgressTest, ATerminalLineIsDrawnOverItself) {
  Recorder recorder;
  Progress progress("pairs", 10, "image", recorder.Output(true));
  progress.Update(4);
  recorder.now += 2;
  progress.Update(8);
  EXPECT_EQ(recorder.text, "\r\x1b[Kpairs  8/10 image  2/s  1s left");
}

TEST(ProgressTest, FormatsDurations) {
  EXPECT_EQ(FormatSeconds(41.4), "41s");
  EXPECT_EQ(FormatSeconds(185), "3m 05s");
  EXPECT_EQ(FormatSeconds(7620), "2h 07m");
}

}  // namespace
}  // namespace alidade
