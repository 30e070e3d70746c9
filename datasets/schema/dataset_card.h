#ifndef ALIDADE_DATASETS_SCHEMA_DATASET_CARD_H_
#define ALIDADE_DATASETS_SCHEMA_DATASET_CARD_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace alidade::datasets {

inline constexpr absl::string_view kInstructions = "instructions";
inline constexpr absl::string_view kPreferences = "preferences";

inline constexpr absl::string_view kCardFile = "dataset.json";
inline constexpr absl::string_view kRecordsFile = "records.jsonl";
inline constexpr absl::string_view kImagesFile = "images.jsonl";

// What a dataset says about itself: dataset.json.
struct DatasetCard {
  std::string name;
  std::string kind;  // instructions | preferences
  std::string builder;
  int64_t builder_version = 0;
  nlohmann::json config;  // resolved, as the builder got it
  int64_t seed = 0;
  std::map<std::string, std::string> inputs;  // role -> digest of what was read
  std::string description;
  int64_t num_records = 0;
  int64_t num_images = 0;
  std::map<std::string, double>
      statistics;  // e.g. "records.caption", "ties.caption", "oracle.kappa"
  // SHA-256 of records.jsonl, images.jsonl (which holds the digest of every image) and whatever
  // else a dataset brings along (tokenizer.json, ...), by file name.
  std::map<std::string, std::string> files;
};

// The text of dataset.json. Reading it gives the same card.
std::string FormatCard(const DatasetCard& card);
// Errors (data loss) name file, line, field, expected and got.
absl::StatusOr<DatasetCard> ParseCard(absl::string_view text, absl::string_view file);

// The same for people: README.md.
std::string FormatCardForPeople(const DatasetCard& card);

}  // namespace alidade::datasets

#endif  // ALIDADE_DATASETS_SCHEMA_DATASET_CARD_H_
