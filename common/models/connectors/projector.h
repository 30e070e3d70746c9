// Connectors that convert: a linear map or a two-layer perceptron on every feature (LLaVA 1
// and 1.5, arXiv:2310.03744).
#ifndef ALIDADE_COMMON_MODELS_CONNECTORS_PROJECTOR_H_
#define ALIDADE_COMMON_MODELS_CONNECTORS_PROJECTOR_H_

#include "ATen/core/Tensor.h"
#include "common/models/config.h"
#include "common/tensor/named_tensors.h"

namespace alidade::models {

struct ProjectorWeights {
  at::Tensor linear_1, bias_1, linear_2, bias_2;  // linear_2 and the biases may be undefined

  static ProjectorWeights Of(const ConnectorConfig& config, const NamedTensors& parameters);
};

// features [N, P, D] -> [N, P, H].
at::Tensor Project(const ProjectorWeights& weights, const ConnectorConfig& config,
                   const at::Tensor& features);

}  // namespace alidade::models

#endif  // ALIDADE_COMMON_MODELS_CONNECTORS_PROJECTOR_H_
