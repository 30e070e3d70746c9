// The images of a dataset as a vision model wants them.
#ifndef ALIDADE_TRAINERS_STAGES_CONVERSATIONS_IMAGE_STORE_H_
#define ALIDADE_TRAINERS_STAGES_CONVERSATIONS_IMAGE_STORE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/media/image.h"
#include "common/media/preprocessor.h"
#include "datasets/schema/factors.h"

namespace alidade::trainers {

// Numbers image names, decodes each image once and keeps it (3 bytes per pixel) as long as the
// budget lasts; images beyond it are decoded whenever they are asked for.
class ImageStore {
 public:
  static constexpr int64_t kDefaultBudgetBytes = int64_t{1} << 30;

  // `images` outlives the store.
  ImageStore(const datasets::ImageProvider* images, const Preprocessor& preprocessor,
             int64_t budget_bytes = kDefaultBudgetBytes)
      : images_(images), preprocessor_(preprocessor), budget_bytes_(budget_bytes) {}

  // The number of an image; the same for the same name.
  int64_t Add(const std::string& name);
  int64_t size() const { return static_cast<int64_t>(names_.size()); }

  // Decodes every image that the budget allows, so that a damaged one is found before training
  // starts.
  absl::Status Preload();

  // [N, 3, S, S] f32, normalised. Errors: those of ImageProvider::LoadImage, with the image's name.
  absl::StatusOr<at::Tensor> Pixels(absl::Span<const int64_t> images);

 private:
  absl::StatusOr<Image> Decode(int64_t image) const;

  const datasets::ImageProvider* images_;
  Preprocessor preprocessor_;
  int64_t budget_bytes_;
  absl::flat_hash_map<std::string, int64_t> numbers_;
  std::vector<std::string> names_;
  std::vector<Image> decoded_;  // by number; without pixels where not kept
};

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_STAGES_CONVERSATIONS_IMAGE_STORE_H_
