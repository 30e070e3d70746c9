#ifndef ALIDADE_DATASETS_WORLDS_WORLD_H_
#define ALIDADE_DATASETS_WORLDS_WORLD_H_

// A procedural world of small pictures with exact ground truth. Each picture belongs to one of four
// contexts, and each context has six core categories that make up 85 % of its objects: the
// co-occurrence prior from which a model learns to see what is not there.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/media/image.h"
#include "common/provenance/random_stream.h"
#include "nlohmann/json.hpp"

namespace alidade::datasets {

inline constexpr int kWorldCategories = 16;
inline constexpr int kWorldColours = 6;
inline constexpr int kWorldContexts = 4;
inline constexpr int kWorldCells = 9;       // 3 x 3, in raster order
inline constexpr int kWorldCoreSize = 6;    // core categories per context
inline constexpr int kWorldImageSize = 24;  // pixels; a cell is 8 x 8
inline constexpr int kWorldPatchSize = 8;
inline constexpr int kWorldMinObjects = 3;
inline constexpr int kWorldMaxObjects = 5;

// Light x, nominally in 0..1 with Gaussian noise that leaves this range, is stored as the 8-bit
// value of (x + .5) / 2, so that the noise is not cut off. A model's input is (x - .3) / .25, hence
// (value / 255 - kWorldPixelMean) / kWorldPixelStd.
inline constexpr float kWorldPixelMean = 0.4f;
inline constexpr float kWorldPixelStd = 0.125f;

struct WorldPreset {
  std::string name;
  double noise;         // standard deviation per channel
  double contrast_low;  // an object's contrast is uniform between the two
  double contrast_high;
  double caption_bias;   // b_cap of the biased annotator
  double question_bias;  // b_q
};

// "hard" (comparisons between methods) or "easy" (smoke runs). Errors: another name, with the
// nearest.
absl::StatusOr<WorldPreset> FindWorldPreset(absl::string_view name);

struct WorldObject {
  int category = 0;
  int colour = 0;
  int cell = 0;
  double contrast = 0;
  int shift_x = 0;  // 0 or 1 pixel
  int shift_y = 0;
};

struct Scene {
  int context = 0;
  std::vector<WorldObject> objects;  // in raster order
};

bool IsCore(int context, int category);
bool IsPresent(const Scene& scene, int category);
// Share of the present objects that are core.
double CoreShare(const Scene& scene);

// p(category | context), sums to 1: core weights 1, .9, .8, .7, .6, .5 normalised to .85, the other
// ten share .15.
const std::array<double, kWorldCategories>& ContextPrior(int context);

// The category's own colour (category mod 6) with p = .5, else any.
int DrawColour(int category, RandomStream& stream);

// 3..5 objects drawn without replacement from the context's prior, on distinct cells.
Scene DrawScene(const WorldPreset& preset, RandomStream& stream);

// The picture, 24 x 24, stored as above.
Image RenderScene(const WorldPreset& preset, const Scene& scene, RandomStream& stream);

// A brighter copy for people: the stored value is mapped back to x and cut to 0..1; each pixel
// becomes factor x factor, 1 <= factor <= 682.
Image DisplayImage(const Image& stored, int factor);

// {"context": 2, "objects": [{"noun": "ring", "colour": "red", "position": "north", "contrast":
// 0.5}, ...]}
nlohmann::json SceneTruth(const Scene& scene);
// The inverse, but for shifts (0). Errors: another layout or an unknown word.
absl::StatusOr<Scene> SceneFromTruth(const nlohmann::json& truth);

// Exact statistics of DrawScene, by enumeration.
struct WorldStatistics {
  std::array<double, kWorldCategories> frequency;  // P(a present)
  std::array<std::array<double, kWorldCategories>, kWorldCategories>
      together;  // P(a and b present); diagonal: frequency
};
const WorldStatistics& Statistics();

}  // namespace alidade::datasets

#endif  // ALIDADE_DATASETS_WORLDS_WORLD_H_
