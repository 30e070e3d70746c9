#ifndef ALIDADE_COMMON_PROVENANCE_RANDOM_STREAM_H_
#define ALIDADE_COMMON_PROVENANCE_RANDOM_STREAM_H_

// Random numbers from a seed and a name. Streams of different names are independent, so that adding
// one consumer does not shift what the others draw; the same seed and name give the same numbers on
// every machine.
//
//   RandomStream order(seed, absl::StrCat("data/epoch", epoch));
//   order.Shuffle(indices);

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace alidade {

class RandomStream {
 public:
  RandomStream(uint64_t seed, absl::string_view name);

  // Uniform over all 64-bit numbers (xoshiro256**, Blackman and Vigna 2018).
  uint64_t Next();
  // Uniform in [0, 1), 53 bits.
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
  // Uniform in {0, ..., n - 1}, without bias; n > 0.
  uint64_t UniformInt(uint64_t n);
  // Standard normal (Box-Muller; both halves are used).
  double Normal();
  bool Bernoulli(double p) { return Uniform() < p; }
  // Standard Gumbel, for sampling without replacement by perturbed log-weights.
  double Gumbel();
  // An index with probability proportional to its weight; weights >= 0 with a positive sum.
  size_t Categorical(const std::vector<double>& weights);

  // Fisher-Yates.
  template <typename T>
  void Shuffle(std::vector<T>& values) {
    for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[UniformInt(i)]);
  }

  // The position in the stream, as text, for checkpoints.
  std::string SerializeState() const;
  absl::Status RestoreState(absl::string_view state);

 private:
  std::array<uint64_t, 4> state_;
  // The second half of the last Box-Muller pair, if not used yet.
  bool has_spare_ = false;
  double spare_ = 0;
};

}  // namespace alidade

#endif  // ALIDADE_COMMON_PROVENANCE_RANDOM_STREAM_H_
