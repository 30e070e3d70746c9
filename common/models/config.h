// Sizes and choices of a multimodal language model; config.json with the field names of Hugging
// Face's LLaVA.
//
// A file may leave out what has a default; the defaults are Hugging Face's. Fields that Hugging
// Face writes and that have no effect on the computation are accepted; a field that would change
// the computation in a way that is not implemented (say rope_scaling) must hold the value that is;
// every other field is an error with the nearest known name.
#ifndef ALIDADE_COMMON_MODELS_CONFIG_H_
#define ALIDADE_COMMON_MODELS_CONFIG_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alidade::models {

// Vision transformer (arXiv:2010.11929). model_type chooses the layout: "clip_vision_model" has a
// class token and a layer norm before the blocks, "siglip_vision_model" has neither, and a bias on
// the patch embedding. Both are pre-norm.
struct VisionConfig {
  std::string model_type = "clip_vision_model";
  int64_t hidden_size = 768;
  int64_t intermediate_size = 3072;
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;
  int64_t num_channels = 3;
  int64_t image_size = 224;               // pixels per side
  int64_t patch_size = 32;                // pixels per side
  std::string hidden_act = "quick_gelu";  // quick_gelu | gelu | gelu_pytorch_tanh
  double layer_norm_eps = 1e-5;
  double initializer_range = 0.02;
  bool feature_layernorm =
      false;  // post_layernorm over the features, which Hugging Face's LLaVA does not apply

  bool HasClassToken() const { return model_type == "clip_vision_model"; }
  bool HasPreLayerNorm() const { return model_type == "clip_vision_model"; }
  bool HasPatchBias() const { return model_type == "siglip_vision_model"; }
  int64_t NumPatches() const { return (image_size / patch_size) * (image_size / patch_size); }
  bool operator==(const VisionConfig&) const = default;
};

// Decoder of the Llama family (arXiv:2302.13971, grouped-query attention: arXiv:2305.13245).
struct TextConfig {
  int64_t vocab_size = 32000;
  int64_t hidden_size = 4096;
  int64_t intermediate_size = 11008;
  int64_t num_hidden_layers = 32;
  int64_t num_attention_heads = 32;
  int64_t num_key_value_heads = 32;
  int64_t head_dim = 128;
  int64_t max_position_embeddings = 2048;  // tokens, image embeddings included
  double rms_norm_eps = 1e-6;
  double rope_theta = 10000;
  double initializer_range = 0.02;
  bool tie_word_embeddings = false;
  int64_t pad_token_id = 0;
  int64_t bos_token_id = 1;
  int64_t eos_token_id = 2;

  bool operator==(const TextConfig&) const = default;
};

// From vision features to the decoder's embeddings.
struct ConnectorConfig {
  std::string projector_type =
      "mlp";  // mlp: linear_1, activation, linear_2 (LLaVA 1.5); linear: linear_1 (LLaVA 1)
  std::string projector_hidden_act = "gelu";  // gelu | gelu_pytorch_tanh | quick_gelu | silu
  bool multimodal_projector_bias = true;
  int64_t vision_feature_layer =
      -2;  // index into [embeddings, block 1, ..., block n]; negative counts from the end
  std::string vision_feature_select_strategy =
      "default";  // default: without the class token; full: with it

  bool operator==(const ConnectorConfig&) const = default;
};

// How weights are drawn; 0 stands for Hugging Face's N(0, initializer_range). Biases begin at 0,
// norms at 1; position and class embeddings of the vision tower always follow its
// initializer_range.
struct InitializerConfig {
  double embedding_std = 0;  // token embedding
  double head_std = 0;       // output head (untied)
  double weight_gain =
      0;  // matrices: std = gain / sqrt(fan_in); those that end a residual branch: / sqrt(2 layers)

  bool IsDefault() const { return *this == InitializerConfig{}; }
  bool operator==(const InitializerConfig&) const = default;
};

struct MllmConfig {
  VisionConfig vision;
  TextConfig text;
  ConnectorConfig connector;
  InitializerConfig initializer;
  int64_t image_token_index = 32000;

  // Embeddings per image after the connector.
  int64_t NumImageTokens() const;
  bool operator==(const MllmConfig&) const = default;
};

// Every field in its range, all sizes consistent. `where` begins the message ("config.json").
absl::Status ValidateConfig(const MllmConfig& config, absl::string_view where);

// Errors name file, line, field, expected, got and, for a name, the nearest known one.
absl::StatusOr<MllmConfig> ParseConfig(absl::string_view json, absl::string_view file);
absl::StatusOr<MllmConfig> LoadConfig(const std::string& path);
// Canonical text: all fields, sorted, two spaces of indentation. ParseConfig of it gives the config
// back.
std::string FormatConfig(const MllmConfig& config);
absl::Status SaveConfig(const MllmConfig& config, const std::string& path);

}  // namespace alidade::models

#endif  // ALIDADE_COMMON_MODELS_CONFIG_H_
