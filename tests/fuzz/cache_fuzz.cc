// Any bytes as an entry of the JIT's cache: only what Put wrote is taken.

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "compiler/runtime/jit/cache.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace alidade;
  static const auto* const folder = new std::string([] {
    const char* base = std::getenv("TEST_TMPDIR");
    return absl::StrCat(base == nullptr ? "/tmp" : base, "/cache_fuzz.", getpid());
  }());
  const runtime::Cache cache(*folder);
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  // What was put comes back.
  if (!cache.Put("good", bytes).ok()) std::abort();
  if (cache.Get("good").value_or(bytes + "x") != bytes) std::abort();
  // What was not is refused, unless it is an entry in full.
  if (!WriteFile(cache.PathOf("raw"), bytes).ok()) std::abort();
  const absl::StatusOr<std::string> got = cache.Get("raw");
  if (got.ok() && bytes.size() <= got->size()) std::abort();
  if (!got.ok() && got.status().message().empty()) std::abort();
  return 0;
}
