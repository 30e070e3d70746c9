#ifndef ALIDADE_COMMON_MEDIA_PIXELS_H_
#define ALIDADE_COMMON_MEDIA_PIXELS_H_

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/media/image.h"
#include "common/media/preprocessor.h"

namespace alidade {

// [N, 3, height, width] f32 on the CPU. Errors: no image, images of different sizes, an image
// without pixels, std <= 0.
absl::StatusOr<at::Tensor> ToPixels(absl::Span<const Image> images,
                                    const PixelNormalisation& normalisation);

// The same, with images of another size than the preprocessor's resized first.
absl::StatusOr<at::Tensor> ToPixels(absl::Span<const Image> images,
                                    const Preprocessor& preprocessor);

}  // namespace alidade

#endif  // ALIDADE_COMMON_MEDIA_PIXELS_H_
