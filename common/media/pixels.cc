#include "common/media/pixels.h"

#include <ATen/ops/empty.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace alidade {

absl::StatusOr<at::Tensor> ToPixels(absl::Span<const Image> images,
                                    const PixelNormalisation& normalisation) {
  if (images.empty())
    return absl::InvalidArgumentError("pixels: expected at least one image, got none");
  for (int channel = 0; channel < 3; ++channel) {
    if (!(normalisation.std[channel] > 0)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "pixels: std of channel ", channel, ": expected > 0, got ", normalisation.std[channel]));
    }
  }
  const int width = images[0].width;
  const int height = images[0].height;
  const size_t plane = static_cast<size_t>(width) * height;
  for (size_t i = 0; i < images.size(); ++i) {
    const Image& image = images[i];
    if (image.width != width || image.height != height) {
      return absl::InvalidArgumentError(absl::StrCat("pixels: image ", i, ": expected ", width,
                                                     " x ", height, " like image 0, got ",
                                                     image.width, " x ", image.height));
    }
    if (plane == 0 || image.rgb.size() != 3 * plane) {
      return absl::InvalidArgumentError(absl::StrCat("pixels: image ", i, ": expected ", 3 * plane,
                                                     " bytes, got ", image.rgb.size()));
    }
  }
  at::Tensor pixels =
      at::empty({static_cast<int64_t>(images.size()), 3, height, width}, at::kFloat);
  float* out = pixels.data_ptr<float>();
  for (const Image& image : images) {
    for (int channel = 0; channel < 3; ++channel) {
      const float scale = 1 / (255 * normalisation.std[channel]);
      const float shift = -normalisation.mean[channel] / normalisation.std[channel];
      for (size_t i = 0; i < plane; ++i) *out++ = image.rgb[3 * i + channel] * scale + shift;
    }
  }
  return pixels;
}

absl::StatusOr<at::Tensor> ToPixels(absl::Span<const Image> images,
                                    const Preprocessor& preprocessor) {
  bool fits = true;
  for (const Image& image : images) {
    fits = fits && image.width == preprocessor.width && image.height == preprocessor.height;
  }
  if (fits) return ToPixels(images, preprocessor.normalisation);
  std::vector<Image> resized;
  resized.reserve(images.size());
  for (size_t i = 0; i < images.size(); ++i) {
    ALIDADE_ASSIGN_OR_RETURN(Image image,
                             Resize(images[i], preprocessor.width, preprocessor.height),
                             "pixels: image ", i);
    resized.push_back(std::move(image));
  }
  return ToPixels(resized, preprocessor.normalisation);
}

}  // namespace alidade
