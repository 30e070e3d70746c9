// The named random streams of a run, saved and restored together.
#ifndef ALIDADE_TRAINERS_CORE_RANDOM_STREAMS_H_
#define ALIDADE_TRAINERS_CORE_RANDOM_STREAMS_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "common/provenance/random_stream.h"
#include "nlohmann/json_fwd.hpp"

namespace alidade::trainers {

class RandomStreams {
 public:
  explicit RandomStreams(uint64_t seed) : seed_(seed) {}

  // A fresh stream of that name, which belongs to the caller. Safe in several threads.
  RandomStream At(const std::string& name) const { return RandomStream(seed_, name); }
  // The stream of that name, which goes on where it was left; it starts at its beginning when first
  // asked for.
  RandomStream& Get(const std::string& name);

  // {"<name>": "<state>", ...}.
  nlohmann::json Save() const;
  // Streams continue where they were. Errors name the stream.
  absl::Status Restore(const nlohmann::json& saved);

 private:
  uint64_t seed_;
  std::map<std::string, RandomStream> streams_;
};

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_CORE_RANDOM_STREAMS_H_
