#include "common/files/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace alidade {
namespace {

namespace fs = std::filesystem;

absl::Status SystemError(int error, absl::string_view what, absl::string_view path) {
  const std::string message = absl::StrCat(path, ": cannot ", what, ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::UnknownError(message);
  }
}

// Closes on every path out of a function.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

absl::Status WriteAll(int fd, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return SystemError(errno, "write", path);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

std::string ParentOf(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace

std::string JoinPath(absl::string_view a, absl::string_view b) {
  return (fs::path(std::string(a)) / std::string(b)).string();
}

bool PathExists(const std::string& path) {
  struct stat info;
  return ::lstat(path.c_str(), &info) == 0;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return SystemError(errno, "open", path);
  struct stat info;
  if (::fstat(file.get(), &info) != 0) return SystemError(errno, "inspect", path);
  if (S_ISDIR(info.st_mode))
    return absl::InvalidArgumentError(absl::StrCat(path, ": expected a file, got a folder"));
  std::string bytes;
  bytes.reserve(static_cast<size_t>(std::max<off_t>(info.st_size, 0)));
  char buffer[1 << 16];
  while (true) {
    const ssize_t got = ::read(file.get(), buffer, sizeof(buffer));
    if (got < 0) {
      if (errno == EINTR) continue;
      return SystemError(errno, "read", path);
    }
    if (got == 0) return bytes;
    bytes.append(buffer, static_cast<size_t>(got));
  }
}

absl::Status WriteFile(const std::string& path, absl::string_view bytes) {
  const std::string beside = absl::StrCat(path, ".", ::getpid(), ".tmp");
  absl::Status status;
  {
    Descriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.get() < 0) return SystemError(errno, "create", path);
    status = WriteAll(file.get(), bytes, path);
    if (status.ok() && ::fsync(file.get()) != 0) status = SystemError(errno, "sync", path);
  }
  if (status.ok() && ::rename(beside.c_str(), path.c_str()) != 0)
    status = SystemError(errno, "rename", path);
  if (!status.ok()) {
    ::unlink(beside.c_str());
    return status;
  }
  return SyncFolder(ParentOf(path));
}

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return SystemError(error.value(), "create the folder", path);
  if (!fs::is_directory(path, error)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": expected a folder, got a file"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path) {
  std::error_code error;
  std::vector<std::string> names;
  fs::directory_iterator it(path, error);
  if (error) return SystemError(error.value(), "list", path);
  for (const fs::directory_iterator end; it != end; it.increment(error)) {
    if (error) return SystemError(error.value(), "list", path);
    names.push_back(it->path().filename().string());
  }
  if (error) return SystemError(error.value(), "list", path);
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status RemoveTree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? SystemError(error.value(), "remove", path) : absl::OkStatus();
}

absl::Status PublishFolder(const std::string& from, const std::string& to) {
  if (PathExists(to))
    return absl::AlreadyExistsError(absl::StrCat(to, ": expected no such folder, got one"));
  ALIDADE_RETURN_IF_ERROR(SyncFolder(from));
  if (::rename(from.c_str(), to.c_str()) != 0)
    return SystemError(errno, absl::StrCat("rename ", from, " to it"), to);
  return SyncFolder(ParentOf(to));
}

absl::Status SyncFolder(const std::string& path) {
  Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) return SystemError(errno, "open the folder", path);
  // Some file systems do not sync folders and say so; their renames are as durable as they get.
  if (::fsync(folder.get()) != 0 && errno != EINVAL)
    return SystemError(errno, "sync the folder", path);
  return absl::OkStatus();
}

absl::StatusOr<FolderLock> FolderLock::Take(const std::string& folder) {
  ALIDADE_RETURN_IF_ERROR(MakeFolder(folder));
  const std::string path = JoinPath(folder, ".lock");
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (file.get() < 0) return SystemError(errno, "create", path);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return SystemError(errno, "lock", path);
    const absl::StatusOr<std::string> holder = ReadFile(path);
    return absl::FailedPreconditionError(
        absl::StrCat(folder, ": another run uses this folder (process ",
                     holder.ok() && !holder->empty() ? *holder : "unknown",
                     "); wait for it or choose another folder"));
  }
  const std::string pid = absl::StrCat(::getpid());
  if (::ftruncate(file.get(), 0) != 0) return SystemError(errno, "write", path);
  ALIDADE_RETURN_IF_ERROR(WriteAll(file.get(), pid, path));
  return FolderLock(file.Release());
}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  if (this != &other) {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace alidade
