// The folder of a run: finished stages, work in progress, manifests, and who is using it.
//
//   ALIDADE_ASSIGN_OR_RETURN(RunFolder folder, RunFolder::Open("runs/quickstart"));
//
//   runs/quickstart/
//     stages/<id>-<hash8>-s<seed>/       finished, with a DONE record; never written again
//     stages/<id>-<hash8>-s<seed>.tmp/   in work, or left by an interrupted run, which goes on in
//     it manifests/0001.json                one per run
#ifndef ALIDADE_EXPERIMENTS_WORKFLOW_RUN_FOLDER_H_
#define ALIDADE_EXPERIMENTS_WORKFLOW_RUN_FOLDER_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/files.h"
#include "experiments/workflow/plan.h"

namespace alidade::experiments {

class RunFolder {
 public:
  // Makes the folder and takes its lock. Errors: another process uses it (names the process id), it
  // cannot be written.
  static absl::StatusOr<RunFolder> Open(const std::string& path);

  const std::string& path() const { return path_; }

  std::string FinishedFolder(const PlannedStage& call) const;
  std::string WorkingFolder(const PlannedStage& call) const;

  // The next free manifests/NNNN.json.
  absl::StatusOr<std::string> NextManifest() const;

 private:
  RunFolder(std::string path, FolderLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  FolderLock lock_;
};

// The same names without a RunFolder, for a dry run.
std::string FinishedFolder(const std::string& run_folder, const PlannedStage& call);

// Whether the folder is a finished output of `call`. Errors (data loss): a DONE record that is
// broken, that belongs to another key, or whose results are missing or altered; the message says
// which folder to remove.
absl::StatusOr<bool> IsFinished(const std::string& folder, const PlannedStage& call);

// Writes the DONE record of `results` (paths relative to `working`) and renames `working` to
// `finished`.
absl::Status Finish(const std::string& working, const std::string& finished,
                    const PlannedStage& call, const std::vector<std::string>& results);

}  // namespace alidade::experiments

#endif  // ALIDADE_EXPERIMENTS_WORKFLOW_RUN_FOLDER_H_
