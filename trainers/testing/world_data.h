// Small datasets of the embedded world for the stages' tests.
#ifndef ALIDADE_TRAINERS_TESTING_WORLD_DATA_H_
#define ALIDADE_TRAINERS_TESTING_WORLD_DATA_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "datasets/schema/records.h"

namespace alidade::trainers {

// An instruction dataset: a caption and a conversation of six questions about each of `images`
// pictures.
absl::Status WriteWorldInstructions(const std::string& folder, int64_t images, uint64_t seed);

// A preference dataset: per picture one caption pair (the true caption against one with another
// colour first) and two yes/no pairs.
absl::Status WriteWorldPairs(const std::string& folder, int64_t images, uint64_t seed);

// A preference dataset with the given records, all of which share one picture, "images/0.png".
absl::Status WritePairRecords(const std::string& folder,
                              const std::vector<datasets::PreferenceRecord>& records);

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_TESTING_WORLD_DATA_H_
