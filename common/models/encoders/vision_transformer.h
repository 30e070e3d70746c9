// Vision transformer with the parameters of Hugging Face's CLIP and SigLIP vision towers.
#ifndef ALIDADE_COMMON_MODELS_ENCODERS_VISION_TRANSFORMER_H_
#define ALIDADE_COMMON_MODELS_ENCODERS_VISION_TRANSFORMER_H_

#include <vector>

#include "ATen/core/Tensor.h"
#include "common/models/config.h"
#include "common/models/layers/attention.h"
#include "common/tensor/named_tensors.h"

namespace alidade::models {

struct LayerNormWeights {
  at::Tensor weight, bias;
};

struct VisionLayerWeights {
  LayerNormWeights norm1, norm2;
  AttentionWeights attention;
  at::Tensor fc1, fc1_bias, fc2, fc2_bias;
};

struct VisionWeights {
  at::Tensor patch, patch_bias, class_embedding, position;
  LayerNormWeights pre_norm, post_norm;
  std::vector<VisionLayerWeights> layers;

  // Handles to the parameters of the layout of `config`; all must be there.
  static VisionWeights Of(const VisionConfig& config, const NamedTensors& parameters);
};

// pixels [N, channels, S, S] -> features [N, P, D] of the layer that the connector chooses. Blocks
// beyond it do not run.
at::Tensor EncodeVision(const VisionWeights& weights, const VisionConfig& config,
                        const ConnectorConfig& connector, const at::Tensor& pixels);

}  // namespace alidade::models

#endif  // ALIDADE_COMMON_MODELS_ENCODERS_VISION_TRANSFORMER_H_
