// Names, shapes and initial distributions of all parameters: what a model of a config consists of.
#ifndef ALIDADE_COMMON_MODELS_PARAMETER_LAYOUT_H_
#define ALIDADE_COMMON_MODELS_PARAMETER_LAYOUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "common/models/config.h"

namespace alidade::models {

// Initial values are N(mean, std); std 0 is a constant.
struct ParameterSpec {
  std::string name;
  std::vector<int64_t> shape;
  double mean = 0;
  double std = 0;

  int64_t NumElements() const;
};

// Prefixes of Hugging Face's LLaVA.
inline constexpr char kVisionPrefix[] = "vision_tower.vision_model.";
inline constexpr char kConnectorPrefix[] = "multi_modal_projector.";
inline constexpr char kDecoderPrefix[] = "language_model.model.";
inline constexpr char kHeadName[] = "language_model.lm_head.weight";

// Sorted by name.
std::vector<ParameterSpec> ParameterLayout(const MllmConfig& config);
int64_t NumParameters(const MllmConfig& config);

}  // namespace alidade::models

#endif  // ALIDADE_COMMON_MODELS_PARAMETER_LAYOUT_H_
