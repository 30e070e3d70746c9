// Other views of an image, as objectives ask for them: "blank", "corrupted(crop)".
//
//   ALIDADE_ASSIGN_OR_RETURN(const ViewMaker* crop, FindView("corrupted", "crop"));
//   at::Tensor view = crop->make(pixels, stream);
#ifndef ALIDADE_TRAINERS_STAGES_VIEWS_VIEWS_H_
#define ALIDADE_TRAINERS_STAGES_VIEWS_VIEWS_H_

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/provenance/random_stream.h"

namespace alidade::trainers {

struct ViewMaker {
  // Whether two calls differ.
  bool random = false;
  // pixels [N, C, S, S], normalised -> a new tensor of the same shape. Images are worked on one
  // after another, so that the numbers drawn for an image do not depend on how images are batched.
  std::function<at::Tensor(const at::Tensor& pixels, RandomStream& stream)> make;
};

// "corrupted" and "crop" -> "corrupted(crop)"; a view without argument is its own name.
std::string ViewName(absl::string_view view, absl::string_view argument);

// The maker of a view, which lives as long as the process. Errors: an unknown view, with the
// nearest and all known ones.
absl::StatusOr<const ViewMaker*> FindView(absl::string_view view, absl::string_view argument);

// Adds a view by its ViewName; returns true, so that it can initialise a constant. Aborts on a name
// twice.
bool RegisterView(absl::string_view name, ViewMaker maker);

// Known names, sorted.
std::vector<std::string> ViewNames();

// "corrupted(crop)": a random part of each image, scaled up to the whole (arXiv:2406.11839 and its
// code): an area of 0.01 to 0.2 of the image, aspect ratio 3/4 to 4/3 (uniform in its logarithm),
// bilinear.
inline constexpr double kCropLow = 0.01, kCropHigh = 0.2;
inline constexpr double kCropRatio = 4.0 / 3.0;

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_STAGES_VIEWS_VIEWS_H_
