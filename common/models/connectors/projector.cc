#include "common/models/connectors/projector.h"

#include <string>

#include "ATen/ATen.h"
#include "common/models/layers/attention.h"
#include "common/models/parameter_layout.h"

namespace alidade::models {

ProjectorWeights ProjectorWeights::Of(const ConnectorConfig& config,
                                      const NamedTensors& parameters) {
  const std::string prefix = kConnectorPrefix;
  ProjectorWeights weights;
  weights.linear_1 = parameters.at(prefix + "linear_1.weight");
  if (config.multimodal_projector_bias) weights.bias_1 = parameters.at(prefix + "linear_1.bias");
  if (config.projector_type == "linear") return weights;
  weights.linear_2 = parameters.at(prefix + "linear_2.weight");
  if (config.multimodal_projector_bias) weights.bias_2 = parameters.at(prefix + "linear_2.bias");
  return weights;
}

at::Tensor Project(const ProjectorWeights& weights, const ConnectorConfig& config,
                   const at::Tensor& features) {
  const at::Tensor first = at::linear(features, weights.linear_1, weights.bias_1);
  if (config.projector_type == "linear") return first;
  return at::linear(Activate(first, config.projector_hidden_act), weights.linear_2, weights.bias_2);
}

}  // namespace alidade::models
