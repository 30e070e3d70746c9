#include "datasets/worlds/world.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/json/json_fields.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"
#include "datasets/worlds/language.h"

namespace alidade::datasets {
namespace {

constexpr double kCoreMass = 0.85;  // rho
constexpr std::array<double, kWorldCoreSize> kCoreWeights = {1, 0.9, 0.8, 0.7, 0.6, 0.5};
constexpr double kOwnColourShare = 0.5;
constexpr int kNumSizes = kWorldMaxObjects - kWorldMinObjects + 1;

const std::vector<WorldPreset>& Presets() {
  static const auto* presets = new std::vector<WorldPreset>{
      {.name = "hard",
       .noise = 0.22,
       .contrast_low = 0.15,
       .contrast_high = 0.9,
       .caption_bias = 0.55,
       .question_bias = 0.7},
      {.name = "easy",
       .noise = 0.18,
       .contrast_low = 0.2,
       .contrast_high = 0.9,
       .caption_bias = 0.65,
       .question_bias = 0.6},
  };
  return *presets;
}

std::array<double, kWorldCategories> MakePrior(int context) {
  std::array<double, kWorldCategories> prior;
  prior.fill((1 - kCoreMass) / (kWorldCategories - kWorldCoreSize));
  const double sum = std::accumulate(kCoreWeights.begin(), kCoreWeights.end(), 0.0);
  for (int i = 0; i < kWorldCoreSize; ++i)
    prior[(4 * context + i) % kWorldCategories] = kCoreMass * kCoreWeights[i] / sum;
  return prior;
}

// Walks all ordered draws without replacement from a prior. Gumbel top-n is the same as drawing one
// after the other, each in proportion to its weight among those left.
class DrawEnumerator {
 public:
  explicit DrawEnumerator(const std::array<double, kWorldCategories>& prior) : prior_(prior) {
    for (auto& row : together) row.fill(0);
    Walk(1, 1);
  }

  // P(a and b drawn), with the number of draws uniform over 3..5.
  std::array<std::array<double, kWorldCategories>, kWorldCategories> together;

 private:
  void Walk(double probability, double mass_left) {
    const int count = static_cast<int>(drawn_.size());
    if (count >= kWorldMinObjects) {
      for (const int a : drawn_) {
        for (const int b : drawn_) together[a][b] += probability / kNumSizes;
      }
    }
    if (count == kWorldMaxObjects) return;
    for (int category = 0; category < kWorldCategories; ++category) {
      if (used_[category]) continue;
      used_[category] = true;
      drawn_.push_back(category);
      Walk(probability * prior_[category] / mass_left, mass_left - prior_[category]);
      drawn_.pop_back();
      used_[category] = false;
    }
  }

  const std::array<double, kWorldCategories>& prior_;
  std::array<bool, kWorldCategories> used_ = {};
  std::vector<int> drawn_;
};

}  // namespace

absl::StatusOr<WorldPreset> FindWorldPreset(absl::string_view name) {
  std::vector<std::string> names;
  for (const WorldPreset& preset : Presets()) {
    if (preset.name == name) return preset;
    names.push_back(preset.name);
  }
  return UnknownNameError("world preset", name, names);
}

bool IsCore(int context, int category) {
  return (category - 4 * context + kWorldCategories) % kWorldCategories < kWorldCoreSize;
}

bool IsPresent(const Scene& scene, int category) {
  return std::any_of(scene.objects.begin(), scene.objects.end(),
                     [category](const WorldObject& object) { return object.category == category; });
}

double CoreShare(const Scene& scene) {
  const auto core = std::count_if(
      scene.objects.begin(), scene.objects.end(),
      [&](const WorldObject& object) { return IsCore(scene.context, object.category); });
  return static_cast<double>(core) / scene.objects.size();
}

const std::array<double, kWorldCategories>& ContextPrior(int context) {
  static const auto* priors = new std::array<std::array<double, kWorldCategories>, kWorldContexts>{
      MakePrior(0), MakePrior(1), MakePrior(2), MakePrior(3)};
  return (*priors)[context];
}

int DrawColour(int category, RandomStream& stream) {
  if (stream.Bernoulli(kOwnColourShare)) return category % kWorldColours;
  return static_cast<int>(stream.UniformInt(kWorldColours));
}

Scene DrawScene(const WorldPreset& preset, RandomStream& stream) {
  Scene scene;
  scene.context = static_cast<int>(stream.UniformInt(kWorldContexts));
  const int count = kWorldMinObjects + static_cast<int>(stream.UniformInt(kNumSizes));

  const auto& prior = ContextPrior(scene.context);
  std::vector<std::pair<double, int>> keys;
  for (int category = 0; category < kWorldCategories; ++category) {
    keys.emplace_back(-(std::log(prior[category]) + stream.Gumbel()), category);
  }
  std::sort(keys.begin(), keys.end());

  std::vector<int> cells(kWorldCells);
  std::iota(cells.begin(), cells.end(), 0);
  stream.Shuffle(cells);

  for (int i = 0; i < count; ++i) {
    WorldObject object;
    object.category = keys[i].second;
    object.cell = cells[i];
    object.colour = DrawColour(object.category, stream);
    object.contrast = stream.Uniform(preset.contrast_low, preset.contrast_high);
    object.shift_x = stream.Bernoulli(0.1) ? 1 : 0;
    object.shift_y = stream.Bernoulli(0.1) ? 1 : 0;
    scene.objects.push_back(object);
  }
  std::sort(scene.objects.begin(), scene.objects.end(),
            [](const WorldObject& a, const WorldObject& b) { return a.cell < b.cell; });
  return scene;
}

nlohmann::json SceneTruth(const Scene& scene) {
  nlohmann::json objects = nlohmann::json::array();
  for (const WorldObject& object : scene.objects) {
    objects.push_back({{"noun", Noun(object.category)},
                       {"colour", ColourName(object.colour)},
                       {"position", PositionName(object.cell)},
                       {"contrast", object.contrast}});
  }
  return {{"context", scene.context}, {"objects", std::move(objects)}};
}

absl::StatusOr<Scene> SceneFromTruth(const nlohmann::json& truth) {
  if (!truth.is_object() || !truth.contains("context") || !truth["context"].is_number_integer() ||
      !truth.contains("objects") || !truth["objects"].is_array() || truth["objects"].empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("ground truth of a scene: expected {context, objects: [...]}, got ",
                     JsonForMessage(truth)));
  }
  Scene scene;
  const int64_t context = truth["context"].get<int64_t>();
  if (context < 0 || context >= kWorldContexts) {
    return absl::InvalidArgumentError(
        absl::StrCat("ground truth of a scene: context: expected 0..3, got ", context));
  }
  scene.context = static_cast<int>(context);
  const JsonDocument document{"ground truth of a scene", truth, {}};
  for (size_t i = 0; i < truth["objects"].size(); ++i) {
    std::string noun, colour, position;
    WorldObject object;
    JsonFields fields(document, document.root["objects"][i], absl::StrCat("objects[", i, "]"));
    fields.Required("noun", &noun);
    fields.Required("colour", &colour);
    fields.Required("position", &position);
    fields.Required("contrast", &object.contrast);
    object.category = CategoryOf(noun);
    object.colour = ColourOf(colour);
    object.cell = CellOf(position);
    fields.Expect(object.category >= 0, "noun", "a noun of the world");
    fields.Expect(object.colour >= 0, "colour", "a colour of the world");
    fields.Expect(object.cell >= 0, "position", "a position of the world");
    ALIDADE_RETURN_IF_ERROR(fields.Finish());
    scene.objects.push_back(object);
  }
  return scene;
}

const WorldStatistics& Statistics() {
  static const WorldStatistics* statistics = [] {
    // The contexts differ by a rotation of the categories, so that one enumeration serves for all.
    const DrawEnumerator draws(ContextPrior(0));
    auto* result = new WorldStatistics{};
    for (int context = 0; context < kWorldContexts; ++context) {
      for (int a = 0; a < kWorldCategories; ++a) {
        for (int b = 0; b < kWorldCategories; ++b) {
          result->together[(a + 4 * context) % kWorldCategories]
                          [(b + 4 * context) % kWorldCategories] +=
              draws.together[a][b] / kWorldContexts;
        }
      }
    }
    for (int a = 0; a < kWorldCategories; ++a) result->frequency[a] = result->together[a][a];
    return result;
  }();
  return *statistics;
}

}  // namespace alidade::datasets
