#include "eval/core/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace alidade::eval {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

absl::Status CheckOptions(const BootstrapOptions& options) {
  if (options.resamples < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("bootstrap resamples: expected >= 1, got ", options.resamples));
  }
  if (!(options.level > 0 && options.level < 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("bootstrap level: expected in (0, 1), got ", options.level));
  }
  return absl::OkStatus();
}

absl::Status CheckUnits(absl::Span<const UnitRatio> units) {
  if (units.empty())
    return absl::InvalidArgumentError("bootstrap: expected at least one unit, got none");
  std::set<std::string> seen;
  for (const UnitRatio& unit : units) {
    if (!seen.insert(unit.unit).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("bootstrap: unit '", unit.unit, "' stands there twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSameUnits(absl::Span<const UnitRatio> expected, absl::Span<const UnitRatio> got) {
  if (expected.size() != got.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("paired bootstrap: expected the same ", expected.size(),
                     " units in both models and all seeds, got ", got.size()));
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    if (expected[i].unit != got[i].unit) {
      return absl::InvalidArgumentError(absl::StrCat("paired bootstrap: unit ", i, ": expected '",
                                                     expected[i].unit, "', got '", got[i].unit,
                                                     "'"));
    }
  }
  return absl::OkStatus();
}

double Divide(double numerator, double denominator) {
  return denominator == 0 ? kNan : numerator / denominator;
}

// The q-quantile of sorted values, interpolated between the two nearest.
double Quantile(const std::vector<double>& sorted, double q) {
  const double position = q * (sorted.size() - 1);
  const size_t below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}

Interval FromResamples(double value, std::vector<double> resamples, double level) {
  resamples.erase(
      std::remove_if(resamples.begin(), resamples.end(), [](double v) { return std::isnan(v); }),
      resamples.end());
  if (std::isnan(value) || resamples.empty()) return {value, kNan, kNan};
  std::sort(resamples.begin(), resamples.end());
  return {value, Quantile(resamples, (1 - level) / 2), Quantile(resamples, (1 + level) / 2)};
}

// How often each of `n` units is drawn in one resample.
void DrawCounts(size_t n, RandomStream& stream, std::vector<double>& counts) {
  counts.assign(n, 0);
  for (size_t i = 0; i < n; ++i) counts[stream.UniformInt(n)] += 1;
}

double WeightedRatio(absl::Span<const UnitRatio> units, const std::vector<double>& counts) {
  double numerator = 0, denominator = 0;
  for (size_t i = 0; i < units.size(); ++i) {
    numerator += counts[i] * units[i].numerator;
    denominator += counts[i] * units[i].denominator;
  }
  return Divide(numerator, denominator);
}

// Bootstrap of the mean over seeds of `statistic(seed, counts)`; every statistic sees the same
// images.
template <typename Statistic>
Interval BootstrapMean(size_t num_units, size_t num_seeds, const BootstrapOptions& options,
                       RandomStream& stream, const Statistic& statistic) {
  std::vector<double> counts(num_units, 1);
  double value = 0;
  for (size_t s = 0; s < num_seeds; ++s) value += statistic(s, counts);
  value /= num_seeds;
  std::vector<double> resamples(options.resamples);
  std::vector<double> of_seed(num_seeds);
  for (double& resample : resamples) {
    DrawCounts(num_units, stream, counts);
    for (size_t s = 0; s < num_seeds; ++s) of_seed[s] = statistic(s, counts);
    resample = 0;
    for (size_t s = 0; s < num_seeds; ++s) {
      resample += of_seed[num_seeds == 1 ? 0 : stream.UniformInt(num_seeds)];
    }
    resample /= num_seeds;
  }
  return FromResamples(value, std::move(resamples), options.level);
}

}  // namespace

double RatioOfSums(absl::Span<const UnitRatio> units) {
  double numerator = 0, denominator = 0;
  for (const UnitRatio& unit : units) {
    numerator += unit.numerator;
    denominator += unit.denominator;
  }
  return Divide(numerator, denominator);
}

absl::StatusOr<Interval> BootstrapRatio(absl::Span<const UnitRatio> units,
                                        const BootstrapOptions& options, RandomStream& stream) {
  const std::vector<UnitRatio> one(units.begin(), units.end());
  return BootstrapOverSeeds(absl::MakeConstSpan(&one, 1), options, stream);
}

absl::StatusOr<Interval> BootstrapPairedDifference(absl::Span<const PairedUnits> seeds,
                                                   DifferenceKind kind,
                                                   const BootstrapOptions& options,
                                                   RandomStream& stream) {
  ALIDADE_RETURN_IF_ERROR(CheckOptions(options));
  if (seeds.empty())
    return absl::InvalidArgumentError("paired bootstrap: expected at least one seed, got none");
  ALIDADE_RETURN_IF_ERROR(CheckUnits(seeds[0].model));
  for (const PairedUnits& seed : seeds) {
    ALIDADE_RETURN_IF_ERROR(CheckSameUnits(seeds[0].model, seed.model));
    ALIDADE_RETURN_IF_ERROR(CheckSameUnits(seeds[0].model, seed.baseline));
  }
  return BootstrapMean(seeds[0].model.size(), seeds.size(), options, stream,
                       [&](size_t s, const std::vector<double>& counts) {
                         const double model = WeightedRatio(seeds[s].model, counts);
                         const double baseline = WeightedRatio(seeds[s].baseline, counts);
                         return kind == DifferenceKind::kAbsolute
                                    ? model - baseline
                                    : Divide(model - baseline, baseline);
                       });
}

absl::StatusOr<Interval> BootstrapOverSeeds(absl::Span<const std::vector<UnitRatio>> seeds,
                                            const BootstrapOptions& options, RandomStream& stream) {
  ALIDADE_RETURN_IF_ERROR(CheckOptions(options));
  if (seeds.empty())
    return absl::InvalidArgumentError("bootstrap: expected at least one seed, got none");
  ALIDADE_RETURN_IF_ERROR(CheckUnits(seeds[0]));
  for (const std::vector<UnitRatio>& seed : seeds)
    ALIDADE_RETURN_IF_ERROR(CheckSameUnits(seeds[0], seed));
  return BootstrapMean(
      seeds[0].size(), seeds.size(), options, stream,
      [&](size_t s, const std::vector<double>& counts) { return WeightedRatio(seeds[s], counts); });
}

}  // namespace alidade::eval
