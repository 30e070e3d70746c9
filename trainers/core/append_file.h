// A file that grows, and that can be cut back to what a checkpoint knows of it.
#ifndef ALIDADE_TRAINERS_CORE_APPEND_FILE_H_
#define ALIDADE_TRAINERS_CORE_APPEND_FILE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alidade::trainers {

class AppendFile {
 public:
  // Opens `path`, which is created if `size` is 0, and cuts it back to `size` bytes. A file shorter
  // than that has lost data: DATA_LOSS with both sizes, and the file is left as it is.
  static absl::StatusOr<std::unique_ptr<AppendFile>> Open(const std::string& path, int64_t size);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  // Writes all of `bytes` at the end. A full disk is RESOURCE_EXHAUSTED.
  absl::Status Append(absl::string_view bytes);
  // Returns once everything appended is on the disk.
  absl::Status Sync();
  // Bytes appended so far, counted from the start of the file.
  int64_t size() const { return size_; }

 private:
  AppendFile(std::string path, int descriptor, int64_t size)
      : path_(std::move(path)), descriptor_(descriptor), size_(size) {}

  std::string path_;
  int descriptor_;
  int64_t size_;
};

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_CORE_APPEND_FILE_H_
