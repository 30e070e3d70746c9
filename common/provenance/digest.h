#ifndef ALIDADE_COMMON_PROVENANCE_DIGEST_H_
#define ALIDADE_COMMON_PROVENANCE_DIGEST_H_

// SHA-256 of bytes, of files and of whole folders: what a content-addressed stage, a dataset card
// and a manifest state.

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alidade {

// 64 lower-case hexadecimal digits.
std::string Sha256Hex(absl::string_view bytes);

// The same, fed piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void Update(absl::string_view bytes);
  // Ends the digest; call once.
  std::string Hex();
  std::array<uint8_t, 32> Bytes();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

absl::StatusOr<std::string> FileDigest(const std::string& path);

// Over the sorted relative paths of all files below `folder` and their bytes. Names that start with
// '.' do not count: locks and files that are being written.
absl::StatusOr<std::string> FolderDigest(const std::string& folder);

}  // namespace alidade

#endif  // ALIDADE_COMMON_PROVENANCE_DIGEST_H_
