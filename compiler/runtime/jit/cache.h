#ifndef ALIDADE_COMPILER_RUNTIME_JIT_CACHE_H_
#define ALIDADE_COMPILER_RUNTIME_JIT_CACHE_H_

// Checked files of a folder, by key. An entry is published whole or not at all, and carries the
// digest of its bytes, so that a truncated or altered one is recognised.

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alidade::runtime {

class Cache {
 public:
  explicit Cache(std::string folder) : folder_(std::move(folder)) {}

  std::string PathOf(absl::string_view key) const;
  // NotFound when there is no such entry, DataLoss (naming the file, expected and got) when it is
  // damaged.
  absl::StatusOr<std::string> Get(absl::string_view key) const;
  // Replaces the entry.
  absl::Status Put(absl::string_view key, absl::string_view bytes) const;

 private:
  std::string folder_;
};

}  // namespace alidade::runtime

#endif  // ALIDADE_COMPILER_RUNTIME_JIT_CACHE_H_
