#ifndef ALIDADE_DATASETS_ANNOTATORS_AGREEMENT_H_
#define ALIDADE_DATASETS_ANNOTATORS_AGREEMENT_H_

// How far two annotators agree.

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace alidade::datasets {

// Cohen's kappa of two raters' labels, (observed - expected) / (1 - expected) with the expected
// agreement from both raters' label shares (Cohen 1960; unweighted, as in scikit-learn's
// cohen_kappa_score). Errors: no labels, different lengths, both raters constant and equal (0 / 0).
absl::StatusOr<double> CohenKappa(absl::Span<const int> a, absl::Span<const int> b);

// Compares preferences over all pairs of responses to one prompt: label 1 (first preferred), -1
// (second), 0 (tie).
struct PreferenceLabels {
  std::vector<int> a;
  std::vector<int> b;
  // Adds every pair (i < j) of `a_scores` and `b_scores`, which are scores of the same responses.
  void Add(absl::Span<const double> a_scores, absl::Span<const double> b_scores);
};

}  // namespace alidade::datasets

#endif  // ALIDADE_DATASETS_ANNOTATORS_AGREEMENT_H_
