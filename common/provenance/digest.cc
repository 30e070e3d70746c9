#include "common/provenance/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/status/status.h"

namespace alidade {

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  ALIDADE_CHECK(EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr) == 1);
}
Sha256::~Sha256() = default;

void Sha256::Update(absl::string_view bytes) {
  ALIDADE_CHECK(EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) == 1);
}

std::array<uint8_t, 32> Sha256::Bytes() {
  std::array<uint8_t, 32> digest;
  unsigned int size = 0;
  ALIDADE_CHECK(EVP_DigestFinal_ex(context_->evp, digest.data(), &size) == 1 &&
                size == digest.size());
  return digest;
}

std::string Sha256::Hex() {
  const std::array<uint8_t, 32> digest = Bytes();
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

std::string Sha256Hex(absl::string_view bytes) {
  Sha256 digest;
  digest.Update(bytes);
  return digest.Hex();
}

absl::StatusOr<std::string> FileDigest(const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  return Sha256Hex(bytes);
}

absl::StatusOr<std::string> FolderDigest(const std::string& folder) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.front() == '.') {
      if (it->is_directory(error)) it.disable_recursion_pending();
      continue;
    }
    if (it->is_regular_file(error))
      files.push_back(fs::relative(it->path(), folder, error).string());
  }
  if (error)
    return absl::UnknownError(absl::StrCat(folder, ": cannot list the folder: ", error.message()));
  std::sort(files.begin(), files.end());
  Sha256 digest;
  for (const std::string& file : files) {
    ALIDADE_ASSIGN_OR_RETURN(const std::string file_digest, FileDigest(JoinPath(folder, file)));
    // Neither a path nor a hexadecimal digest holds a zero byte: no two folders give the same text.
    digest.Update(
        absl::StrCat(file, absl::string_view("\0", 1), file_digest, absl::string_view("\0", 1)));
  }
  return digest.Hex();
}

}  // namespace alidade
