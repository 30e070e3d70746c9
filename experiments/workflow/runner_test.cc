#include "experiments/workflow/runner.h"

#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "experiments/workflow/run_folder.h"
#include "experiments/workflow/toy_kinds.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace alidade::experiments {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr char kGraph[] = R"(name: "toy" question: "does it run?" owner: "tests" seeds: 3
stage { id: "data" build_dataset { builder: "toy" } }
stage { id: "sft" needs: "data" sft { preset: "tiny" } }
stage { id: "eval" needs: "sft" evaluate { task: "pope" } }
stage { id: "report" needs: "eval" report { baseline: "sft" } }
smoke: "eval.num_images=2"
)";

class RunnerTest : public ::testing::Test {
 protected:
  RunnerTest() : folder_(TempFolder()) {
    request_.config = JoinPath(folder_, "toy.textproto");
    request_.out = JoinPath(folder_, "out");
    EXPECT_THAT(WriteFile(request_.config, kGraph), IsOk());
  }

  absl::Status Run() {
    log_.str("");
    return RunExperiment(request_, ToyKinds(&toys_), log_);
  }

  std::vector<std::string> Stages() { return ListFolder(JoinPath(request_.out, "stages")).value(); }

  std::string folder_;
  RunRequest request_;
  ToyLog toys_;
  std::ostringstream log_;
};

TEST_F(RunnerTest, FinishedStagesAreSkippedAndTheReportIsShownAgain) {
  ALIDADE_ASSERT_OK(Run());
  EXPECT_THAT(toys_.runs, UnorderedElementsAre(Pair("data", 1), Pair("sft", 1), Pair("eval", 1),
                                               Pair("report", 1)));
  const std::string published = ReadFile(JoinPath(request_.out, "result.txt")).value();
  ALIDADE_ASSERT_OK(RemoveTree(JoinPath(request_.out, "result.txt")));
  ALIDADE_ASSERT_OK(Run());
  EXPECT_THAT(toys_.runs, UnorderedElementsAre(Pair("data", 1), Pair("sft", 1), Pair("eval", 1),
                                               Pair("report", 1)));
  EXPECT_THAT(ReadFile(JoinPath(request_.out, "result.txt")), IsOkAndHolds(published));
  EXPECT_THAT(log_.str(),
              AllOf(HasSubstr("[2/4] sft: finished before, skipped"), HasSubstr(published)));
  EXPECT_EQ(Stages().size(), 4);
}

TEST_F(RunnerTest, OnlyWhatAChangeReachesRunsAgain) {
  ALIDADE_ASSERT_OK(Run());
  request_.set = {"eval.resamples=9"};
  ALIDADE_ASSERT_OK(Run());
  EXPECT_THAT(toys_.runs, UnorderedElementsAre(Pair("data", 1), Pair("sft", 1), Pair("eval", 2),
                                               Pair("report", 2)));
  request_.set.clear();
  ALIDADE_ASSERT_OK(Run());  // the first outputs are still there
  EXPECT_EQ(toys_.runs["eval"], 2);
  EXPECT_EQ(Stages().size(), 6);
}

TEST_F(RunnerTest, AnInterruptedStageGoesOnInItsWorkingFolder) {
  toys_.fail_after_first_step = "sft";
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kAborted, HasSubstr("stage sft: interrupted")));
  EXPECT_THAT(Stages(), ElementsAre(testing::StartsWith("data-"), testing::EndsWith("-s3.tmp")));
  toys_.fail_after_first_step = "";
  ALIDADE_ASSERT_OK(Run());
  EXPECT_THAT(log_.str(), HasSubstr("sft: going on in "));
  EXPECT_EQ(toys_.runs["sft"], 2);
  EXPECT_EQ(toys_.first_steps["sft"], 1);
  EXPECT_EQ(toys_.runs["data"], 1);
}

TEST_F(RunnerTest, DryRunTellsWhatWouldHappenAndWritesNothing) {
  request_.dry_run = true;
  ALIDADE_ASSERT_OK(Run());
  EXPECT_THAT(log_.str(), AllOf(HasSubstr("would run"), HasSubstr("key "),
                                HasSubstr("4 of 4 stages would run")));
  EXPECT_FALSE(PathExists(request_.out));
  request_.dry_run = false;
  ALIDADE_ASSERT_OK(Run());
  request_.dry_run = true;
  request_.set = {"eval.resamples=9"};
  ALIDADE_ASSERT_OK(Run());
  EXPECT_THAT(log_.str(), AllOf(HasSubstr("finished: would be skipped"),
                                HasSubstr("2 of 4 stages would run, 2 would be skipped")));
  EXPECT_EQ(Stages().size(), 4);
}

TEST_F(RunnerTest, SeedsShareNothingButTheReport) {
  request_.seeds = 3;
  ALIDADE_ASSERT_OK(Run());
  EXPECT_EQ(toys_.runs["sft"], 3);
  EXPECT_EQ(toys_.runs["report"], 1);
  EXPECT_THAT(
      ReadFile(JoinPath(request_.out, "result.txt")),
      IsOkAndHolds(AllOf(HasSubstr("eval s3"), HasSubstr("eval s4"), HasSubstr("eval s5"))));
}

TEST_F(RunnerTest, AnAlteredResultIsFoundBeforeItIsRead) {
  ALIDADE_ASSERT_OK(Run());
  std::string stage;
  for (const std::string& name : Stages()) {
    if (name.substr(0, 4) == "data") stage = JoinPath(request_.out, JoinPath("stages", name));
  }
  ALIDADE_ASSERT_OK(WriteFile(JoinPath(stage, "result.txt"), "another\n"));
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kDataLoss,
                              AllOf(HasSubstr(stage), HasSubstr("result.txt: expected sha256"),
                                    HasSubstr("remove that folder"))));
  ALIDADE_ASSERT_OK(RemoveTree(JoinPath(stage, "result.txt")));
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("result.txt")));
  ALIDADE_ASSERT_OK(WriteFile(JoinPath(stage, "DONE"), "{\"key\": "));
  EXPECT_THAT(Run(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("DONE: expected a JSON object")));
  ALIDADE_ASSERT_OK(RemoveTree(stage));
  ALIDADE_EXPECT_OK(Run());
}

TEST_F(RunnerTest, AnotherRunInTheSameFolderIsNamed) {
  int ready[2], release[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(release), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto folder = RunFolder::Open(request_.out);
    char byte = folder.ok() ? 'y' : 'n';
    (void)!write(ready[1], &byte, 1);
    (void)!read(release[0], &byte, 1);
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  EXPECT_THAT(Run(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(request_.out), HasSubstr(absl::StrCat("process ", child)))));
  ASSERT_EQ(write(release[1], &byte, 1), 1);
  waitpid(child, nullptr, 0);
  ALIDADE_EXPECT_OK(Run());
}

TEST_F(RunnerTest, AFolderThatCannotBeWrittenIsNamed) {
  ALIDADE_ASSERT_OK(WriteFile(JoinPath(folder_, "file"), ""));
  request_.out = JoinPath(folder_, "file/out");
  EXPECT_THAT(Run().message(), AllOf(HasSubstr("output folder "), HasSubstr(request_.out)));
  request_.out = "/proc/alidade";
  EXPECT_THAT(Run().message(), AllOf(HasSubstr("output folder "), HasSubstr("/proc/alidade")));
  EXPECT_TRUE(toys_.runs.empty());
}

TEST_F(RunnerTest, TheManifestSaysWhatRan) {
  request_.set = {"eval.resamples=9"};
  toys_.fail_after_first_step = "eval";
  EXPECT_FALSE(Run().ok());
  toys_.fail_after_first_step = "";
  ALIDADE_ASSERT_OK(Run());
  const std::string folder = JoinPath(request_.out, "manifests");
  EXPECT_THAT(ListFolder(folder), IsOkAndHolds(ElementsAre("0001.json", "0002.json")));
  const auto failed = nlohmann::json::parse(ReadFile(JoinPath(folder, "0001.json")).value());
  EXPECT_EQ(failed["exit"], "stage eval: interrupted");
  const auto manifest = nlohmann::json::parse(ReadFile(JoinPath(folder, "0002.json")).value());
  EXPECT_EQ(manifest["exit"], "ok");
  EXPECT_EQ(manifest["experiment"], "toy");
  EXPECT_EQ(manifest["set"], nlohmann::json({"eval.resamples=9"}));
  EXPECT_EQ(manifest["seeds"], nlohmann::json({3}));
  EXPECT_EQ(manifest["stages"].size(), 4);
  EXPECT_FALSE(manifest["start"].get<std::string>().empty());
  EXPECT_FALSE(manifest["end"].get<std::string>().empty());
  EXPECT_FALSE(manifest["hardware"]["processor"].get<std::string>().empty());
  const absl::StatusOr<ExperimentFile> config =
      ExperimentFile::Parse("manifest", manifest["config"]);
  ALIDADE_ASSERT_OK(config);
  EXPECT_EQ(config->experiment().stage(2).evaluate().resamples(), 9);
}

TEST_F(RunnerTest, TheDefaultFolderIsBelowTheUsersOwn) {
  request_.out = "";
  request_.working_folder = folder_;
  request_.smoke = true;
  ALIDADE_ASSERT_OK(Run());
  EXPECT_TRUE(PathExists(JoinPath(folder_, "runs/toy_smoke/result.txt")));
}

}  // namespace
}  // namespace alidade::experiments
