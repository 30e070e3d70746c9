#ifndef ALIDADE_COMMON_FILES_FILES_H_
#define ALIDADE_COMMON_FILES_FILES_H_

// Files that are either whole or absent: writes go beside the final name, are synced and then
// renamed. Every error names the path and what the system said.

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alidade {

// `a/b`; an absolute `b` stands alone.
std::string JoinPath(absl::string_view a, absl::string_view b);

bool PathExists(const std::string& path);

absl::StatusOr<std::string> ReadFile(const std::string& path);

// Replaces `path` with `bytes`: written beside, synced, renamed. Whatever lay there before survives
// any failure.
absl::Status WriteFile(const std::string& path, absl::string_view bytes);

// Creates the folder and its parents; an existing folder is fine.
absl::Status MakeFolder(const std::string& path);

// Names (not paths) in the folder, sorted.
absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path);

// Removes a file or a folder with all it holds; an absent path is fine.
absl::Status RemoveTree(const std::string& path);

// Renames the finished folder `from` to `to`, which must not exist, and syncs the parent.
absl::Status PublishFolder(const std::string& from, const std::string& to);

// Syncs a folder, so that the names in it survive a crash.
absl::Status SyncFolder(const std::string& path);

// An exclusive lock on a folder, held until destruction (or the end of the process, however it
// ends).
//
//   ALIDADE_ASSIGN_OR_RETURN(FolderLock lock, FolderLock::Take(out));
class FolderLock {
 public:
  // FailedPrecondition, naming the holder's process id, when another process has it.
  static absl::StatusOr<FolderLock> Take(const std::string& folder);

  FolderLock(FolderLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FolderLock& operator=(FolderLock&& other) noexcept;
  ~FolderLock();

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace alidade

#endif  // ALIDADE_COMMON_FILES_FILES_H_
