// The runner's command: see flags.h, or --help.
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/files/files.h"
#include "experiments/workflow/flags.h"
#include "experiments/workflow/runner.h"
#include "experiments/workflow/stages/stages.h"

namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Where the user stands: `bazel run` starts the program elsewhere and says where it was called.
std::string UsersFolder() {
  const std::string caller = Environment("BUILD_WORKING_DIRECTORY");
  if (!caller.empty()) return caller;
  char buffer[PATH_MAX];
  return getcwd(buffer, sizeof(buffer)) == nullptr ? "." : buffer;
}

// The threads of LibTorch's OpenMP runtime wait for their next piece of work by spinning for
// milliseconds. Where other programs want the same cores (a test beside another, a laptop in use)
// that makes small models ten times slower. A short spin costs nothing on an idle machine. The
// runtime reads the setting before main, hence the second start.
void LimitSpinning(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  setenv("GOMP_SPINCOUNT", "1000", /*overwrite=*/0);
  execv("/proc/self/exe", argv);
}

int Fail(const absl::Status& status) {
  std::cerr << "error: " << status.message() << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace alidade::experiments;
  LimitSpinning(argv);
  const absl::StatusOr<RunFlags> flags =
      ParseFlags(std::vector<std::string>(argv + 1, argv + argc));
  if (!flags.ok()) return Fail(flags.status());
  if (flags->help) {
    std::cout << Usage();
    return 0;
  }
  if (flags->config.empty())
    return Fail(absl::InvalidArgumentError("--config: expected FILE, got nothing"));
  RunRequest request;
  request.working_folder = UsersFolder();
  request.config = alidade::JoinPath(request.working_folder, flags->config);
  request.out = flags->out;
  request.set = flags->set;
  request.seeds = flags->seeds;
  request.dry_run = flags->dry_run;
  request.smoke = flags->smoke;
  request.source_folder = Environment("BUILD_WORKSPACE_DIRECTORY");
  if (request.source_folder.empty()) request.source_folder = request.working_folder;
  request.versions = StandardVersions();
  const absl::Status status = RunExperiment(request, StandardStages(), std::cout);
  if (status.ok()) return 0;
  std::cout << std::flush;
  Fail(status);
  if (!flags->dry_run)
    std::cerr << "finished stages are kept; the same command goes on from there\n";
  return 1;
}
