// The output folder of a run: who owns it, what run it belongs to, whether it is finished.
//
//   config.textproto  run.json  metrics.jsonl  events/  checkpoints/ (until it is done)  model/
//   summary.json (at the end)
#ifndef ALIDADE_TRAINERS_CORE_RUN_FOLDER_H_
#define ALIDADE_TRAINERS_CORE_RUN_FOLDER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/files.h"
#include "google/protobuf/message.h"
#include "trainers/core/run.h"

namespace alidade::trainers {

// All that the numbers of a run follow from.
struct RunIdentity {
  std::string stage;                                  // "sft"
  const google::protobuf::Message* config = nullptr;  // the stage's; outlives the call
  uint64_t seed = 0;
  std::map<std::string, std::string> inputs;  // role -> digest
};

class RunFolder {
 public:
  // Takes the folder, which is made if absent, for this process. FAILED_PRECONDITION: another
  // process holds it (its pid is named); it belongs to another run (the first differing setting is
  // named, both values).
  static absl::StatusOr<std::unique_ptr<RunFolder>> Open(const std::string& path,
                                                         const RunIdentity& identity);

  const std::string& path() const { return path_; }
  uint64_t seed() const { return seed_; }
  // What the finished run gave, or nothing if it is not finished.
  const std::optional<RunSummary>& finished() const { return finished_; }
  // Marks the run as finished and removes its checkpoints.
  absl::Status Finish(const RunSummary& summary);

  std::string CheckpointFolder() const;
  std::string ModelFolder() const;

 private:
  RunFolder(std::string path, uint64_t seed, FolderLock lock)
      : path_(std::move(path)), seed_(seed), lock_(std::move(lock)) {}

  std::string path_;
  uint64_t seed_;
  FolderLock lock_;
  std::optional<RunSummary> finished_;
};

// sha256 over the names and bytes of those files of `folder` that exist, in the given order.
// NOT_FOUND if the folder or the first file is missing.
absl::StatusOr<std::string> DigestFiles(const std::string& folder,
                                        const std::vector<std::string>& files);

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_CORE_RUN_FOLDER_H_
