#include "common/models/encoders/vision_transformer.h"

#include <string>
#include <utility>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "common/models/parameter_layout.h"

namespace alidade::models {
namespace {

LayerNormWeights NormOf(const NamedTensors& parameters, const std::string& name) {
  return {parameters.at(name + ".weight"), parameters.at(name + ".bias")};
}

at::Tensor Norm(const at::Tensor& x, const LayerNormWeights& weights, double eps) {
  return at::layer_norm(x, {x.size(-1)}, weights.weight, weights.bias, eps);
}

// Pixels of each patch in a row, as the convolution's weight has them: [N * patches, channels *
// size * size].
at::Tensor Patches(const at::Tensor& pixels, int64_t size) {
  const int64_t images = pixels.size(0);
  const int64_t channels = pixels.size(1);
  const int64_t side = pixels.size(2) / size;
  return pixels.reshape({images, channels, side, size, side, size})
      .permute({0, 2, 4, 1, 3, 5})
      .reshape({images * side * side, channels * size * size});
}

// x [N * P, D], a pre-norm block.
at::Tensor Block(const at::Tensor& x, int64_t images, const VisionLayerWeights& layer,
                 const VisionConfig& config) {
  const int64_t heads = config.num_attention_heads;
  const HeadSizes sizes{heads, heads, config.hidden_size / heads};
  const at::Tensor normed = Norm(x, layer.norm1, config.layer_norm_eps);
  const Projected projected = ProjectHeads(normed, images, layer.attention, sizes, /*rotation=*/{});
  const at::Tensor attended = Attend(projected, /*mask=*/{}, sizes);
  const at::Tensor middle = x + at::linear(attended, layer.attention.out, layer.attention.out_bias);
  const at::Tensor inner = Activate(
      at::linear(Norm(middle, layer.norm2, config.layer_norm_eps), layer.fc1, layer.fc1_bias),
      config.hidden_act);
  return middle + at::linear(inner, layer.fc2, layer.fc2_bias);
}

}  // namespace

VisionWeights VisionWeights::Of(const VisionConfig& config, const NamedTensors& parameters) {
  const std::string prefix = kVisionPrefix;
  VisionWeights weights;
  weights.patch = parameters.at(prefix + "embeddings.patch_embedding.weight");
  if (config.HasPatchBias())
    weights.patch_bias = parameters.at(prefix + "embeddings.patch_embedding.bias");
  if (config.HasClassToken())
    weights.class_embedding = parameters.at(prefix + "embeddings.class_embedding");
  weights.position = parameters.at(prefix + "embeddings.position_embedding.weight");
  if (config.HasPreLayerNorm()) weights.pre_norm = NormOf(parameters, prefix + "pre_layrnorm");
  weights.post_norm = NormOf(parameters, prefix + "post_layernorm");
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string name = absl::StrCat(prefix, "encoder.layers.", i, ".");
    const auto get = [&](const char* suffix) { return parameters.at(name + suffix); };
    VisionLayerWeights layer;
    layer.norm1 = NormOf(parameters, name + "layer_norm1");
    layer.norm2 = NormOf(parameters, name + "layer_norm2");
    layer.attention = {get("self_attn.q_proj.weight"), get("self_attn.k_proj.weight"),
                       get("self_attn.v_proj.weight"), get("self_attn.out_proj.weight"),
                       get("self_attn.q_proj.bias"),   get("self_attn.k_proj.bias"),
                       get("self_attn.v_proj.bias"),   get("self_attn.out_proj.bias")};
    layer.fc1 = get("mlp.fc1.weight");
    layer.fc1_bias = get("mlp.fc1.bias");
    layer.fc2 = get("mlp.fc2.weight");
    layer.fc2_bias = get("mlp.fc2.bias");
    weights.layers.push_back(std::move(layer));
  }
  return weights;
}

at::Tensor EncodeVision(const VisionWeights& weights, const VisionConfig& config,
                        const ConnectorConfig& connector, const at::Tensor& pixels) {
  const int64_t images = pixels.size(0);
  const int64_t width = config.hidden_size;
  at::Tensor x = at::linear(Patches(pixels, config.patch_size), weights.patch.view({width, -1}),
                            weights.patch_bias)
                     .view({images, config.NumPatches(), width});
  if (config.HasClassToken())
    x = at::cat({weights.class_embedding.expand({images, 1, width}), x}, 1);
  const int64_t positions = x.size(1);
  x = (x + weights.position).view({images * positions, width});
  if (config.HasPreLayerNorm()) x = Norm(x, weights.pre_norm, config.layer_norm_eps);
  const int64_t chosen = connector.vision_feature_layer;
  const int64_t num_blocks = chosen >= 0 ? chosen : config.num_hidden_layers + 1 + chosen;
  for (int64_t i = 0; i < num_blocks; ++i) x = Block(x, images, weights.layers[i], config);
  if (config.feature_layernorm) x = Norm(x, weights.post_norm, config.layer_norm_eps);
  x = x.view({images, positions, width});
  const bool drop_class_token =
      config.HasClassToken() && connector.vision_feature_select_strategy == "default";
  return drop_class_token ? x.slice(1, 1) : x;
}

}  // namespace alidade::models
