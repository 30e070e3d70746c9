// A multimodal language model of the LLaVA kind (arXiv:2310.03744): vision transformer, connector,
// Llama decoder. Image embeddings take the place of the image token. Tiny and 7B are the same code:
// all sizes come from the config.
//
//   ALIDADE_ASSIGN_OR_RETURN(Mllm model, Mllm::Load("model"));
//   at::Tensor features = model.EncodeImages(pixels);
//   at::Tensor hidden = model.Forward(ids, features, lengths);
//   at::Tensor logits = at::linear(hidden, model.head());
//
// Shapes: N images, B rows, T ids per row, P embeddings per image, S pixels per side, H width of
// the decoder, V vocabulary.
#ifndef ALIDADE_COMMON_MODELS_MLLM_H_
#define ALIDADE_COMMON_MODELS_MLLM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ATen/core/Tensor.h"
#include "common/models/config.h"
#include "common/provenance/random_stream.h"
#include "common/tensor/named_tensors.h"

namespace alidade::models {

class KvCache;

// A handle: copies share the parameters. Parameters are f32 leaves without requires_grad; a trainer
// sets it on those that it trains.
class Mllm {
 public:
  // Draws weights, in the order of their names. Errors: those of ValidateConfig.
  static absl::StatusOr<Mllm> Initialize(const MllmConfig& config, RandomStream& random);

  // Takes tensors by their names (f32, f16 or bf16; kept as f32). Errors name `where` and the
  // tensor: missing, unexpected (with the nearest name), wrong dtype or shape, NaN or infinite
  // values.
  static absl::StatusOr<Mllm> FromParameters(const MllmConfig& config, NamedTensors parameters,
                                             const std::string& where);

  // Reads config.json and model.safetensors of a folder, Save writes them. A saved model loads with
  // the same bits.
  static absl::StatusOr<Mllm> Load(const std::string& folder);
  absl::Status Save(const std::string& folder) const;

  // A deep copy without gradients, say a frozen reference.
  Mllm Clone() const;

  const MllmConfig& config() const;
  // By Hugging Face's names of LLaVA, e.g. "language_model.model.layers.0.self_attn.q_proj.weight".
  const NamedTensors& parameters() const;

  // pixels [N, channels, S, S] f32, normalised -> [N, P, H].
  at::Tensor EncodeImages(const at::Tensor& pixels) const;

  // What Forward wants of its arguments: shapes and dtypes, ids in [0, V) or the image token,
  // exactly one image token per row, lengths in [1, T], T - 1 + P <= max_position_embeddings (the
  // error names both numbers). Invalid argument. Without image_features (an undefined tensor) no
  // row may hold an image token.
  absl::Status CheckInputs(const at::Tensor& ids, const at::Tensor& image_features,
                           const at::Tensor& lengths) const;

  // ids [B, T] i64, right padded; image_features [B, P, H]; lengths [B] i64, ids per row that are
  // not padding -> hidden states after the final norm [B, T - 1 + P, H] (undefined image_features:
  // [B, T, H]). The state at position t predicts what stands at t + 1; an id right of the image
  // token at i stands at i - 1 + P. States of padding mean nothing. Call CheckInputs where inputs
  // come from outside; what it forbids is undefined here.
  at::Tensor Forward(const at::Tensor& ids, const at::Tensor& image_features,
                     const at::Tensor& lengths) const;

  // Output head [V, H]; logits = hidden head^T. The embedding itself when tied.
  const at::Tensor& head() const;

  // As Forward for a left-padded batch with keys and values kept in `cache`: only the new positions
  // are computed. ids [B, T]; -> [B, new positions, H]. See generation.h for the use of it.
  at::Tensor ForwardCached(const at::Tensor& ids, const at::Tensor& image_features,
                           KvCache& cache) const;

 private:
  struct Parts;
  explicit Mllm(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const Parts> parts_;
};

}  // namespace alidade::models

#endif  // ALIDADE_COMMON_MODELS_MLLM_H_
