#include "common/models/decoders/llama.h"

#include <string>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "common/models/parameter_layout.h"
#include "common/status/status.h"

namespace alidade::models {
namespace {

// Up to this width gate and up are one product (see attention.cc).
constexpr int64_t kJoinUpToWidth = 1024;

at::Tensor Norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return at::rms_norm(x, {x.size(-1)}, weight, eps);
}

// x + down(silu(gate(y)) * up(y)): one product adds to the residual stream as it goes.
at::Tensor AddSwiGlu(const at::Tensor& x, const at::Tensor& y, const DecoderLayerWeights& layer) {
  at::Tensor gate, up;
  if (y.size(1) <= kJoinUpToWidth) {
    const std::vector<at::Tensor> parts =
        at::linear(y, at::cat({layer.gate, layer.up}, 0)).chunk(2, 1);
    gate = parts[0];
    up = parts[1];
  } else {
    gate = at::linear(y, layer.gate);
    up = at::linear(y, layer.up);
  }
  return at::addmm(x, at::silu(gate) * up, layer.down.t());
}

}  // namespace

HeadSizes DecoderHeads(const TextConfig& config) {
  return {config.num_attention_heads, config.num_key_value_heads, config.head_dim};
}

DecoderWeights DecoderWeights::Of(const TextConfig& config, const NamedTensors& parameters) {
  const std::string prefix = kDecoderPrefix;
  DecoderWeights weights;
  weights.embedding = parameters.at(prefix + "embed_tokens.weight");
  weights.norm = parameters.at(prefix + "norm.weight");
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string name = absl::StrCat(prefix, "layers.", i, ".");
    const auto get = [&](const char* suffix) { return parameters.at(name + suffix); };
    DecoderLayerWeights layer;
    layer.attention_norm = get("input_layernorm.weight");
    layer.mlp_norm = get("post_attention_layernorm.weight");
    layer.attention.q = get("self_attn.q_proj.weight");
    layer.attention.k = get("self_attn.k_proj.weight");
    layer.attention.v = get("self_attn.v_proj.weight");
    layer.attention.out = get("self_attn.o_proj.weight");
    layer.gate = get("mlp.gate_proj.weight");
    layer.up = get("mlp.up_proj.weight");
    layer.down = get("mlp.down_proj.weight");
    weights.layers.push_back(std::move(layer));
  }
  return weights;
}

at::Tensor RunDecoder(const DecoderWeights& weights, const TextConfig& config,
                      const at::Tensor& embeddings, const at::Tensor& rotation,
                      const AttentionMask& mask, KvCache* cache) {
  const int64_t rows = embeddings.size(0);
  const int64_t length = embeddings.size(1);
  const HeadSizes sizes = DecoderHeads(config);
  at::Tensor x = embeddings.reshape({rows * length, config.hidden_size});
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    const DecoderLayerWeights& layer = weights.layers[i];
    Projected heads = ProjectHeads(Norm(x, layer.attention_norm, config.rms_norm_eps), rows,
                                   layer.attention, sizes, rotation);
    if (cache != nullptr)
      std::tie(heads.k, heads.v) = cache->Append(static_cast<int64_t>(i), heads.k, heads.v);
    x = at::addmm(x, Attend(heads, mask, sizes), layer.attention.out.t());
    x = AddSwiGlu(x, Norm(x, layer.mlp_norm, config.rms_norm_eps), layer);
  }
  return Norm(x, weights.norm, config.rms_norm_eps).view({rows, length, config.hidden_size});
}

KvCache::KvCache(const TextConfig& config, const at::Tensor& padding, int64_t capacity)
    : padding_(padding), capacity_(capacity) {
  const at::TensorOptions options = padding.options().dtype(at::kFloat);
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    for (std::vector<at::Tensor>* tensors : {&keys_, &values_}) {
      tensors->push_back(at::empty(
          {config.num_key_value_heads, padding.size(0), capacity, config.head_dim}, options));
    }
  }
}

std::pair<at::Tensor, at::Tensor> KvCache::Append(int64_t layer, const at::Tensor& k,
                                                  const at::Tensor& v) {
  const int64_t columns = k.size(2);
  ALIDADE_CHECK(length_ + columns <= capacity_);
  keys_[layer].narrow(2, length_, columns).copy_(k);
  values_[layer].narrow(2, length_, columns).copy_(v);
  return {keys_[layer].narrow(2, 0, length_ + columns),
          values_[layer].narrow(2, 0, length_ + columns)};
}

void KvCache::SelectRows(const at::Tensor& indices) {
  for (std::vector<at::Tensor>* tensors : {&keys_, &values_}) {
    for (at::Tensor& tensor : *tensors) tensor = tensor.index_select(1, indices);
  }
  padding_ = padding_.index_select(0, indices);
}

}  // namespace alidade::models
