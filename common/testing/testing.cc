#include "common/testing/testing.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace alidade {

namespace fs = std::filesystem;

std::string TempFolder() {
  const char* base = std::getenv("TEST_TMPDIR");
  std::string pattern = absl::StrCat(base != nullptr ? base : "/tmp", "/alidade_XXXXXX");
  ALIDADE_CHECK(::mkdtemp(pattern.data()) != nullptr);
  return pattern;
}

double RelativeError(absl::Span<const double> a, absl::Span<const double> b, double floor) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  if (!std::isfinite(difference) || !std::isfinite(norm))
    return std::numeric_limits<double>::infinity();
  return std::sqrt(difference) / std::max(std::sqrt(norm), floor);
}

std::optional<std::string> SharedDataFolder() {
  std::error_code error;
  if (const char* named = std::getenv("ALIDADE_SHARED")) {
    const fs::path data = fs::path(named) / "data";
    if (fs::is_directory(data, error)) return data.string();
  }
  // A test's files are links into the checkout: the WORKSPACE file's real place tells where that
  // lies.
  const fs::path marker = fs::canonical("WORKSPACE", error);
  if (error) return std::nullopt;
  const fs::path data = marker.parent_path().parent_path() / "shared" / "data";
  if (fs::is_directory(data, error)) return data.string();
  return std::nullopt;
}

}  // namespace alidade
