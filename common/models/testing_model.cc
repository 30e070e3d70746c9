#include "common/models/testing_model.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/models/parameter_layout.h"
#include "common/models/presets.h"
#include "common/status/status.h"

namespace alidade::models {
namespace {

double Splitmix(uint64_t seed, uint64_t index) {
  uint64_t z = seed + (index + 1) * 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-52 - 1;
}

}  // namespace

at::Tensor FillByName(const std::string& name, const std::vector<int64_t>& shape) {
  uint64_t seed = 0xCBF29CE484222325;
  for (char c : name) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  const double mean = absl::EndsWith(name, ".weight") && absl::StrContains(name, "norm") ? 1 : 0;
  at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(at::kFloat));
  float* values = tensor.mutable_data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i)
    values[i] = static_cast<float>(mean + 0.3 * Splitmix(seed, i));
  return tensor;
}

NamedTensors ParametersByName(const MllmConfig& config) {
  NamedTensors parameters;
  for (const ParameterSpec& spec : ParameterLayout(config))
    parameters.emplace(spec.name, FillByName(spec.name, spec.shape));
  return parameters;
}

MllmConfig GroupedTinyConfig() {
  MllmConfig config = TinyWorldConfig();
  config.text.num_key_value_heads = 2;
  return config;
}

Mllm ModelByName(const MllmConfig& config) {
  absl::StatusOr<Mllm> model =
      Mllm::FromParameters(config, ParametersByName(config), "weights by name");
  ALIDADE_CHECK(model.ok());
  return *std::move(model);
}

at::Tensor PixelsByName(const MllmConfig& config, int64_t rows, const std::string& seed) {
  const VisionConfig& vision = config.vision;
  return FillByName(absl::StrCat("pixels", seed),
                    {rows, vision.num_channels, vision.image_size, vision.image_size}) /
         0.3;
}

PaddedIds PadRight(const std::vector<std::vector<int64_t>>& rows, int64_t pad_token_id) {
  size_t longest = 0;
  for (const auto& row : rows) longest = std::max(longest, row.size());
  std::vector<int64_t> ids, lengths;
  for (const auto& row : rows) {
    ids.insert(ids.end(), row.begin(), row.end());
    ids.insert(ids.end(), longest - row.size(), pad_token_id);
    lengths.push_back(static_cast<int64_t>(row.size()));
  }
  const at::TensorOptions options = at::TensorOptions().dtype(at::kLong);
  return {at::tensor(ids, options).view({static_cast<int64_t>(rows.size()), -1}),
          at::tensor(lengths, options)};
}

}  // namespace alidade::models
