// Runs one training stage:
//
//   bazel run //trainers/cli:train -- --config=run.textproto --out=out/sft --seed=1
//
// The config is a TrainRequest (trainers/cli/request.proto). An interrupted command goes on when it
// is typed again.
#include <ATen/Parallel.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "trainers/cli/request.pb.h"
#include "trainers/cli/request_file.h"
#include "trainers/stages/preference/preference.h"
#include "trainers/stages/sft/sft.h"

ABSL_FLAG(std::string, config, "", "A TrainRequest in protobuf text (trainers/cli/request.proto).");
ABSL_FLAG(std::string, out, "", "Output folder; a run that was interrupted there goes on.");
ABSL_FLAG(uint64_t, seed, 1, "All randomness follows from it.");
ABSL_FLAG(int32_t, threads, 0,
          "Threads of LibTorch; 0: one per core. Results are the same bits for the same number.");

namespace alidade::trainers {
namespace {

// Threads that wait for each other spin, and on a busy machine they spin away the time that the
// others need: a step then takes ten times as long. The setting must be there before the program
// starts, so it starts itself again.
void WaitWithoutSpinning(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  setenv("GOMP_SPINCOUNT", "1000", /*overwrite=*/0);
  execv("/proc/self/exe", argv);
  // Without it the program is only slower.
}

absl::Status RequireFlag(const std::string& value, absl::string_view flag) {
  if (!value.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, ": expected a path, got none; --help lists all flags"));
}

absl::StatusOr<RunSummary> RunRequest(const TrainRequest& request, const std::string& out,
                                      uint64_t seed) {
  if (request.has_sft()) {
    const SftRequest& sft = request.sft();
    return RunSft(sft.config(), {sft.model(), sft.dataset()}, out, seed);
  }
  const PreferenceRequest& preference = request.preference();
  return RunPreference(preference.config(),
                       {preference.model(), preference.reference(), preference.pairs()}, out, seed);
}

absl::Status Main() {
  const std::string config = absl::GetFlag(FLAGS_config), out = absl::GetFlag(FLAGS_out);
  ALIDADE_RETURN_IF_ERROR(RequireFlag(config, "config"));
  ALIDADE_RETURN_IF_ERROR(RequireFlag(out, "out"));
  const int threads = absl::GetFlag(FLAGS_threads);
  if (threads < 0)
    return absl::InvalidArgumentError(absl::StrCat("--threads: expected >= 0, got ", threads));
  if (threads > 0) at::set_num_threads(threads);
  // Under `bazel run`, paths are meant from where the command was typed.
  const char* typed_in = std::getenv("BUILD_WORKING_DIRECTORY");
  if (typed_in != nullptr && chdir(typed_in) != 0) {
    return absl::NotFoundError(absl::StrCat("cannot change to the folder ", typed_in));
  }
  ALIDADE_ASSIGN_OR_RETURN(const TrainRequest request, ReadRequest(config));
  ALIDADE_ASSIGN_OR_RETURN(const RunSummary summary,
                           RunRequest(request, out, absl::GetFlag(FLAGS_seed)), config);
  std::printf("%s: %lld steps, loss %.6g; the model is in %s/model\n", out.c_str(),
              static_cast<long long>(summary.steps), summary.final_loss, out.c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace alidade::trainers

int main(int argc, char** argv) {
  alidade::trainers::WaitWithoutSpinning(argv);
  absl::SetProgramUsageMessage(
      "trains one stage: train --config=run.textproto --out=FOLDER [--seed=1]");
  absl::ParseCommandLine(argc, argv);
  const absl::Status status = alidade::trainers::Main();
  if (status.ok()) return 0;
  std::fprintf(stderr, "train: %s\n", std::string(status.message()).c_str());
  return 1;
}
