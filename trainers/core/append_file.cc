#include "trainers/core/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"

namespace alidade::trainers {
namespace {

absl::Status SystemError(int code, absl::string_view what, const std::string& path) {
  return absl::ErrnoToStatus(code, absl::StrCat("cannot ", what, " ", path));
}

}  // namespace

absl::StatusOr<std::unique_ptr<AppendFile>> AppendFile::Open(const std::string& path,
                                                             int64_t size) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC | (size == 0 ? O_CREAT : 0), 0644);
  if (descriptor < 0) {
    if (errno == ENOENT && size > 0) {
      return absl::DataLossError(
          absl::StrCat(path, ": expected the ", size,
                       " bytes that the checkpoint knows of, but the file is gone"));
    }
    return SystemError(errno, "open", path);
  }
  auto file = absl::WrapUnique(new AppendFile(path, descriptor, size));
  struct stat info;
  if (fstat(descriptor, &info) != 0) return SystemError(errno, "inspect", path);
  if (info.st_size < size) {
    return absl::DataLossError(absl::StrCat(path, ": expected at least the ", size,
                                            " bytes that the checkpoint knows of, got ",
                                            info.st_size));
  }
  if (ftruncate(descriptor, size) != 0) return SystemError(errno, "shorten", path);
  if (lseek(descriptor, size, SEEK_SET) < 0) return SystemError(errno, "seek in", path);
  return file;
}

AppendFile::~AppendFile() { close(descriptor_); }

absl::Status AppendFile::Append(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return SystemError(errno, "write to", path_);
    }
    size_ += written;
    bytes.remove_prefix(written);
  }
  return absl::OkStatus();
}

absl::Status AppendFile::Sync() {
  if (fsync(descriptor_) != 0) return SystemError(errno, "write to the disk under", path_);
  return absl::OkStatus();
}

}  // namespace alidade::trainers
