#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/status/status.h"
#include "datasets/worlds/world.h"

namespace alidade::datasets {
namespace {

constexpr int kMaskSize = 7;
constexpr int kClutterStrokes = 2;
constexpr int kClutterLength = 4;
constexpr float kClutterBlend = 0.3f;  // share of the stroke's colour

// Light is stored as (x + kStorageShift) * kStorageScale; world.h states the model's input that
// undoes it.
constexpr float kStorageShift = 0.5f;
constexpr float kStorageScale = 0.5f;

using Light = std::array<float, 3>;

constexpr std::array<Light, kWorldColours> kColours = {Light{1, .4f, .4f}, {.4f, 1, .4f},
                                                       {.4f, .4f, 1},      Light{.9f, .9f, .2f},
                                                       {.9f, .2f, .9f},    {.2f, .9f, .9f}};

constexpr std::array<Light, kWorldContexts> kTints = {
    Light{.08f, 0, -.08f}, {-.08f, 0, .08f}, {0, -.08f, 0}, {0, .08f, 0}};

// In the order of the categories. Any two differ in at least nine pixels.
constexpr std::array<absl::string_view, kWorldCategories> kMasks = {
    // disc, ring, square, frame
    "  ###  "
    " ##### "
    "#######"
    "#######"
    "#######"
    " ##### "
    "  ###  ",
    "  ###  "
    " ##### "
    "##   ##"
    "##   ##"
    "##   ##"
    " ##### "
    "  ###  ",
    "#######"
    "#######"
    "#######"
    "#######"
    "#######"
    "#######"
    "#######",
    "#######"
    "#     #"
    "#     #"
    "#     #"
    "#     #"
    "#     #"
    "#######",
    // plus, cross, pyramid, funnel
    "   #   "
    "   #   "
    "   #   "
    "#######"
    "   #   "
    "   #   "
    "   #   ",
    "#     #"
    " #   # "
    "  # #  "
    "   #   "
    "  # #  "
    " #   # "
    "#     #",
    "   #   "
    "   #   "
    "  ###  "
    "  ###  "
    " ##### "
    " ##### "
    "#######",
    "#######"
    " ##### "
    " ##### "
    "  ###  "
    "  ###  "
    "   #   "
    "   #   ",
    // diamond, rows, columns, L
    "   #   "
    "  ###  "
    " ##### "
    "#######"
    " ##### "
    "  ###  "
    "   #   ",
    "#######"
    "       "
    "       "
    "#######"
    "       "
    "       "
    "#######",
    "#  #  #"
    "#  #  #"
    "#  #  #"
    "#  #  #"
    "#  #  #"
    "#  #  #"
    "#  #  #",
    "##     "
    "##     "
    "##     "
    "##     "
    "##     "
    "#######"
    "#######",
    // T, U, H, checker
    "#######"
    "#######"
    "   #   "
    "   #   "
    "   #   "
    "   #   "
    "   #   ",
    "##   ##"
    "##   ##"
    "##   ##"
    "##   ##"
    "##   ##"
    "#######"
    "#######",
    "##   ##"
    "##   ##"
    "#######"
    "#######"
    "##   ##"
    "##   ##"
    "##   ##",
    "# # # #"
    " # # # "
    "# # # #"
    " # # # "
    "# # # #"
    " # # # "
    "# # # #"};

using Canvas = std::array<std::array<Light, kWorldImageSize>, kWorldImageSize>;

void Blend(Light& pixel, const Light& colour, float share) {
  for (int channel = 0; channel < 3; ++channel)
    pixel[channel] += share * (colour[channel] - pixel[channel]);
}

void PaintBackground(int context, RandomStream& stream, Canvas& canvas) {
  const float grey = .2f + .1f * static_cast<float>(stream.Uniform() - .5);
  Light background;
  for (int channel = 0; channel < 3; ++channel)
    background[channel] = grey + .5f * kTints[context][channel];
  for (auto& row : canvas) row.fill(background);
}

void PaintClutter(RandomStream& stream, Canvas& canvas) {
  for (int stroke = 0; stroke < kClutterStrokes; ++stroke) {
    const bool vertical = stream.Bernoulli(.5);
    const int width = vertical ? 1 : kClutterLength;
    const int height = vertical ? kClutterLength : 1;
    const int left = static_cast<int>(stream.UniformInt(kWorldImageSize - width + 1));
    const int top = static_cast<int>(stream.UniformInt(kWorldImageSize - height + 1));
    const Light& colour = kColours[stream.UniformInt(kWorldColours)];
    for (int y = top; y < top + height; ++y) {
      for (int x = left; x < left + width; ++x) Blend(canvas[y][x], colour, kClutterBlend);
    }
  }
}

void PaintObject(const WorldObject& object, Canvas& canvas) {
  const int left = object.cell % 3 * kWorldPatchSize + object.shift_x;
  const int top = object.cell / 3 * kWorldPatchSize + object.shift_y;
  const absl::string_view mask = kMasks[object.category];
  for (int y = 0; y < kMaskSize; ++y) {
    for (int x = 0; x < kMaskSize; ++x) {
      if (mask[y * kMaskSize + x] == '#') {
        Blend(canvas[top + y][left + x], kColours[object.colour],
              static_cast<float>(object.contrast));
      }
    }
  }
}

uint8_t ToByte(float share) {
  return static_cast<uint8_t>(std::lround(255 * std::clamp(share, 0.f, 1.f)));
}

}  // namespace

Image RenderScene(const WorldPreset& preset, const Scene& scene, RandomStream& stream) {
  Canvas canvas;
  PaintBackground(scene.context, stream, canvas);
  PaintClutter(stream, canvas);
  for (const WorldObject& object : scene.objects) PaintObject(object, canvas);

  Image image{kWorldImageSize, kWorldImageSize, {}};
  image.rgb.reserve(3 * kWorldImageSize * kWorldImageSize);
  for (const auto& row : canvas) {
    for (const Light& pixel : row) {
      for (const float value : pixel) {
        const float noisy = value + static_cast<float>(preset.noise * stream.Normal());
        image.rgb.push_back(ToByte((noisy + kStorageShift) * kStorageScale));
      }
    }
  }
  return image;
}

Image DisplayImage(const Image& stored, int factor) {
  Image light = stored;
  for (uint8_t& value : light.rgb) value = ToByte(value / 255.f / kStorageScale - kStorageShift);
  absl::StatusOr<Image> large = Enlarge(light, factor);
  ALIDADE_CHECK(large.ok());  // `factor` is the caller's constant
  return *std::move(large);
}

}  // namespace alidade::datasets
