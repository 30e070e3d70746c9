#include "compiler/runtime/jit/cache.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/files/files.h"
#include "common/provenance/digest.h"
#include "common/status/status.h"

namespace alidade::runtime {
namespace {

// The file is kMagic, 64 hexadecimal digits of SHA-256 over what follows, a newline, the bytes.
constexpr absl::string_view kMagic = "alidade jit entry 1\n";
constexpr size_t kDigestDigits = 64;

}  // namespace

std::string Cache::PathOf(absl::string_view key) const { return JoinPath(folder_, key); }

absl::StatusOr<std::string> Cache::Get(absl::string_view key) const {
  const std::string path = PathOf(key);
  if (!PathExists(path)) return absl::NotFoundError(absl::StrCat(path, ": no such cache entry"));
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path), "while reading a cache entry");
  absl::string_view rest = text;
  if (!absl::ConsumePrefix(&rest, kMagic) || rest.size() <= kDigestDigits ||
      rest[kDigestDigits] != '\n') {
    return absl::DataLossError(
        absl::StrCat(path, ": damaged cache entry: no header in its ", text.size(), " bytes"));
  }
  const absl::string_view expected = rest.substr(0, kDigestDigits);
  rest.remove_prefix(kDigestDigits + 1);
  const std::string got = Sha256Hex(rest);
  if (got != expected) {
    return absl::DataLossError(
        absl::StrCat(path, ": damaged cache entry: expected SHA-256 ", expected, ", got ", got));
  }
  return std::string(rest);
}

absl::Status Cache::Put(absl::string_view key, absl::string_view bytes) const {
  ALIDADE_RETURN_IF_ERROR(MakeFolder(folder_), "while creating the cache");
  return WriteFile(PathOf(key), absl::StrCat(kMagic, Sha256Hex(bytes), "\n", bytes));
}

}  // namespace alidade::runtime
