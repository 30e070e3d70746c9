#ifndef ALIDADE_DATASETS_BUILDERS_WORLD_SHARD_H_
#define ALIDADE_DATASETS_BUILDERS_WORLD_SHARD_H_

// What the builders of world datasets share: scenes by split and index, their images, and the
// processor's files.

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/media/image.h"
#include "common/provenance/random_stream.h"
#include "datasets/schema/dataset_writer.h"
#include "datasets/schema/factors.h"
#include "datasets/worlds/world.h"

namespace alidade::datasets {

// Scene and image `index` of a split ("train", "pairs"), and the stream for whatever else is drawn
// about it. Neither depends on other images.
struct WorldItem {
  WorldItem(const WorldPreset& preset, absl::string_view split, uint64_t seed, int64_t index);

  std::string id;          // "train/012345"
  std::string image_name;  // "images/012/012345.png"
  RandomStream stream;
  Scene scene;
  Image image;
};

// The images of one shard, held in memory.
class ShardImages : public ImageProvider {
 public:
  // Encodes the image, adds it to the shard and keeps it.
  absl::Status Add(const WorldItem& item, Shard& shard);
  absl::StatusOr<Image> LoadImage(const std::string& name) const override;

 private:
  std::map<std::string, Image> images_;
};

// tokenizer.json, chat_template.json and preprocessor_config.json of the world, by name. `folder`
// gets a hidden scratch folder for a moment.
absl::StatusOr<std::map<std::string, std::string>> WorldProcessorFiles(const std::string& folder);

}  // namespace alidade::datasets

#endif  // ALIDADE_DATASETS_BUILDERS_WORLD_SHARD_H_
