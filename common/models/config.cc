#include "common/models/config.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/files/files.h"
#include "common/json/json_fields.h"
#include "common/status/status.h"
#include "nlohmann/json.hpp"

namespace alidade::models {
namespace {

using nlohmann::json;

const std::vector<std::string>& VisionActivations() {
  static const auto* names =
      new std::vector<std::string>{"gelu", "gelu_pytorch_tanh", "quick_gelu"};
  return *names;
}

const std::vector<std::string>& ConnectorActivations() {
  static const auto* names =
      new std::vector<std::string>{"gelu", "gelu_pytorch_tanh", "quick_gelu", "silu"};
  return *names;
}

// What Hugging Face's configurations carry along and what changes nothing here.
void IgnoreCommonFields(JsonFields& fields) {
  for (const char* name : {"_name_or_path", "architectures", "auto_map", "transformers_version",
                           "torch_dtype", "dtype", "return_dict", "use_cache", "output_attentions",
                           "output_hidden_states", "initializer_factor", "problem_type", "id2label",
                           "label2id", "num_labels", "chunk_size_feed_forward",
                           "is_encoder_decoder", "is_decoder", "_attn_implementation_autoset"}) {
    fields.Ignore(name);
  }
}

void Positive(JsonFields& fields, const char* name, int64_t* value) {
  fields.Optional(name, value);
  fields.Expect(*value >= 1, name, "an integer >= 1");
}

void NotNegative(JsonFields& fields, const char* name, int64_t* value) {
  fields.Optional(name, value);
  fields.Expect(*value >= 0, name, "an integer >= 0");
}

void NotNegative(JsonFields& fields, const char* name, double* value) {
  fields.Optional(name, value);
  fields.Expect(*value >= 0, name, "a number >= 0");
}

absl::Status ReadVision(const JsonDocument& document, const json& object, VisionConfig* config) {
  JsonFields fields(document, object, "vision_config");
  fields.OneOf("model_type", &config->model_type, {"clip_vision_model", "siglip_vision_model"});
  if (config->model_type == "siglip_vision_model") {
    config->patch_size = 16;
    config->hidden_act = "gelu_pytorch_tanh";
    config->layer_norm_eps = 1e-6;
  }
  Positive(fields, "hidden_size", &config->hidden_size);
  Positive(fields, "intermediate_size", &config->intermediate_size);
  Positive(fields, "num_hidden_layers", &config->num_hidden_layers);
  Positive(fields, "num_attention_heads", &config->num_attention_heads);
  Positive(fields, "num_channels", &config->num_channels);
  Positive(fields, "image_size", &config->image_size);
  Positive(fields, "patch_size", &config->patch_size);
  fields.OneOf("hidden_act", &config->hidden_act, VisionActivations());
  NotNegative(fields, "layer_norm_eps", &config->layer_norm_eps);
  NotNegative(fields, "initializer_range", &config->initializer_range);
  fields.Optional("feature_layernorm", &config->feature_layernorm);
  fields.MustBe("attention_dropout", 0.0);
  fields.MustBe("dropout", 0.0);
  fields.MustBe("vision_use_head", false);
  // Of CLIP's text side, which a vision tower does not have.
  fields.Ignore("projection_dim");
  fields.Ignore("vocab_size");
  IgnoreCommonFields(fields);
  return fields.Finish();
}

// Newer configurations keep the base of the rotary embedding in an object of its own.
absl::Status ReadRope(const JsonDocument& document, const json& object, TextConfig* config) {
  JsonFields fields(document, object, "text_config.rope_parameters");
  std::string type = "default";
  fields.OneOf("rope_type", &type, {"default"});
  fields.Optional("rope_theta", &config->rope_theta);
  fields.Expect(config->rope_theta > 0, "rope_theta", "a number > 0");
  return fields.Finish();
}

absl::Status ReadText(const JsonDocument& document, const json& object, TextConfig* config) {
  JsonFields fields(document, object, "text_config");
  fields.MustBe("model_type", "llama");
  Positive(fields, "vocab_size", &config->vocab_size);
  Positive(fields, "hidden_size", &config->hidden_size);
  Positive(fields, "intermediate_size", &config->intermediate_size);
  Positive(fields, "num_hidden_layers", &config->num_hidden_layers);
  Positive(fields, "num_attention_heads", &config->num_attention_heads);
  config->num_key_value_heads = config->num_attention_heads;
  Positive(fields, "num_key_value_heads", &config->num_key_value_heads);
  config->head_dim = config->hidden_size / config->num_attention_heads;
  Positive(fields, "head_dim", &config->head_dim);
  Positive(fields, "max_position_embeddings", &config->max_position_embeddings);
  NotNegative(fields, "rms_norm_eps", &config->rms_norm_eps);
  fields.Optional("rope_theta", &config->rope_theta);
  fields.Expect(config->rope_theta > 0, "rope_theta", "a number > 0");
  NotNegative(fields, "initializer_range", &config->initializer_range);
  fields.Optional("tie_word_embeddings", &config->tie_word_embeddings);
  NotNegative(fields, "pad_token_id", &config->pad_token_id);
  NotNegative(fields, "bos_token_id", &config->bos_token_id);
  NotNegative(fields, "eos_token_id", &config->eos_token_id);
  fields.MustBe("hidden_act", "silu");
  fields.MustBe("attention_bias", false);
  fields.MustBe("mlp_bias", false);
  fields.MustBe("attention_dropout", 0.0);
  fields.MustBe("pretraining_tp", 1);
  fields.MustBe("rope_scaling", nullptr);
  const json* rope = fields.OptionalObject("rope_parameters");
  IgnoreCommonFields(fields);
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  return rope == nullptr ? absl::OkStatus() : ReadRope(document, *rope, config);
}

absl::Status ReadInitializer(const JsonDocument& document, const json& object,
                             InitializerConfig* config) {
  JsonFields fields(document, object, "initializer");
  NotNegative(fields, "embedding_std", &config->embedding_std);
  NotNegative(fields, "head_std", &config->head_std);
  NotNegative(fields, "weight_gain", &config->weight_gain);
  return fields.Finish();
}

// Reports the first field that is out of its range.
class RangeChecker {
 public:
  explicit RangeChecker(absl::string_view where) : where_(where) {}

  template <typename T>
  void Check(bool holds, absl::string_view field, absl::string_view expected, const T& got) {
    if (holds || !status_.ok()) return;
    status_ = absl::InvalidArgumentError(
        absl::StrCat(where_, ": ", field, ": expected ", expected, ", got ", got));
  }
  const absl::Status& status() const { return status_; }

 private:
  std::string where_;
  absl::Status status_;
};

void CheckVision(const VisionConfig& vision, RangeChecker& checker) {
  const auto positive = [&](absl::string_view name, int64_t value) {
    checker.Check(value >= 1, absl::StrCat("vision_config.", name), "an integer >= 1", value);
  };
  positive("hidden_size", vision.hidden_size);
  positive("intermediate_size", vision.intermediate_size);
  positive("num_hidden_layers", vision.num_hidden_layers);
  positive("num_attention_heads", vision.num_attention_heads);
  positive("num_channels", vision.num_channels);
  positive("image_size", vision.image_size);
  positive("patch_size", vision.patch_size);
  if (!checker.status().ok()) return;
  checker.Check(
      vision.hidden_size % vision.num_attention_heads == 0, "vision_config.num_attention_heads",
      absl::StrCat("a divisor of hidden_size = ", vision.hidden_size), vision.num_attention_heads);
  checker.Check(vision.image_size % vision.patch_size == 0, "vision_config.patch_size",
                absl::StrCat("a divisor of image_size = ", vision.image_size), vision.patch_size);
}

void CheckText(const TextConfig& text, RangeChecker& checker) {
  const auto positive = [&](absl::string_view name, int64_t value) {
    checker.Check(value >= 1, absl::StrCat("text_config.", name), "an integer >= 1", value);
  };
  positive("vocab_size", text.vocab_size);
  positive("hidden_size", text.hidden_size);
  positive("intermediate_size", text.intermediate_size);
  positive("num_hidden_layers", text.num_hidden_layers);
  positive("num_attention_heads", text.num_attention_heads);
  positive("num_key_value_heads", text.num_key_value_heads);
  positive("head_dim", text.head_dim);
  positive("max_position_embeddings", text.max_position_embeddings);
  if (!checker.status().ok()) return;
  checker.Check(text.num_attention_heads % text.num_key_value_heads == 0,
                "text_config.num_key_value_heads",
                absl::StrCat("a divisor of num_attention_heads = ", text.num_attention_heads),
                text.num_key_value_heads);
  checker.Check(text.head_dim % 2 == 0, "text_config.head_dim", "an even number (rotary embedding)",
                text.head_dim);
  const auto token = [&](absl::string_view name, int64_t id) {
    checker.Check(id >= 0 && id < text.vocab_size, absl::StrCat("text_config.", name),
                  absl::StrCat("an id in [0, vocab_size = ", text.vocab_size, ")"), id);
  };
  token("pad_token_id", text.pad_token_id);
  token("bos_token_id", text.bos_token_id);
  token("eos_token_id", text.eos_token_id);
}

}  // namespace

int64_t MllmConfig::NumImageTokens() const {
  const bool with_class_token =
      vision.HasClassToken() && connector.vision_feature_select_strategy == "full";
  return vision.NumPatches() + (with_class_token ? 1 : 0);
}

absl::Status ValidateConfig(const MllmConfig& config, absl::string_view where) {
  RangeChecker checker(where);
  CheckVision(config.vision, checker);
  CheckText(config.text, checker);
  if (!checker.status().ok()) return checker.status();
  const int64_t layers = config.vision.num_hidden_layers;
  const int64_t layer = config.connector.vision_feature_layer;
  checker.Check(layer >= -layers - 1 && layer <= layers, "vision_feature_layer",
                absl::StrCat("an index into the embeddings and ", layers, " blocks, in [",
                             -layers - 1, ", ", layers, "]"),
                layer);
  checker.Check(config.image_token_index >= 0 && config.image_token_index < config.text.vocab_size,
                "image_token_index",
                absl::StrCat("an id in [0, vocab_size = ", config.text.vocab_size, ")"),
                config.image_token_index);
  checker.Check(config.text.pad_token_id != config.image_token_index, "text_config.pad_token_id",
                absl::StrCat("another id than image_token_index = ", config.image_token_index),
                config.text.pad_token_id);
  checker.Check(!config.text.tie_word_embeddings || config.initializer.head_std == 0,
                "initializer.head_std", "0, as the head is tied to the embedding",
                config.initializer.head_std);
  checker.Check(config.NumImageTokens() < config.text.max_position_embeddings,
                "text_config.max_position_embeddings",
                absl::StrCat("more than the ", config.NumImageTokens(), " embeddings of an image"),
                config.text.max_position_embeddings);
  checker.Check(
      config.vision.HasClassToken() || config.connector.vision_feature_select_strategy == "full",
      "vision_feature_select_strategy", "full, as a vision tower without a class token needs",
      config.connector.vision_feature_select_strategy);
  return checker.status();
}

absl::StatusOr<MllmConfig> ParseConfig(absl::string_view text, absl::string_view file) {
  ALIDADE_ASSIGN_OR_RETURN(const JsonDocument document, ParseJson(text, file));
  MllmConfig config;
  JsonFields fields(document);
  fields.MustBe("model_type", "llava");
  const json* vision = fields.RequiredObject("vision_config");
  const json* language = fields.RequiredObject("text_config");
  const json* initializer = fields.OptionalObject("initializer");
  NotNegative(fields, "image_token_index", &config.image_token_index);
  ConnectorConfig& connector = config.connector;
  fields.OneOf("projector_type", &connector.projector_type, {"mlp", "linear"});
  fields.OneOf("projector_hidden_act", &connector.projector_hidden_act, ConnectorActivations());
  fields.Optional("multimodal_projector_bias", &connector.multimodal_projector_bias);
  fields.Optional("vision_feature_layer", &connector.vision_feature_layer);
  fields.OneOf("vision_feature_select_strategy", &connector.vision_feature_select_strategy,
               {"default", "full"});
  // The tie of the text model is what counts; the outer one may only repeat it.
  bool tie = false;
  fields.Optional("tie_word_embeddings", &tie);
  // Follows from the sizes of image and patch (Hugging Face writes its default of 576 for any
  // sizes); of losses, which the trainers compute; of the text model, where they count.
  for (const char* name : {"image_seq_length", "ignore_index", "pad_token_id", "bos_token_id",
                           "eos_token_id", "vocab_size"}) {
    fields.Ignore(name);
  }
  IgnoreCommonFields(fields);
  if (vision != nullptr && language != nullptr) {
    ALIDADE_RETURN_IF_ERROR(ReadVision(document, *vision, &config.vision));
    ALIDADE_RETURN_IF_ERROR(ReadText(document, *language, &config.text));
    if (initializer != nullptr)
      ALIDADE_RETURN_IF_ERROR(ReadInitializer(document, *initializer, &config.initializer));
    fields.Expect(!tie || config.text.tie_word_embeddings, "tie_word_embeddings",
                  "the value of text_config.tie_word_embeddings");
  }
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  ALIDADE_RETURN_IF_ERROR(ValidateConfig(config, file));
  return config;
}

absl::StatusOr<MllmConfig> LoadConfig(const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseConfig(text, path);
}

std::string FormatConfig(const MllmConfig& config) {
  const VisionConfig& vision = config.vision;
  const TextConfig& text = config.text;
  json document = {
      {"architectures", {"LlavaForConditionalGeneration"}},
      {"model_type", "llava"},
      {"image_token_index", config.image_token_index},
      {"image_seq_length", config.NumImageTokens()},
      {"projector_type", config.connector.projector_type},
      {"projector_hidden_act", config.connector.projector_hidden_act},
      {"multimodal_projector_bias", config.connector.multimodal_projector_bias},
      {"vision_feature_layer", config.connector.vision_feature_layer},
      {"vision_feature_select_strategy", config.connector.vision_feature_select_strategy},
      {"tie_word_embeddings", text.tie_word_embeddings},
  };
  document["vision_config"] = {
      {"model_type", vision.model_type},
      {"hidden_size", vision.hidden_size},
      {"intermediate_size", vision.intermediate_size},
      {"num_hidden_layers", vision.num_hidden_layers},
      {"num_attention_heads", vision.num_attention_heads},
      {"num_channels", vision.num_channels},
      {"image_size", vision.image_size},
      {"patch_size", vision.patch_size},
      {"hidden_act", vision.hidden_act},
      {"layer_norm_eps", vision.layer_norm_eps},
      {"initializer_range", vision.initializer_range},
      {"vision_use_head", false},
  };
  // Fields that Hugging Face does not know are written only where they are used.
  if (vision.feature_layernorm) document["vision_config"]["feature_layernorm"] = true;
  document["text_config"] = {
      {"model_type", "llama"},
      {"vocab_size", text.vocab_size},
      {"hidden_size", text.hidden_size},
      {"intermediate_size", text.intermediate_size},
      {"num_hidden_layers", text.num_hidden_layers},
      {"num_attention_heads", text.num_attention_heads},
      {"num_key_value_heads", text.num_key_value_heads},
      {"head_dim", text.head_dim},
      {"max_position_embeddings", text.max_position_embeddings},
      {"rms_norm_eps", text.rms_norm_eps},
      {"rope_theta", text.rope_theta},
      {"initializer_range", text.initializer_range},
      {"tie_word_embeddings", text.tie_word_embeddings},
      {"hidden_act", "silu"},
      {"pad_token_id", text.pad_token_id},
      {"bos_token_id", text.bos_token_id},
      {"eos_token_id", text.eos_token_id},
  };
  if (!config.initializer.IsDefault()) {
    document["initializer"] = {
        {"embedding_std", config.initializer.embedding_std},
        {"head_std", config.initializer.head_std},
        {"weight_gain", config.initializer.weight_gain},
    };
  }
  return document.dump(2) + "\n";
}

absl::Status SaveConfig(const MllmConfig& config, const std::string& path) {
  ALIDADE_RETURN_IF_ERROR(ValidateConfig(config, path));
  return WriteFile(path, FormatConfig(config));
}

}  // namespace alidade::models
