#include "datasets/annotators/agreement.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"

namespace alidade::datasets {

absl::StatusOr<double> CohenKappa(absl::Span<const int> a, absl::Span<const int> b) {
  if (a.size() != b.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("kappa: expected as many labels of both, got ", a.size(), " and ", b.size()));
  }
  if (a.empty()) return absl::InvalidArgumentError("kappa: expected at least one label, got none");
  std::map<int, double> count_a, count_b;
  double agreed = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    count_a[a[i]] += 1;
    count_b[b[i]] += 1;
    agreed += a[i] == b[i];
  }
  const double n = static_cast<double>(a.size());
  double expected = 0;
  for (const auto& [label, count] : count_a) {
    const auto other = count_b.find(label);
    if (other != count_b.end()) expected += count / n * (other->second / n);
  }
  if (expected >= 1)
    return absl::InvalidArgumentError("kappa: both give one and the same label throughout; 0 / 0");
  return (agreed / n - expected) / (1 - expected);
}

void PreferenceLabels::Add(absl::Span<const double> a_scores, absl::Span<const double> b_scores) {
  auto label = [](double first, double second) {
    return first > second ? 1 : first < second ? -1 : 0;
  };
  for (size_t i = 0; i < std::min(a_scores.size(), b_scores.size()); ++i) {
    for (size_t j = i + 1; j < std::min(a_scores.size(), b_scores.size()); ++j) {
      a.push_back(label(a_scores[i], a_scores[j]));
      b.push_back(label(b_scores[i], b_scores[j]));
    }
  }
}

}  // namespace alidade::datasets
