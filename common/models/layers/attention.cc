#include "common/models/layers/attention.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "common/status/status.h"

namespace alidade::models {
namespace {

// Up to this width the weights of several projections are joined at run time, so that one product
// does the work of three; beyond it the copy of the weights costs more than the calls that it
// saves.
constexpr int64_t kJoinUpToWidth = 1024;
// From this many scores per head on, memory decides and the fused kernel is used; below it plain
// products are faster.
constexpr int64_t kFusedFromScores = 256 * 256;

// Rows of a weight [heads * d, H] (or bias [heads * d]) as [heads, d/2, 2, ...] with the pairs (i,
// i + d/2) together.
at::Tensor Interleaved(const at::Tensor& weight, int64_t heads, int64_t head_dim) {
  std::vector<int64_t> shape = {heads, 2, head_dim / 2};
  if (weight.dim() == 2) shape.push_back(weight.size(1));
  return weight.view(shape).transpose(1, 2);
}

at::Tensor AsPairs(const at::Tensor& weight, int64_t heads, int64_t head_dim) {
  std::vector<int64_t> shape = {heads, head_dim / 2, 2};
  if (weight.dim() == 2) shape.push_back(weight.size(1));
  return weight.view(shape);
}

// [(h + 2k) * d, ...]: the weights (or biases) of q, k and v in one, q and k interleaved if they
// will be rotated.
at::Tensor Join(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                const HeadSizes& sizes, bool rotated) {
  if (!rotated) return at::cat({q, k, v}, 0);
  const int64_t d = sizes.head_dim;
  const at::Tensor joined =
      at::cat({Interleaved(q, sizes.heads, d), Interleaved(k, sizes.kv_heads, d),
               AsPairs(v, sizes.kv_heads, d)},
              0);
  return q.dim() == 2 ? joined.view({-1, q.size(1)}) : joined.view({-1});
}

// [B * T, (h + 2k) * d] with the layout of Join.
at::Tensor ProjectJoined(const at::Tensor& x, const AttentionWeights& weights,
                         const HeadSizes& sizes, bool rotated) {
  const bool has_bias = weights.q_bias.defined();
  if (x.size(1) <= kJoinUpToWidth) {
    const at::Tensor bias =
        has_bias ? Join(weights.q_bias, weights.k_bias, weights.v_bias, sizes, rotated)
                 : at::Tensor();
    return at::linear(x, Join(weights.q, weights.k, weights.v, sizes, rotated), bias);
  }
  at::Tensor q = at::linear(x, weights.q, weights.q_bias);
  at::Tensor k = at::linear(x, weights.k, weights.k_bias);
  const at::Tensor v = at::linear(x, weights.v, weights.v_bias);
  if (rotated) {
    const int64_t half = sizes.head_dim / 2;
    q = q.view({-1, sizes.heads, 2, half})
            .transpose(2, 3)
            .reshape({-1, sizes.heads * sizes.head_dim});
    k = k.view({-1, sizes.kv_heads, 2, half})
            .transpose(2, 3)
            .reshape({-1, sizes.kv_heads * sizes.head_dim});
  }
  return at::cat({q, k, v}, 1);
}

}  // namespace

AttentionMask GeneralMask(const at::Tensor& additive, const HeadSizes& sizes) {
  AttentionMask mask;
  mask.additive = additive;
  const int64_t groups = sizes.heads / sizes.kv_heads;
  const int64_t rows = additive.size(0);
  const int64_t queries = additive.size(1);
  const int64_t keys = additive.size(2);
  mask.per_group = additive.unsqueeze(1)
                       .unsqueeze(0)
                       .expand({rows == 1 ? 1 : sizes.kv_heads, rows, groups, queries, keys})
                       .reshape({-1, groups * queries, keys});
  return mask;
}

AttentionMask CausalMask(int64_t length, const HeadSizes& sizes, const at::TensorOptions& options) {
  const double hidden = -std::numeric_limits<double>::infinity();
  AttentionMask mask = GeneralMask(at::full({1, length, length}, hidden, options).triu(1), sizes);
  mask.causal = true;
  return mask;
}

Projected ProjectHeads(const at::Tensor& x, int64_t rows, const AttentionWeights& weights,
                       const HeadSizes& sizes, const at::Tensor& rotation) {
  const int64_t d = sizes.head_dim;
  const int64_t length = x.size(0) / rows;
  const int64_t all = sizes.heads + 2 * sizes.kv_heads;
  const at::Tensor heads = ProjectJoined(x, weights, sizes, rotation.defined())
                               .view({rows, length, all, d})
                               .permute({2, 0, 1, 3})
                               .contiguous();
  if (!rotation.defined()) {
    const std::vector<at::Tensor> parts =
        heads.split_with_sizes({sizes.heads, sizes.kv_heads, sizes.kv_heads}, 0);
    return {parts[0], parts[1], parts[2]};
  }
  const int64_t turned = sizes.heads + sizes.kv_heads;
  const std::vector<at::Tensor> parts = heads.split_with_sizes({turned, sizes.kv_heads}, 0);
  const at::Tensor pairs = at::view_as_complex(parts[0].view({turned, rows, length, d / 2, 2}));
  const at::Tensor qk = at::view_as_real(pairs * rotation).view({turned, rows, length, d});
  const std::vector<at::Tensor> q_and_k = qk.split_with_sizes({sizes.heads, sizes.kv_heads}, 0);
  return {q_and_k[0], q_and_k[1], parts[1]};
}

at::Tensor Attend(const Projected& heads, const AttentionMask& mask, const HeadSizes& sizes) {
  const int64_t h = sizes.heads;
  const int64_t kv = sizes.kv_heads;
  const int64_t d = sizes.head_dim;
  const int64_t groups = h / kv;
  const int64_t rows = heads.q.size(1);
  const int64_t queries = heads.q.size(2);
  const int64_t keys = heads.k.size(2);
  if (queries * keys >= kFusedFromScores) {
    const at::Tensor k = groups == 1 ? heads.k : heads.k.repeat_interleave(groups, 0);
    const at::Tensor v = groups == 1 ? heads.v : heads.v.repeat_interleave(groups, 0);
    const bool general = mask.additive.defined() && !mask.causal;
    const auto additive = general ? std::make_optional(mask.additive.unsqueeze(0)) : std::nullopt;
    return at::scaled_dot_product_attention(heads.q, k, v, additive, /*dropout_p=*/0.0, mask.causal)
        .permute({1, 2, 0, 3})
        .reshape({rows * queries, h * d});
  }
  // The heads of a group are further queries to the group's keys.
  const at::Tensor q = groups == 1 ? heads.q.reshape({h * rows, queries, d})
                                   : heads.q.reshape({kv, groups, rows, queries, d})
                                         .permute({0, 2, 1, 3, 4})
                                         .reshape({kv * rows, groups * queries, d});
  const at::Tensor k = heads.k.reshape({kv * rows, keys, d}).transpose(1, 2);
  const at::Tensor v = heads.v.reshape({kv * rows, keys, d});
  const double scale = 1 / std::sqrt(static_cast<double>(d));
  const at::Tensor scores = mask.per_group.defined()
                                ? at::baddbmm(mask.per_group, q, k, /*beta=*/1, scale)
                                : at::bmm(q, k).mul_(scale);
  return at::bmm(scores.softmax(-1), v)
      .view({kv, rows, groups, queries, d})
      .permute({1, 3, 0, 2, 4})
      .reshape({rows * queries, h * d});
}

at::Tensor Activate(const at::Tensor& x, const std::string& name) {
  if (name == "gelu") return at::gelu(x, "none");
  if (name == "gelu_pytorch_tanh") return at::gelu(x, "tanh");
  if (name == "quick_gelu") return x * at::sigmoid(x * 1.702);
  ALIDADE_CHECK(name == "silu");  // ValidateConfig and the reader of the config know no other
  return at::silu(x);
}

at::Tensor RotationTable(int64_t length, int64_t head_dim, double theta) {
  const at::TensorOptions options = at::TensorOptions().dtype(at::kFloat);
  const at::Tensor exponents = at::arange(0, head_dim, 2, options) / static_cast<double>(head_dim);
  const at::Tensor frequencies = at::pow(at::Scalar(theta), exponents).reciprocal();
  const at::Tensor angles = at::outer(at::arange(length, options), frequencies);
  return at::complex(angles.cos(), angles.sin());
}

}  // namespace alidade::models
