#include "datasets/worlds/test_split.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status/status.h"
#include "datasets/worlds/language.h"

namespace alidade::datasets {
namespace {

constexpr uint64_t kTestSeed = 600;  // of the split, not of a run
constexpr double kTie = 1e-9;        // exact statistics that differ by less are equal

std::string ImageName(int index) { return absl::StrFormat("test/%06d.png", index); }

std::vector<int> AbsentCategories(const Scene& scene) {
  std::vector<int> absent;
  for (int category = 0; category < kWorldCategories; ++category) {
    if (!IsPresent(scene, category)) absent.push_back(category);
  }
  return absent;
}

// The kTestQuestionsPerAnswer absent categories with the largest scores; ties in random order.
std::vector<int> TopAbsent(const Scene& scene, const std::function<double(int)>& score,
                           RandomStream& stream) {
  std::vector<int> absent = AbsentCategories(scene);
  stream.Shuffle(absent);
  std::vector<int> top;
  while (top.size() < kTestQuestionsPerAnswer) {
    auto best = absent.begin();
    for (auto at = absent.begin(); at != absent.end(); ++at) {
      if (score(*at) > score(*best) + kTie) best = at;
    }
    top.push_back(*best);
    absent.erase(best);
  }
  return top;
}

double Cooccurrence(const Scene& scene, int category) {
  double sum = 0;
  for (const WorldObject& object : scene.objects) {
    sum +=
        Statistics().together[category][object.category] / Statistics().frequency[object.category];
  }
  return sum;
}

void AddImagePrompts(int index, const Scene& scene, RandomStream& stream,
                     std::vector<Prompt>& prompts) {
  const std::string image = ImageName(index);
  const std::string id = absl::StrFormat("test/%06d", index);
  prompts.push_back(MakeCaptionPrompt(scene, absl::StrCat(id, "/caption"), image));

  std::vector<int> present;
  for (const WorldObject& object : scene.objects) present.push_back(object.category);
  stream.Shuffle(present);
  present.resize(kTestQuestionsPerAnswer);

  std::vector<int> random = AbsentCategories(scene);
  stream.Shuffle(random);
  random.resize(kTestQuestionsPerAnswer);

  const std::array<std::pair<absl::string_view, std::vector<int>>, 3> groups = {{
      {"random", random},
      {"popular",
       TopAbsent(
           scene, [](int category) { return Statistics().frequency[category]; }, stream)},
      {"adversarial",
       TopAbsent(
           scene, [&](int category) { return Cooccurrence(scene, category); }, stream)},
  }};
  for (const auto& [group, absent] : groups) {
    int question = 0;
    std::vector<int> categories = present;
    categories.insert(categories.end(), absent.begin(), absent.end());
    for (const int category : categories) {
      prompts.push_back(MakePresencePrompt(scene, category,
                                           absl::StrCat(id, "/", group, "/", question++), image));
      prompts.back().group = std::string(group);
    }
  }
}

}  // namespace

absl::StatusOr<TestSplit> TestSplit::Create(absl::string_view preset_name, int num_images) {
  ALIDADE_ASSIGN_OR_RETURN(const WorldPreset preset, FindWorldPreset(preset_name));
  if (num_images < 1 || num_images > kTestImages) {
    return absl::InvalidArgumentError(
        absl::StrCat("images of the test split: expected 1..", kTestImages, ", got ", num_images));
  }
  TestSplit split;
  split.preset_ = preset.name;
  for (int index = 0; index < num_images; ++index) {
    // One stream per image, so that a part of the split is a part of the whole.
    RandomStream stream(kTestSeed, absl::StrCat("world/", preset.name, "/test/", index));
    Scene scene = DrawScene(preset, stream);
    split.images_.push_back(RenderScene(preset, scene, stream));
    AddImagePrompts(index, scene, stream, split.prompts_);
    split.scenes_.push_back(std::move(scene));
  }
  return split;
}

std::string TestSplit::name() const { return absl::StrCat("world_", preset_, "_test"); }

absl::StatusOr<std::vector<Prompt>> TestSplit::Prompts() const { return prompts_; }

absl::StatusOr<Image> TestSplit::LoadImage(const std::string& name) const {
  int index = -1;
  // "test/" digits ".png"
  const bool parsed = name.size() > 9 &&
                      absl::SimpleAtoi(absl::string_view(name).substr(5, name.size() - 9), &index);
  if (!parsed || index < 0 || index >= static_cast<int>(images_.size()) ||
      ImageName(index) != name) {
    return absl::NotFoundError(absl::StrCat("no image '", name, "' among the ", images_.size(),
                                            " of the test split; expected ", ImageName(0), " .. ",
                                            ImageName(static_cast<int>(images_.size()) - 1)));
  }
  return images_[index];
}

}  // namespace alidade::datasets
