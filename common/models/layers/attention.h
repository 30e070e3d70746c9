// Multi-head and grouped-query attention for encoders and decoders.
//
// Shapes: B rows, T queries, S keys, H width, h heads, k key-value heads, g = h / k heads per
// group, d width of a head.
#ifndef ALIDADE_COMMON_MODELS_LAYERS_ATTENTION_H_
#define ALIDADE_COMMON_MODELS_LAYERS_ATTENTION_H_

#include <cstdint>
#include <string>

#include "ATen/core/Tensor.h"

namespace alidade::models {

struct HeadSizes {
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
};

// Weights [out, in] and biases [out]; a bias may be undefined.
struct AttentionWeights {
  at::Tensor q, k, v, out;
  at::Tensor q_bias, k_bias, v_bias, out_bias;
};

// Which keys a query sees.
struct AttentionMask {
  bool causal =
      false;  // key s <= query t, of equally many keys and queries; `additive` says the same
  at::Tensor additive;   // [1 | B, T, S] f32, 0 or -inf; undefined: all keys
  at::Tensor per_group;  // the same for [k * B, g * T, S], broadcastable
};

// All keys up to the query's own position; T queries and keys.
AttentionMask CausalMask(int64_t length, const HeadSizes& sizes, const at::TensorOptions& options);
// From additive [B, T, S].
AttentionMask GeneralMask(const at::Tensor& additive, const HeadSizes& sizes);

// q [h, B, T, d], k and v [k, B, T, d].
struct Projected {
  at::Tensor q, k, v;
};

// x [B * T, H]. `rotation` is undefined or complex [T, d/2] or [B, T, d/2]: unit numbers by which
// the pairs (i, i + d/2) of q and k are turned (rotary embedding, arXiv:2104.09864, in Hugging
// Face's layout). Within a head q and k come out with those pairs interleaved, which changes no
// product q . k.
Projected ProjectHeads(const at::Tensor& x, int64_t rows, const AttentionWeights& weights,
                       const HeadSizes& sizes, const at::Tensor& rotation);

// softmax(q k^T / sqrt(d) + mask) v: q [h, B, T, d], k and v [k, B, S, d] -> [B * T, h * d].
at::Tensor Attend(const Projected& heads, const AttentionMask& mask, const HeadSizes& sizes);

// "gelu", "gelu_pytorch_tanh", "quick_gelu" or "silu".
at::Tensor Activate(const at::Tensor& x, const std::string& name);

// Rotations of positions 0..length-1: complex64 [length, head_dim / 2]. In f32, as Hugging Face
// computes it.
at::Tensor RotationTable(int64_t length, int64_t head_dim, double theta);

}  // namespace alidade::models

#endif  // ALIDADE_COMMON_MODELS_LAYERS_ATTENTION_H_
