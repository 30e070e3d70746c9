#ifndef ALIDADE_COMMON_MEDIA_PIXELS_H_
#define ALIDADE_COMMON_MEDIA_PIXELS_H_

#include <array>

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/media/image.h"

namespace alidade {

// How a vision model wants its input: (value / 255 - mean) / std per channel.
struct PixelNormalisation {
  std::array<float, 3> mean = {0, 0, 0};
  std::array<float, 3> std = {1, 1, 1};
};

// [N, 3, height, width] f32 on the CPU. Errors: no image, images of different sizes, an image without pixels, std <= 0.
absl::StatusOr<at::Tensor> ToPixels(absl::Span<const Image> images, const PixelNormalisation& normalisation);

}  // namespace alidade

#endif  // ALIDADE_COMMON_MEDIA_PIXELS_H_
