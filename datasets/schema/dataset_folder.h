#ifndef ALIDADE_DATASETS_SCHEMA_DATASET_FOLDER_H_
#define ALIDADE_DATASETS_SCHEMA_DATASET_FOLDER_H_

// A dataset on disk:
//
//   dataset.json    card: name, builder and its version, config, seed, counts, statistics, digests
//   of the other files README.md       the same card for people records.jsonl   one record per line
//   images.jsonl    one image per line: {"image": name, "sha256": digest of the file, "truth":
//   ground truth or null} images/*/*.png tokenizer.json, chat_template.json,
//   preprocessor_config.json   where the records are in a language of their own

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "datasets/schema/dataset_card.h"
#include "datasets/schema/factors.h"
#include "datasets/schema/records.h"
#include "nlohmann/json.hpp"

namespace alidade::datasets {

// One line of images.jsonl.
struct ImageEntry {
  std::string sha256;
  nlohmann::json truth;
};

// An opened dataset. Opening checks the card, records.jsonl and images.jsonl against the card's
// digests; every image is checked against its own digest when it is loaded.
class DatasetFolder : public ImageProvider {
 public:
  // Errors (data loss, with file, line and field): no card or a wrong one, a file that is missing,
  // truncated or altered (expected and got digests), a dataset without records.
  static absl::StatusOr<DatasetFolder> Open(const std::string& folder);

  const std::string& folder() const { return folder_; }
  const DatasetCard& card() const { return card_; }
  const absl::flat_hash_map<std::string, ImageEntry>& images() const { return images_; }

  // Errors: the dataset is of the other kind; a wrong record (file:line: field).
  absl::StatusOr<std::vector<InstructionRecord>> InstructionRecords() const;
  absl::StatusOr<std::vector<PreferenceRecord>> PreferenceRecords() const;

  // A file that the dataset brings along, e.g. "tokenizer.json". Errors: none of that name, missing
  // or altered.
  absl::StatusOr<std::string> LoadFile(const std::string& name) const;

  // Errors: an image that the dataset does not list, a missing, truncated or altered file.
  absl::StatusOr<Image> LoadImage(const std::string& name) const override;

 private:
  std::string folder_;
  DatasetCard card_;
  absl::flat_hash_map<std::string, ImageEntry> images_;
  std::string records_;  // text of records.jsonl
};

// Open + records in one call.
absl::StatusOr<std::vector<InstructionRecord>> ReadInstructionRecords(const std::string& folder);
absl::StatusOr<std::vector<PreferenceRecord>> ReadPreferenceRecords(const std::string& folder);

}  // namespace alidade::datasets

#endif  // ALIDADE_DATASETS_SCHEMA_DATASET_FOLDER_H_
