#ifndef ALIDADE_EVAL_CORE_BOOTSTRAP_H_
#define ALIDADE_EVAL_CORE_BOOTSTRAP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/provenance/random_stream.h"

namespace alidade::eval {

// What one resampling unit (an image) adds to a metric. Every metric here is a ratio of sums,
// sum(numerator) / sum(denominator): accuracy, precision, recall, F1 = 2 TP / (2 TP + FP + FN),
// CHAIR, means.
struct UnitRatio {
  std::string unit;
  double numerator = 0;
  double denominator = 0;
};

// NaN in all three where the metric does not exist (denominator zero).
struct Interval {
  double value = 0;
  double low = 0;
  double high = 0;
};

struct BootstrapOptions {
  int64_t resamples = 2000;
  double level = 0.95;
};

// sum(numerator) / sum(denominator); NaN at a zero denominator.
double RatioOfSums(absl::Span<const UnitRatio> units);

// Percentile bootstrap (Efron 1979): units are drawn with replacement. Resamples whose denominator
// is zero have no value and are left out; the interval is NaN when that leaves none. Errors: no
// unit, a unit twice, resamples < 1, level outside (0, 1).
absl::StatusOr<Interval> BootstrapRatio(absl::Span<const UnitRatio> units,
                                        const BootstrapOptions& options, RandomStream& stream);

// One seed's two models on the same images.
struct PairedUnits {
  std::vector<UnitRatio> model;
  std::vector<UnitRatio> baseline;
};

enum class DifferenceKind { kAbsolute, kRelative };  // m - b, or (m - b) / b

// Mean over seeds of the difference model - baseline. Images are drawn once per resample and shared
// by both models and all seeds (all are tested on the same images); seeds, where there are two or
// more, are drawn with replacement too, so that the interval holds for a new seed and new images.
// Errors: no seed, units that differ between the two models or between seeds, options as above.
absl::StatusOr<Interval> BootstrapPairedDifference(absl::Span<const PairedUnits> seeds,
                                                   DifferenceKind kind,
                                                   const BootstrapOptions& options,
                                                   RandomStream& stream);

// Mean over seeds of one model's metric, drawn in the same way.
absl::StatusOr<Interval> BootstrapOverSeeds(absl::Span<const std::vector<UnitRatio>> seeds,
                                            const BootstrapOptions& options, RandomStream& stream);

}  // namespace alidade::eval

#endif  // ALIDADE_EVAL_CORE_BOOTSTRAP_H_
