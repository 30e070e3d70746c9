#include "common/provenance/random_stream.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numbers>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/provenance/digest.h"
#include "common/status/status.h"

namespace alidade {

RandomStream::RandomStream(uint64_t seed, absl::string_view name) {
  Sha256 digest;
  digest.Update(absl::StrCat(seed, ":", name));
  const std::array<uint8_t, 32> bytes = digest.Bytes();
  static_assert(sizeof(state_) == sizeof(bytes));
  std::memcpy(state_.data(), bytes.data(), sizeof(state_));
}

uint64_t RandomStream::Next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t RandomStream::UniformInt(uint64_t n) {
  ALIDADE_CHECK(n > 0);
  // Numbers below 2^64 mod n would make the first residues more likely: draw again.
  const uint64_t least = (0 - n) % n;
  while (true) {
    const uint64_t value = Next();
    if (value >= least) return value % n;
  }
}

double RandomStream::Normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double radius = std::sqrt(-2 * std::log(1 - Uniform()));
  const double angle = 2 * std::numbers::pi * Uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

double RandomStream::Gumbel() {
  double u = Uniform();
  while (u == 0) u = Uniform();
  return -std::log(-std::log(u));
}

size_t RandomStream::Categorical(const std::vector<double>& weights) {
  double total = 0;
  for (double weight : weights) total += weight;
  ALIDADE_CHECK(total > 0);
  double point = Uniform() * total;
  size_t last = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    last = i;
    if (point < weights[i]) return i;
    point -= weights[i];
  }
  return last;
}

std::string RandomStream::SerializeState() const {
  return absl::StrFormat("%016x %016x %016x %016x %d %016x", state_[0], state_[1], state_[2],
                         state_[3], has_spare_, std::bit_cast<uint64_t>(spare_));
}

absl::Status RandomStream::RestoreState(absl::string_view state) {
  const std::vector<std::string> words = absl::StrSplit(state, ' ');
  const auto malformed = [&] {
    return absl::DataLossError(absl::StrCat(
        "random stream: expected a state of six words as SerializeState writes it, got '", state,
        "'"));
  };
  if (words.size() != 6 || (words[4] != "0" && words[4] != "1")) return malformed();
  std::array<uint64_t, 4> numbers;
  for (size_t i = 0; i < 4; ++i) {
    if (!absl::SimpleHexAtoi(words[i], &numbers[i])) return malformed();
  }
  uint64_t spare;
  if (!absl::SimpleHexAtoi(words[5], &spare)) return malformed();
  state_ = numbers;
  has_spare_ = words[4] == "1";
  spare_ = std::bit_cast<double>(spare);
  return absl::OkStatus();
}

}  // namespace alidade
