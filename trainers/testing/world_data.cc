#include "trainers/testing/world_data.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/media/image.h"
#include "common/provenance/random_stream.h"
#include "common/status/status.h"
#include "datasets/schema/dataset_card.h"
#include "datasets/schema/dataset_writer.h"
#include "datasets/worlds/language.h"
#include "datasets/worlds/world.h"

namespace alidade::trainers {
namespace {

using datasets::Claim;
using datasets::Scene;

absl::Status WriteShard(const std::string& folder, absl::string_view kind,
                        const datasets::Shard& shard) {
  datasets::DatasetCard card;
  card.name = "test";
  card.kind = std::string(kind);
  card.builder = "test";
  card.builder_version = 1;
  card.config = nlohmann::json::object();
  card.description = "Made for a test.";
  ALIDADE_ASSIGN_OR_RETURN(datasets::DatasetWriter writer,
                           datasets::DatasetWriter::Start(folder, card, 1));
  ALIDADE_RETURN_IF_ERROR(writer.WriteShard(0, shard));
  return writer.Finish();
}

absl::StatusOr<std::string> AddPicture(const Scene& scene, int64_t number, RandomStream& stream,
                                       datasets::Shard& shard) {
  ALIDADE_ASSIGN_OR_RETURN(const datasets::WorldPreset preset, datasets::FindWorldPreset("easy"));
  ALIDADE_ASSIGN_OR_RETURN(std::string png,
                           EncodePng(datasets::RenderScene(preset, scene, stream)));
  const std::string name = absl::StrCat("images/", number, ".png");
  shard.images.push_back({name, std::move(png), datasets::SceneTruth(scene)});
  return name;
}

std::vector<Claim> TrueClaims(const Scene& scene) {
  std::vector<Claim> claims;
  for (const datasets::WorldObject& object : scene.objects)
    claims.push_back({object.cell, object.colour, object.category});
  return claims;
}

}  // namespace

absl::Status WriteWorldInstructions(const std::string& folder, int64_t images, uint64_t seed) {
  ALIDADE_ASSIGN_OR_RETURN(const datasets::WorldPreset preset, datasets::FindWorldPreset("easy"));
  RandomStream stream(seed, "test/instructions");
  datasets::Shard shard;
  for (int64_t i = 0; i < images; ++i) {
    const Scene scene = datasets::DrawScene(preset, stream);
    ALIDADE_ASSIGN_OR_RETURN(const std::string image, AddPicture(scene, i, stream, shard));
    datasets::InstructionRecord caption{absl::StrCat("caption/", i), image, "caption", {}};
    caption.turns = {
        {datasets::CaptionPrompt(), datasets::BiasedCaption(preset, scene, stream), true}};
    datasets::InstructionRecord questions{absl::StrCat("questions/", i), image, "questions", {}};
    questions.turns = datasets::BiasedQuestions(preset, scene, stream);
    shard.records.push_back(datasets::ToJsonLine(caption));
    shard.records.push_back(datasets::ToJsonLine(questions));
  }
  return WriteShard(folder, datasets::kInstructions, shard);
}

absl::Status WriteWorldPairs(const std::string& folder, int64_t images, uint64_t seed) {
  ALIDADE_ASSIGN_OR_RETURN(const datasets::WorldPreset preset, datasets::FindWorldPreset("easy"));
  RandomStream stream(seed, "test/pairs");
  datasets::Shard shard;
  for (int64_t i = 0; i < images; ++i) {
    const Scene scene = datasets::DrawScene(preset, stream);
    ALIDADE_ASSIGN_OR_RETURN(const std::string image, AddPicture(scene, i, stream, shard));
    std::vector<Claim> wrong = TrueClaims(scene);
    wrong[0].colour = (wrong[0].colour + 1) % datasets::kWorldColours;
    // Another number of tokens than the chosen one.
    if (i % 2 == 0) wrong.pop_back();
    datasets::PreferenceRecord caption;
    caption.id = absl::StrCat("caption/", i);
    caption.image = image;
    caption.prompt = datasets::CaptionPrompt();
    caption.chosen = datasets::FormatCaption(TrueClaims(scene));
    caption.rejected = datasets::FormatCaption(wrong);
    caption.kind = "caption";
    caption.annotator = "test";
    caption.chosen_score = 1;
    caption.end = true;
    shard.records.push_back(datasets::ToJsonLine(caption));
    for (int question = 0; question < 2; ++question) {
      const int category = datasets::DrawQuestionCategory(scene, stream);
      const bool present = datasets::IsPresent(scene, category);
      datasets::PreferenceRecord answer = caption;
      answer.id = absl::StrCat("yes_no/", i, "/", question);
      answer.prompt = datasets::PresencePrompt(category);
      answer.chosen = present ? "yes" : "no";
      answer.rejected = present ? "no" : "yes";
      answer.kind = "yes_no";
      answer.end = false;
      shard.records.push_back(datasets::ToJsonLine(answer));
    }
  }
  return WriteShard(folder, datasets::kPreferences, shard);
}

absl::Status WritePairRecords(const std::string& folder,
                              const std::vector<datasets::PreferenceRecord>& records) {
  ALIDADE_ASSIGN_OR_RETURN(const datasets::WorldPreset preset, datasets::FindWorldPreset("easy"));
  RandomStream stream(0, "test/records");
  datasets::Shard shard;
  ALIDADE_RETURN_IF_ERROR(
      AddPicture(datasets::DrawScene(preset, stream), 0, stream, shard).status());
  for (const datasets::PreferenceRecord& record : records)
    shard.records.push_back(datasets::ToJsonLine(record));
  return WriteShard(folder, datasets::kPreferences, shard);
}

}  // namespace alidade::trainers
