// Decoder of the Llama family: RMSNorm, rotary embedding, SwiGLU, grouped-query attention.
#ifndef ALIDADE_COMMON_MODELS_DECODERS_LLAMA_H_
#define ALIDADE_COMMON_MODELS_DECODERS_LLAMA_H_

#include <vector>

#include "ATen/core/Tensor.h"
#include "common/models/config.h"
#include "common/models/decoders/kv_cache.h"
#include "common/models/layers/attention.h"
#include "common/tensor/named_tensors.h"

namespace alidade::models {

struct DecoderLayerWeights {
  at::Tensor attention_norm, mlp_norm;
  AttentionWeights attention;
  at::Tensor gate, up, down;
};

struct DecoderWeights {
  at::Tensor embedding;  // [V, H]
  at::Tensor norm;
  std::vector<DecoderLayerWeights> layers;

  static DecoderWeights Of(const TextConfig& config, const NamedTensors& parameters);
};

HeadSizes DecoderHeads(const TextConfig& config);

// embeddings [B, T, H] -> states after the final norm [B, T, H]. `rotation` as in ProjectHeads.
// With a cache the keys and values of these T positions are appended to it and all that it holds is
// attended to; the caller then advances it.
at::Tensor RunDecoder(const DecoderWeights& weights, const TextConfig& config,
                      const at::Tensor& embeddings, const at::Tensor& rotation,
                      const AttentionMask& mask, KvCache* cache);

}  // namespace alidade::models

#endif  // ALIDADE_COMMON_MODELS_DECODERS_LLAMA_H_
