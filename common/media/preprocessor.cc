#include "common/media/preprocessor.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/json/json_fields.h"
#include "common/status/status.h"
#include "nlohmann/json.hpp"

namespace alidade {
namespace {

constexpr int64_t kMaxSide = 16384;
constexpr double kRescale = 1.0 / 255;

void ReadChannels(JsonFields& fields, absl::string_view name, bool positive,
                  std::array<float, 3>& values) {
  const nlohmann::json* array = fields.RequiredArray(name);
  if (array == nullptr) return;
  bool fits = array->size() == 3;
  for (size_t i = 0; fits && i < 3; ++i) {
    fits = (*array)[i].is_number();
    if (!fits) break;
    const double value = (*array)[i].get<double>();
    fits = std::isfinite(value) && (!positive || value > 0);
    values[i] = static_cast<float>(value);
  }
  fields.Expect(fits, name, positive ? "three numbers > 0" : "three numbers");
}

}  // namespace

absl::StatusOr<Preprocessor> LoadPreprocessor(const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ALIDADE_ASSIGN_OR_RETURN(const JsonDocument document, ParseJson(text, path));
  Preprocessor preprocessor;
  JsonFields fields(document);
  ReadChannels(fields, "image_mean", false, preprocessor.normalisation.mean);
  ReadChannels(fields, "image_std", true, preprocessor.normalisation.std);
  fields.MustBe("do_normalize", true);
  fields.MustBe("do_rescale", true);
  fields.MustBe("do_resize", true);
  double rescale = kRescale;
  fields.Optional("rescale_factor", &rescale);
  fields.Expect(std::abs(rescale - kRescale) < 1e-6, "rescale_factor", "1/255");
  const nlohmann::json* size = fields.RequiredObject("size");
  if (size == nullptr) return fields.Finish();
  JsonFields sides(document, *size, "size");
  int64_t width = 0;
  int64_t height = 0;
  sides.Required("width", &width);
  sides.Required("height", &height);
  sides.Expect(width >= 1 && width <= kMaxSide, "width", "1..16384 pixels");
  sides.Expect(height >= 1 && height <= kMaxSide, "height", "1..16384 pixels");
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  ALIDADE_RETURN_IF_ERROR(sides.Finish());
  preprocessor.width = static_cast<int>(width);
  preprocessor.height = static_cast<int>(height);
  return preprocessor;
}

absl::Status SavePreprocessor(const Preprocessor& preprocessor, const std::string& path) {
  const nlohmann::json root = {
      {"do_normalize", true},
      {"do_rescale", true},
      {"do_resize", true},
      {"image_mean", preprocessor.normalisation.mean},
      {"image_std", preprocessor.normalisation.std},
      {"rescale_factor", kRescale},
      {"size", {{"height", preprocessor.height}, {"width", preprocessor.width}}},
  };
  return WriteFile(path, absl::StrCat(root.dump(2), "\n"));
}

}  // namespace alidade
