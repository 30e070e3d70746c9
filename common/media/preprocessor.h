#ifndef ALIDADE_COMMON_MEDIA_PREPROCESSOR_H_
#define ALIDADE_COMMON_MEDIA_PREPROCESSOR_H_

// From a picture to a vision model's input, as preprocessor_config.json of Hugging Face says it.

#include <array>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alidade {

inline constexpr absl::string_view kPreprocessorFile = "preprocessor_config.json";

// (value / 255 - mean) / std per channel.
struct PixelNormalisation {
  std::array<float, 3> mean = {0, 0, 0};
  std::array<float, 3> std = {1, 1, 1};
  bool operator==(const PixelNormalisation&) const = default;
};

struct Preprocessor {
  int width = 0;  // pixels that the model takes; an image of another size is resized
  int height = 0;
  PixelNormalisation normalisation;
  bool operator==(const Preprocessor&) const = default;
};

// Reads size, image_mean and image_std; everything else in the file must be what is implemented
// (do_rescale by 1/255, do_normalize). Errors name file, line, field, expected and got.
absl::StatusOr<Preprocessor> LoadPreprocessor(const std::string& path);
absl::Status SavePreprocessor(const Preprocessor& preprocessor, const std::string& path);

}  // namespace alidade

#endif  // ALIDADE_COMMON_MEDIA_PREPROCESSOR_H_
