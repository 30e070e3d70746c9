// The loop on a toy stage: interruptions, damage, full disks, accumulation.
#include "trainers/core/loop.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files/files.h"
#include "common/models/weights.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "trainers/core/run_folder.h"
#include "trainers/core/toy_stage.h"

namespace alidade::trainers {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kConfig[] = R"(
  optimizer { learning_rate: 0.05 weight_decay: 0.01 } schedule { warmup_steps: 3 }
  clip_norm: 1 steps: 23 checkpoint_every: 5 log_every: 2)";

LoopConfig Loop(const std::string& extra = "") {
  LoopConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kConfig, &config));
  LoopConfig more;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(extra, &more));
  config.MergeFrom(more);
  return config;
}

struct RunRequest {
  LoopConfig config = Loop();
  uint64_t seed = 3;
  double noise = 0.1;
  int64_t bad_step = -1;
  // Stops with an error after this step, as a killed process would.
  int64_t stop_after = -1;
  // Kills this process after this step.
  int64_t kill_after = -1;
};

absl::StatusOr<RunSummary> RunToy(const std::string& out, const RunRequest& request = {}) {
  RunIdentity identity{"toy", &request.config, request.seed, {{"data", "abc"}}};
  auto folder = RunFolder::Open(out, identity);
  if (!folder.ok()) return folder.status();
  ToyStage stage(request.noise, request.bad_step);
  RunOptions options;
  options.quiet = true;
  options.after_step = [&](int64_t step) {
    if (step == request.kill_after) raise(SIGKILL);
    return step == request.stop_after ? absl::CancelledError("stopped") : absl::OkStatus();
  };
  return Train(stage, request.config, **folder, options);
}

std::string Bytes(const std::string& out, const std::string& file) {
  return *ReadFile(JoinPath(out, file));
}

// Weights, objective state and curve of a run that nobody interrupted.
struct Result {
  std::string weights, metrics;
};
Result ResultOf(const std::string& out) {
  return {Bytes(out, "model/weights.safetensors"), Bytes(out, "metrics.jsonl")};
}

const Result& Uninterrupted() {
  static const Result* result = [] {
    const std::string out = TempFolder();
    EXPECT_THAT(RunToy(out), IsOk());
    return new Result(ResultOf(out));
  }();
  return *result;
}

void ExpectSameBits(const std::string& out) {
  EXPECT_EQ(Bytes(out, "metrics.jsonl"), Uninterrupted().metrics);
  EXPECT_EQ(Bytes(out, "model/weights.safetensors"), Uninterrupted().weights);
}

TEST(LoopTest, LearnsAndLeavesWhatItPromises) {
  const std::string out = TempFolder();
  RunRequest request;
  request.config.set_steps(300);
  request.noise = 0;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const RunSummary summary, RunToy(out, request));
  EXPECT_EQ(summary.steps, 300);
  EXPECT_LT(summary.final_loss, 1.0);  // the intercept of 1 cannot be learnt
  for (const char* name : {"model", "metrics.jsonl", "events/events.out.tfevents.alidade",
                           "summary.json", "run.json"}) {
    EXPECT_TRUE(PathExists(JoinPath(out, name))) << name;
  }
  EXPECT_FALSE(PathExists(JoinPath(out, "checkpoints")));
  // Again: nothing to do.
  ALIDADE_ASSERT_OK_AND_ASSIGN(const RunSummary again, RunToy(out, request));
  EXPECT_EQ(again.resumed_from, 300);
  EXPECT_EQ(again.final_loss, summary.final_loss);
}

TEST(LoopTest, CurvesHoldLossRateNormAndTheStagesMetrics) {
  const std::string out = TempFolder();
  ALIDADE_ASSERT_OK(RunToy(out));
  const std::vector<std::string> lines =
      absl::StrSplit(Bytes(out, "metrics.jsonl"), '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 13);  // 1, 2, 4, ..., 22, 23
  for (const std::string& line : lines) {
    const auto record = nlohmann::json::parse(line);
    for (const char* name : {"step", "loss", "learning_rate", "gradient_norm", "error"})
      EXPECT_TRUE(record.contains(name));
  }
  EXPECT_EQ(nlohmann::json::parse(lines.back())["step"], 23);
}

TEST(LoopTest, StoppedAfterAnyStepEndsInTheSameBits) {
  for (int64_t stop = 1; stop <= 23; ++stop) {
    const std::string out = TempFolder();
    RunRequest request;
    request.stop_after = stop;
    ASSERT_THAT(RunToy(out, request), StatusIs(absl::StatusCode::kCancelled));
    ALIDADE_ASSERT_OK_AND_ASSIGN(const RunSummary summary, RunToy(out));
    EXPECT_EQ(summary.resumed_from, stop == 23 ? 23 : stop / 5 * 5);
    ExpectSameBits(out);
  }
}

// Runs this program again as `MODE OUT KILL_AFTER_STEP FILE_BYTES`; a fork alone would inherit
// LibTorch's threads. The wait status.
int RunChild(const char* mode, const std::string& out, int64_t kill_after, int64_t file_bytes) {
  const pid_t child = fork();
  if (child == 0) {
    const std::string step = absl::StrCat(kill_after), bytes = absl::StrCat(file_bytes);
    execl("/proc/self/exe", "loop_test", mode, out.c_str(), step.c_str(), bytes.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

// What the child does: kills itself after a step (if > 0), may not let a file grow beyond some
// bytes (if > 0). Exit code 0: finished, 3: an error that names the folder, 1: another error.
int ChildMain(const std::string& out, int64_t kill_after, int64_t file_bytes) {
  if (file_bytes > 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{static_cast<rlim_t>(file_bytes), static_cast<rlim_t>(file_bytes)};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  RunRequest request;
  request.kill_after = kill_after;
  const absl::StatusOr<RunSummary> summary = RunToy(out, request);
  if (summary.ok()) return 0;
  std::fprintf(stderr, "%s\n", summary.status().ToString().c_str());
  return absl::StrContains(summary.status().message(), out) ? 3 : 1;
}

TEST(LoopTest, KilledProcessEndsInTheSameBits) {
  const std::string out = TempFolder();
  for (const int64_t step : {1, 6, 7, 12, 20, 22}) {
    const int status = RunChild("--child", out, step, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "after step " << step;
  }
  ALIDADE_ASSERT_OK(RunToy(out));
  ExpectSameBits(out);
}

TEST(LoopTest, AccumulationEqualsTheBigBatch) {
  const std::string whole = TempFolder(), parts = TempFolder();
  RunRequest request;
  ALIDADE_ASSERT_OK(RunToy(whole, request));
  request.config = Loop("accumulation: 3");
  ALIDADE_ASSERT_OK(RunToy(parts, request));
  ALIDADE_ASSERT_OK_AND_ASSIGN(
      auto a, models::LoadNamedTensors(JoinPath(whole, "model/weights.safetensors")));
  ALIDADE_ASSERT_OK_AND_ASSIGN(
      auto b, models::LoadNamedTensors(JoinPath(parts, "model/weights.safetensors")));
  // The sum over rows is taken in another order; AdamW's first steps amplify a rounding of 6e-8
  // about a hundredfold.
  EXPECT_LT((a["w"] - b["w"]).abs().max().item<double>(), 1e-5);
  EXPECT_EQ(a["calls"].item<int64_t>() * 3, b["calls"].item<int64_t>());
  request.config = Loop("accumulation: 9");
  EXPECT_THAT(RunToy(TempFolder(), request),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("loop.accumulation * loop.shards: expected at most the batch size "
                                 "8 of rows, got 9")));
}

TEST(LoopTest, EpochsRoundUpToWholeSteps) {
  RunRequest request;
  request.config = Loop("epochs: 2");
  ALIDADE_ASSERT_OK_AND_ASSIGN(const RunSummary summary, RunToy(TempFolder(), request));
  EXPECT_EQ(summary.steps, 10);  // 2 * 37 / 8 = 9.25
}

TEST(LoopTest, ALossThatIsNotFiniteNamesTheStepAndKeepsCheckpoints) {
  const std::string out = TempFolder();
  RunRequest request;
  request.bad_step = 11;
  EXPECT_THAT(RunToy(out, request), StatusIs(absl::StatusCode::kFailedPrecondition,
                                             AllOf(HasSubstr("step 12"), HasSubstr("nan"))));
  EXPECT_TRUE(PathExists(JoinPath(out, "checkpoints/step_00000010")));
}

TEST(LoopTest, KeepsTheTwoNewestCheckpoints) {
  const std::string out = TempFolder();
  RunRequest request;
  request.stop_after = 20;
  ASSERT_THAT(RunToy(out, request), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(ListFolder(JoinPath(out, "checkpoints")),
              IsOkAndHolds(std::vector<std::string>{"step_00000015", "step_00000020"}));
}

TEST(LoopTest, AnotherRunInTheFolderIsRefused) {
  const std::string out = TempFolder();
  RunRequest request;
  request.stop_after = 6;
  ASSERT_THAT(RunToy(out, request), StatusIs(absl::StatusCode::kCancelled));
  RunRequest other;
  other.seed = 4;
  EXPECT_THAT(RunToy(out, other),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("seed: expected 3"), HasSubstr("got 4"))));
  other.seed = 3;
  other.config.mutable_optimizer()->set_learning_rate(0.5);
  EXPECT_THAT(RunToy(out, other),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("optimizer.learning_rate"), HasSubstr("0.05 -> 0.5"))));
  ALIDADE_ASSERT_OK(RunToy(out));
  ExpectSameBits(out);
}

TEST(LoopTest, ALockedFolderNamesTheHolder) {
  const std::string out = TempFolder();
  const LoopConfig config = Loop();
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto held, RunFolder::Open(out, {"toy", &config, 3, {}}));
  EXPECT_THAT(RunToy(out),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(absl::StrCat(getpid()))));
}

// Damages one file of the newest checkpoint and expects that a resumed run says so and loses
// nothing.
void ExpectDamageIsFound(const std::string& file,
                         const std::function<std::string(std::string)>& damage,
                         const std::string& message) {
  const std::string out = TempFolder();
  RunRequest request;
  request.stop_after = 17;
  ASSERT_THAT(RunToy(out, request), StatusIs(absl::StatusCode::kCancelled));
  const std::string newest = JoinPath(out, "checkpoints/step_00000015");
  ALIDADE_ASSERT_OK(WriteFile(JoinPath(newest, file), damage(Bytes(newest, file))));
  EXPECT_THAT(RunToy(out),
              StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr(file), HasSubstr(message),
                                                          HasSubstr("step_00000010 is whole"))));
  // What the message advises works, and gives the bits of an uninterrupted run.
  ALIDADE_ASSERT_OK(RemoveTree(newest));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const RunSummary summary, RunToy(out));
  EXPECT_EQ(summary.resumed_from, 10);
  ExpectSameBits(out);
}

TEST(LoopTest, DamagedCheckpointsAreReported) {
  const auto cut = [](std::string bytes) { return bytes.substr(0, bytes.size() - 7); };
  const auto alter = [](std::string bytes) {
    bytes[bytes.size() - 3] ^= 1;
    return bytes;
  };
  ExpectDamageIsFound("weights.safetensors", cut, "size: expected");
  ExpectDamageIsFound("weights.safetensors", alter, "sha256: expected");
  ExpectDamageIsFound("optimizer.safetensors", alter, "sha256: expected");
  ExpectDamageIsFound("stage.safetensors", cut, "size: expected");
  ExpectDamageIsFound("checkpoint.json", cut, "checkpoint.json");
  ExpectDamageIsFound(
      "checkpoint.json",
      [](std::string text) {
        const size_t at = text.find("\"step\": 15");
        return text.replace(at, 10, "\"step\": 14");
      },
      "sha256: expected");
}

constexpr int kNoMount = 4;

// A run on a small file system that fills up, in a mount namespace of this process's own. Exit code
// 0: the run failed with the right error and went on to the right bits once there was room;
// kNoMount: this system lets nobody mount.
int FullDiskMain(const std::string& folder) {
  if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return kNoMount;
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return kNoMount;
  if (mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=256k") != 0) return kNoMount;
  const std::string out = JoinPath(folder, "run"), filler = JoinPath(folder, "filler");
  RunRequest request;
  request.stop_after = 12;
  if (RunToy(out, request).status().code() != absl::StatusCode::kCancelled) return 1;
  const int descriptor = open(filler.c_str(), O_CREAT | O_WRONLY, 0644);
  const std::string block(512, 'x');
  while (write(descriptor, block.data(), block.size()) > 0) {
  }
  close(descriptor);
  const absl::Status full = RunToy(out).status();
  std::fprintf(stderr, "%s\n", full.ToString().c_str());
  if (full.code() != absl::StatusCode::kResourceExhausted ||
      !absl::StrContains(full.message(), out))
    return 1;
  unlink(filler.c_str());
  const absl::StatusOr<RunSummary> summary = RunToy(out);
  if (!summary.ok() || summary->resumed_from != 10) return 1;
  const Result result = ResultOf(out);
  return result.weights == Uninterrupted().weights && result.metrics == Uninterrupted().metrics ? 0
                                                                                                : 1;
}

TEST(LoopTest, AFullFileSystemLosesNothing) {
  const int status = RunChild("--full_disk", TempFolder(), -1, 0);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNoMount)
    GTEST_SKIP() << "skipped: mounting a file system is not permitted here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(LoopTest, AFileThatMayNotGrowLosesNothing) {
  const std::string out = TempFolder();
  RunRequest request;
  request.stop_after = 12;
  ASSERT_THAT(RunToy(out, request), StatusIs(absl::StatusCode::kCancelled));
  // No file of the child may grow beyond 300 bytes: what a full disk does, but with EFBIG.
  const int status = RunChild("--child", out, -1, 300);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 3) << "expected an error that names the folder";
  ALIDADE_ASSERT_OK_AND_ASSIGN(const RunSummary summary, RunToy(out));
  EXPECT_EQ(summary.resumed_from, 10);
  ExpectSameBits(out);
}

}  // namespace
}  // namespace alidade::trainers

int main(int argc, char** argv) {
  int64_t kill_after = -1, file_bytes = 0;
  if (argc == 5 && std::string(argv[1]) == "--full_disk")
    return alidade::trainers::FullDiskMain(argv[2]);
  if (argc == 5 && std::string(argv[1]) == "--child" && absl::SimpleAtoi(argv[3], &kill_after) &&
      absl::SimpleAtoi(argv[4], &file_bytes)) {
    return alidade::trainers::ChildMain(argv[2], kill_after, file_bytes);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
