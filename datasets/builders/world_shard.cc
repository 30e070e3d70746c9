#include "datasets/builders/world_shard.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/files.h"
#include "common/status/status.h"
#include "datasets/worlds/language.h"

namespace alidade::datasets {
namespace {

constexpr int64_t kImagesPerFolder = 1000;

}  // namespace

WorldItem::WorldItem(const WorldPreset& preset, absl::string_view split, uint64_t seed,
                     int64_t index)
    : id(absl::StrFormat("%s/%06d", split, index)),
      image_name(absl::StrFormat("images/%03d/%06d.png", index / kImagesPerFolder, index)),
      stream(seed, absl::StrCat("world/", preset.name, "/", split, "/", index)),
      scene(DrawScene(preset, stream)),
      image(RenderScene(preset, scene, stream)) {}

absl::Status ShardImages::Add(const WorldItem& item, Shard& shard) {
  ALIDADE_ASSIGN_OR_RETURN(std::string png, EncodePng(item.image), item.id);
  shard.images.push_back({item.image_name, std::move(png), SceneTruth(item.scene)});
  images_[item.image_name] = item.image;
  return absl::OkStatus();
}

absl::StatusOr<Image> ShardImages::LoadImage(const std::string& name) const {
  const auto image = images_.find(name);
  if (image == images_.end())
    return absl::NotFoundError(absl::StrCat("no image '", name, "' in this shard"));
  return image->second;
}

absl::StatusOr<std::map<std::string, std::string>> WorldProcessorFiles(const std::string& folder) {
  const std::string scratch = JoinPath(folder, ".processor");
  ALIDADE_RETURN_IF_ERROR(MakeFolder(scratch));
  ALIDADE_RETURN_IF_ERROR(WriteWorldProcessor(scratch));
  std::map<std::string, std::string> files;
  for (const absl::string_view name :
       {"tokenizer.json", "chat_template.json", "preprocessor_config.json"}) {
    ALIDADE_ASSIGN_OR_RETURN(files[std::string(name)], ReadFile(JoinPath(scratch, name)));
  }
  ALIDADE_RETURN_IF_ERROR(RemoveTree(scratch));
  return files;
}

}  // namespace alidade::datasets
