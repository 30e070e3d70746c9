// The world's instruction set: per image one caption and one conversation of six questions, both of
// the biased annotator.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/progress/progress.h"
#include "common/status/status.h"
#include "datasets/builders/builder.h"
#include "datasets/builders/world_shard.h"
#include "datasets/schema/dataset_writer.h"
#include "datasets/schema/records.h"
#include "datasets/worlds/language.h"
#include "datasets/worlds/world.h"

namespace alidade::datasets {
namespace {

constexpr int64_t kShardImages = 1000;
constexpr int64_t kMaxImages = 1000000;

absl::Status AddItem(const WorldPreset& preset, uint64_t seed, int64_t index, ShardImages& images,
                     Shard& shard) {
  WorldItem item(preset, "train", seed, index);
  ALIDADE_RETURN_IF_ERROR(images.Add(item, shard));
  const std::string caption = BiasedCaption(preset, item.scene, item.stream);
  shard.records.push_back(ToJsonLine(InstructionRecord{absl::StrCat(item.id, "/caption"),
                                                       item.image_name,
                                                       "caption",
                                                       {{CaptionPrompt(), caption, true}}}));
  shard.records.push_back(
      ToJsonLine(InstructionRecord{absl::StrCat(item.id, "/questions"), item.image_name,
                                   "questions", BiasedQuestions(preset, item.scene, item.stream)}));
  shard.statistics["records.caption"] += 1;
  shard.statistics["records.questions"] += 1;
  bool wrong = false;
  for (const int category : ParseCaption(caption).mentioned)
    wrong = wrong || !IsPresent(item.scene, category);
  shard.statistics["captions_with_hallucination"] += wrong;
  return absl::OkStatus();
}

class WorldInstructions : public Builder {
 public:
  std::string name() const override { return "world_instructions"; }
  int64_t version() const override { return 1; }
  std::string description() const override {
    return "Pictures of the procedural world, each with a caption and six questions and answers. "
           "The annotator leans on "
           "what usually occurs together: he adds absent objects of the picture's context and "
           "affirms them when asked. A "
           "model that learns from him hallucinates.";
  }
  std::vector<std::string> inputs() const override { return {}; }
  nlohmann::json defaults() const override { return {{"preset", "hard"}, {"images", 36000}}; }

  absl::StatusOr<nlohmann::json> Resolve(const nlohmann::json& config) const override {
    ALIDADE_ASSIGN_OR_RETURN(nlohmann::json resolved, FillDefaults(config, defaults(), name()));
    ALIDADE_RETURN_IF_ERROR(FindWorldPreset(resolved["preset"].get<std::string>()).status(), name(),
                            ": config: preset");
    const int64_t images = resolved["images"].get<int64_t>();
    if (images < 1 || images > kMaxImages) {
      return absl::InvalidArgumentError(
          absl::StrCat(name(), ": config: images: expected 1..", kMaxImages, ", got ", images));
    }
    return resolved;
  }

  absl::Status Build(const BuildRequest& request) const override {
    ALIDADE_RETURN_IF_ERROR(CheckInputs(*this, request));
    DatasetCard card;
    ALIDADE_ASSIGN_OR_RETURN(card.config, Resolve(request.config));
    card.name = absl::StrCat("world_", card.config["preset"].get<std::string>(), "_instructions");
    card.kind = std::string(kInstructions);
    card.builder = name();
    card.builder_version = version();
    card.seed = static_cast<int64_t>(request.seed);
    card.description = description();
    ALIDADE_ASSIGN_OR_RETURN(const WorldPreset preset,
                             FindWorldPreset(card.config["preset"].get<std::string>()));
    const int64_t num_images = card.config["images"].get<int64_t>();
    const int64_t num_shards = (num_images + kShardImages - 1) / kShardImages;

    ALIDADE_ASSIGN_OR_RETURN(DatasetWriter writer,
                             DatasetWriter::Start(request.folder, std::move(card), num_shards));
    if (writer.finished()) return absl::OkStatus();
    ALIDADE_ASSIGN_OR_RETURN(auto processor, WorldProcessorFiles(request.folder));
    writer.AddFiles(std::move(processor));

    std::optional<Progress> progress;
    if (!request.quiet) progress.emplace(name(), num_images, "image");
    for (int64_t shard = 0; shard < num_shards; ++shard) {
      const int64_t end = std::min(num_images, (shard + 1) * kShardImages);
      if (!writer.HasShard(shard)) {
        Shard content;
        ShardImages images;
        for (int64_t index = shard * kShardImages; index < end; ++index) {
          ALIDADE_RETURN_IF_ERROR(AddItem(preset, request.seed, index, images, content), name());
        }
        ALIDADE_RETURN_IF_ERROR(writer.WriteShard(shard, content), name());
      }
      if (progress.has_value()) progress->Update(end);
    }
    if (progress.has_value()) progress->Finish();
    return writer.Finish();
  }
};

const bool registered = RegisterBuilder(std::make_unique<WorldInstructions>());

}  // namespace
}  // namespace alidade::datasets
