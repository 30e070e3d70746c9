#include "trainers/stages/views/views.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/registry/registry.h"

namespace alidade::trainers {
namespace {

// All pixels at the mean of the normalisation.
at::Tensor Blank(const at::Tensor& pixels, RandomStream& stream) { return at::zeros_like(pixels); }

at::Tensor CropOne(const at::Tensor& image, RandomStream& stream) {
  const int64_t height = image.size(1), width = image.size(2);
  const double area = static_cast<double>(height * width) * stream.Uniform(kCropLow, kCropHigh);
  const double ratio = std::exp(stream.Uniform(-std::log(kCropRatio), std::log(kCropRatio)));
  // An area of at most 0.2 with a ratio of at most 4/3 always fits.
  const int64_t w = std::clamp<int64_t>(std::llround(std::sqrt(area * ratio)), 1, width);
  const int64_t h = std::clamp<int64_t>(std::llround(std::sqrt(area / ratio)), 1, height);
  const int64_t top =
      static_cast<int64_t>(stream.UniformInt(static_cast<uint64_t>(height - h + 1)));
  const int64_t left =
      static_cast<int64_t>(stream.UniformInt(static_cast<uint64_t>(width - w + 1)));
  const at::Tensor part = image.narrow(1, top, h).narrow(2, left, w).unsqueeze(0);
  return at::upsample_bilinear2d(part, {height, width}, /*align_corners=*/false).squeeze(0);
}

at::Tensor Crop(const at::Tensor& pixels, RandomStream& stream) {
  std::vector<at::Tensor> views;
  for (int64_t i = 0; i < pixels.size(0); ++i) views.push_back(CropOne(pixels[i], stream));
  return at::stack(views);
}

Registry<ViewMaker>& Views() {
  static Registry<ViewMaker>* views = [] {
    auto* registry = new Registry<ViewMaker>("view");
    registry->Register("blank", {/*random=*/false, &Blank});
    registry->Register("corrupted(crop)", {/*random=*/true, &Crop});
    return registry;
  }();
  return *views;
}

}  // namespace

std::string ViewName(absl::string_view view, absl::string_view argument) {
  return argument.empty() ? std::string(view) : absl::StrCat(view, "(", argument, ")");
}

absl::StatusOr<const ViewMaker*> FindView(absl::string_view view, absl::string_view argument) {
  return Views().Find(ViewName(view, argument));
}

bool RegisterView(absl::string_view name, ViewMaker maker) {
  return Views().Register(name, std::move(maker));
}

std::vector<std::string> ViewNames() { return Views().Names(); }

}  // namespace alidade::trainers
