#include "common/models/parameter_layout.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace alidade::models {
namespace {

class Layout {
 public:
  Layout(const InitializerConfig& initializer, double range, int64_t num_layers)
      : initializer_(initializer), range_(range), num_layers_(num_layers) {}

  // A matrix [out, in]; `ends_branch`: its result is added to the residual stream.
  void Matrix(std::string name, std::vector<int64_t> shape, bool ends_branch = false) {
    double std = range_;
    if (initializer_.weight_gain > 0) {
      int64_t fan_in = 1;
      for (size_t i = 1; i < shape.size(); ++i) fan_in *= shape[i];
      std = initializer_.weight_gain / std::sqrt(static_cast<double>(fan_in));
      if (ends_branch) std /= std::sqrt(2.0 * static_cast<double>(num_layers_));
    }
    Normal(std::move(name), std::move(shape), std);
  }
  // N(0, std), or N(0, initializer_range) when std is 0.
  void Normal(std::string name, std::vector<int64_t> shape, double std) {
    specs_.push_back({std::move(name), std::move(shape), 0, std > 0 ? std : range_});
  }
  void Constant(std::string name, int64_t size, double value) {
    specs_.push_back({std::move(name), {size}, value, 0});
  }

  void LayerNorm(const std::string& name, int64_t size) {
    Constant(name + ".weight", size, 1);
    Constant(name + ".bias", size, 0);
  }
  void Linear(const std::string& name, int64_t out, int64_t in, bool bias,
              bool ends_branch = false) {
    Matrix(name + ".weight", {out, in}, ends_branch);
    if (bias) Constant(name + ".bias", out, 0);
  }

  std::vector<ParameterSpec> Take() { return std::move(specs_); }

 private:
  InitializerConfig initializer_;
  double range_;
  int64_t num_layers_;
  std::vector<ParameterSpec> specs_;
};

std::vector<ParameterSpec> VisionLayout(const MllmConfig& config) {
  const VisionConfig& vision = config.vision;
  const int64_t width = vision.hidden_size;
  const std::string prefix = kVisionPrefix;
  Layout layout(config.initializer, vision.initializer_range, vision.num_hidden_layers);
  layout.Matrix(prefix + "embeddings.patch_embedding.weight",
                {width, vision.num_channels, vision.patch_size, vision.patch_size});
  if (vision.HasPatchBias()) layout.Constant(prefix + "embeddings.patch_embedding.bias", width, 0);
  if (vision.HasClassToken()) layout.Normal(prefix + "embeddings.class_embedding", {width}, 0);
  const int64_t num_positions = vision.NumPatches() + (vision.HasClassToken() ? 1 : 0);
  layout.Normal(prefix + "embeddings.position_embedding.weight", {num_positions, width}, 0);
  // The misspelling is Hugging Face's.
  if (vision.HasPreLayerNorm()) layout.LayerNorm(prefix + "pre_layrnorm", width);
  for (int64_t i = 0; i < vision.num_hidden_layers; ++i) {
    const std::string layer = absl::StrCat(prefix, "encoder.layers.", i, ".");
    layout.LayerNorm(layer + "layer_norm1", width);
    layout.LayerNorm(layer + "layer_norm2", width);
    for (const char* name : {"q_proj", "k_proj", "v_proj"}) {
      layout.Linear(absl::StrCat(layer, "self_attn.", name), width, width, true);
    }
    layout.Linear(layer + "self_attn.out_proj", width, width, true, true);
    layout.Linear(layer + "mlp.fc1", vision.intermediate_size, width, true);
    layout.Linear(layer + "mlp.fc2", width, vision.intermediate_size, true, true);
  }
  layout.LayerNorm(prefix + "post_layernorm", width);
  return layout.Take();
}

std::vector<ParameterSpec> ConnectorLayout(const MllmConfig& config) {
  const ConnectorConfig& connector = config.connector;
  const std::string prefix = kConnectorPrefix;
  const int64_t width = config.text.hidden_size;
  Layout layout(config.initializer, config.text.initializer_range, config.text.num_hidden_layers);
  layout.Linear(prefix + "linear_1", width, config.vision.hidden_size,
                connector.multimodal_projector_bias);
  if (connector.projector_type == "mlp")
    layout.Linear(prefix + "linear_2", width, width, connector.multimodal_projector_bias);
  return layout.Take();
}

std::vector<ParameterSpec> DecoderLayout(const MllmConfig& config) {
  const TextConfig& text = config.text;
  const std::string prefix = kDecoderPrefix;
  const int64_t width = text.hidden_size;
  Layout layout(config.initializer, text.initializer_range, text.num_hidden_layers);
  layout.Normal(prefix + "embed_tokens.weight", {text.vocab_size, width},
                config.initializer.embedding_std);
  for (int64_t i = 0; i < text.num_hidden_layers; ++i) {
    const std::string layer = absl::StrCat(prefix, "layers.", i, ".");
    layout.Constant(layer + "input_layernorm.weight", width, 1);
    layout.Constant(layer + "post_attention_layernorm.weight", width, 1);
    layout.Linear(layer + "self_attn.q_proj", text.num_attention_heads * text.head_dim, width,
                  false);
    layout.Linear(layer + "self_attn.k_proj", text.num_key_value_heads * text.head_dim, width,
                  false);
    layout.Linear(layer + "self_attn.v_proj", text.num_key_value_heads * text.head_dim, width,
                  false);
    layout.Linear(layer + "self_attn.o_proj", width, text.num_attention_heads * text.head_dim,
                  false, true);
    layout.Linear(layer + "mlp.gate_proj", text.intermediate_size, width, false);
    layout.Linear(layer + "mlp.up_proj", text.intermediate_size, width, false);
    layout.Linear(layer + "mlp.down_proj", width, text.intermediate_size, false, true);
  }
  layout.Constant(prefix + "norm.weight", width, 1);
  if (!text.tie_word_embeddings)
    layout.Normal(kHeadName, {text.vocab_size, width}, config.initializer.head_std);
  return layout.Take();
}

}  // namespace

int64_t ParameterSpec::NumElements() const {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return count;
}

std::vector<ParameterSpec> ParameterLayout(const MllmConfig& config) {
  std::vector<ParameterSpec> specs = VisionLayout(config);
  for (std::vector<ParameterSpec> part : {ConnectorLayout(config), DecoderLayout(config)}) {
    specs.insert(specs.end(), std::make_move_iterator(part.begin()),
                 std::make_move_iterator(part.end()));
  }
  std::sort(specs.begin(), specs.end(),
            [](const ParameterSpec& a, const ParameterSpec& b) { return a.name < b.name; });
  return specs;
}

int64_t NumParameters(const MllmConfig& config) {
  int64_t count = 0;
  for (const ParameterSpec& spec : ParameterLayout(config)) count += spec.NumElements();
  return count;
}

}  // namespace alidade::models
