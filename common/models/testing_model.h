// Small models for tests: weights that follow from their names, so that no test needs a file of
// them.
#ifndef ALIDADE_COMMON_MODELS_TESTING_MODEL_H_
#define ALIDADE_COMMON_MODELS_TESTING_MODEL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "common/models/config.h"
#include "common/models/mllm.h"
#include "common/tensor/named_tensors.h"

namespace alidade::models {

// As golden/generate_llava_golden.py: 0.3 u with u in [-1, 1) from splitmix64 seeded by the name, 1
// + 0.3 u for norms.
at::Tensor FillByName(const std::string& name, const std::vector<int64_t>& shape);

// All parameters of a config, filled by name.
NamedTensors ParametersByName(const MllmConfig& config);

// TinyWorldConfig with 4 heads in 2 groups, filled by name.
MllmConfig GroupedTinyConfig();
Mllm ModelByName(const MllmConfig& config);

// [rows, 3, S, S] for a config, values in [-1, 1); different for each seed.
at::Tensor PixelsByName(const MllmConfig& config, int64_t rows, const std::string& seed);

// Rows of ids, right-padded with pad_token_id, and their lengths.
struct PaddedIds {
  at::Tensor ids, lengths;
};
PaddedIds PadRight(const std::vector<std::vector<int64_t>>& rows, int64_t pad_token_id);

}  // namespace alidade::models

#endif  // ALIDADE_COMMON_MODELS_TESTING_MODEL_H_
