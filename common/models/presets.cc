#include "common/models/presets.h"

#include "absl/status/statusor.h"
#include "common/models/config.h"
#include "common/status/status.h"
#include "common/text/tokenizer.h"

namespace alidade::models {

MllmConfig TinyWorldConfig() {
  constexpr int64_t kWords = 54;
  constexpr int64_t kSpecialTokens = 4;
  MllmConfig config;
  config.vision.model_type = "siglip_vision_model";
  config.vision.hidden_size = 64;
  config.vision.intermediate_size = 128;
  config.vision.num_hidden_layers = 2;
  config.vision.num_attention_heads = 4;
  config.vision.image_size = 24;
  config.vision.patch_size = 8;
  config.vision.hidden_act = "gelu_pytorch_tanh";
  config.vision.layer_norm_eps = 1e-6;
  config.connector.projector_type = "mlp";
  config.connector.vision_feature_layer = -1;
  config.connector.vision_feature_select_strategy = "full";
  config.text.vocab_size = kSpecialTokens + kWords;
  config.text.hidden_size = 64;
  config.text.intermediate_size = 88;
  config.text.num_hidden_layers = 3;
  config.text.num_attention_heads = 4;
  config.text.num_key_value_heads = 4;
  config.text.head_dim = 16;
  config.text.max_position_embeddings = 128;
  config.text.pad_token_id = 0;
  config.text.bos_token_id = 1;
  config.text.eos_token_id = 2;
  config.image_token_index = 3;
  config.initializer.embedding_std = 0.3;
  config.initializer.head_std = 0.02;
  config.initializer.weight_gain = 0.5;
  return config;
}

absl::StatusOr<MllmConfig> TinyWorldConfig(const Tokenizer& tokenizer) {
  MllmConfig config = TinyWorldConfig();
  config.text.vocab_size = tokenizer.vocab_size();
  ALIDADE_ASSIGN_OR_RETURN(config.text.pad_token_id, tokenizer.TokenId("<pad>"));
  ALIDADE_ASSIGN_OR_RETURN(config.text.bos_token_id, tokenizer.TokenId("<bos>"));
  ALIDADE_ASSIGN_OR_RETURN(config.text.eos_token_id, tokenizer.TokenId("<eos>"));
  ALIDADE_ASSIGN_OR_RETURN(config.image_token_index, tokenizer.TokenId("<image>"));
  return config;
}

}  // namespace alidade::models
