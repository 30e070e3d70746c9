#ifndef ALIDADE_COMMON_MEDIA_IMAGE_H_
#define ALIDADE_COMMON_MEDIA_IMAGE_H_

// Pictures in memory, and to and from PNG and JPEG through the FFmpeg libraries.
//
//   ALIDADE_ASSIGN_OR_RETURN(Image image, ReadImage("images/000001.png"));
//   ALIDADE_ASSIGN_OR_RETURN(std::string png, EncodePng(image));
//
// All functions may be called from several threads; each thread keeps its own codecs.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alidade {

// 8-bit RGB, row by row from the top left: rgb[(y * width + x) * 3 + channel].
struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;
};
bool operator==(const Image& a, const Image& b);

// Decodes a whole PNG or JPEG file; `name` stands in messages. Transparency is dropped, palettes
// and greys become RGB. Errors (data loss): not an image, truncated, altered (a PNG chunk's
// checksum), no pixels.
absl::StatusOr<Image> DecodeImage(absl::string_view bytes, absl::string_view name);

// Reads and decodes a file; errors as above, and of ReadFile.
absl::StatusOr<Image> ReadImage(const std::string& path);

// Lossless. Errors: an image without pixels or with rgb.size() != 3 * width * height.
absl::StatusOr<std::string> EncodePng(const Image& image);

// 4:4:4 chroma; quality 1 (smallest) .. 100 (best).
absl::StatusOr<std::string> EncodeJpeg(const Image& image, int quality);

// Bicubic resampling. Errors: no pixels, or a size outside 1..16384.
absl::StatusOr<Image> Resize(const Image& image, int width, int height);

// Every pixel becomes a factor x factor block; for showing small pictures. factor >= 1.
absl::StatusOr<Image> Enlarge(const Image& image, int factor);

}  // namespace alidade

#endif  // ALIDADE_COMMON_MEDIA_IMAGE_H_
