#include "trainers/stages/conversations/image_store.h"

#include <utility>

#include "common/media/pixels.h"
#include "common/status/status.h"

namespace alidade::trainers {

int64_t ImageStore::Add(const std::string& name) {
  const auto [entry, added] = numbers_.emplace(name, static_cast<int64_t>(names_.size()));
  if (added) names_.push_back(name);
  return entry->second;
}

absl::StatusOr<Image> ImageStore::Decode(int64_t image) const {
  ALIDADE_ASSIGN_OR_RETURN(Image decoded, images_->LoadImage(names_[image]));
  if (decoded.width == preprocessor_.width && decoded.height == preprocessor_.height)
    return decoded;
  return Resize(decoded, preprocessor_.width, preprocessor_.height);
}

absl::Status ImageStore::Preload() {
  const int64_t image_bytes = int64_t{3} * preprocessor_.width * preprocessor_.height;
  decoded_.resize(names_.size());
  for (int64_t image = 0; image < size() && (image + 1) * image_bytes <= budget_bytes_; ++image) {
    if (!decoded_[image].rgb.empty()) continue;
    ALIDADE_ASSIGN_OR_RETURN(decoded_[image], Decode(image));
  }
  return absl::OkStatus();
}

absl::StatusOr<at::Tensor> ImageStore::Pixels(absl::Span<const int64_t> images) {
  std::vector<Image> batch;
  batch.reserve(images.size());
  for (const int64_t image : images) {
    if (image < static_cast<int64_t>(decoded_.size()) && !decoded_[image].rgb.empty()) {
      batch.push_back(decoded_[image]);
    } else {
      ALIDADE_ASSIGN_OR_RETURN(Image decoded, Decode(image));
      batch.push_back(std::move(decoded));
    }
  }
  return ToPixels(batch, preprocessor_);
}

}  // namespace alidade::trainers
