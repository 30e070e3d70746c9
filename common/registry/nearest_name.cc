#include "common/registry/nearest_name.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace alidade {
namespace {

// Levenshtein distance, one row at a time.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string NearestName(absl::string_view name, const std::vector<std::string>& candidates) {
  std::string nearest;
  size_t least = 0;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(name, candidate);
    if (2 * distance > std::max(name.size(), candidate.size())) continue;
    if (nearest.empty() || distance < least) {
      nearest = candidate;
      least = distance;
    }
  }
  return nearest;
}

absl::Status UnknownNameError(absl::string_view kind, absl::string_view name,
                              const std::vector<std::string>& known) {
  const std::string nearest = NearestName(name, known);
  return absl::NotFoundError(
      absl::StrCat("unknown ", kind, " '", name, "'",
                   nearest.empty() ? "" : absl::StrCat("; did you mean '", nearest, "'?"),
                   nearest.empty() ? "; known: " : " known: ",
                   known.empty() ? "none" : absl::StrJoin(known, ", ")));
}

}  // namespace alidade
