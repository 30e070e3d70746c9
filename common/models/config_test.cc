#include "common/models/config.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_replace.h"
#include "common/files/files.h"
#include "common/models/parameter_layout.h"
#include "common/models/presets.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "common/text/word_level_tokenizer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::models {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// The configuration of llava-hf/llava-1.5-7b-hf, which leaves out what equals Hugging Face's
// defaults.
constexpr char kLlava15[] = R"({
  "architectures": ["LlavaForConditionalGeneration"],
  "ignore_index": -100,
  "image_token_index": 32000,
  "model_type": "llava",
  "pad_token_id": 32001,
  "projector_hidden_act": "gelu",
  "text_config": {
    "_name_or_path": "lmsys/vicuna-7b-v1.5",
    "architectures": ["LlamaForCausalLM"],
    "max_position_embeddings": 4096,
    "model_type": "llama",
    "rms_norm_eps": 1e-05,
    "torch_dtype": "float16",
    "vocab_size": 32064
  },
  "tie_word_embeddings": false,
  "torch_dtype": "float16",
  "transformers_version": "4.36.0.dev0",
  "vision_config": {
    "hidden_size": 1024,
    "image_size": 336,
    "intermediate_size": 4096,
    "model_type": "clip_vision_model",
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
    "patch_size": 14,
    "projection_dim": 768,
    "vocab_size": 32000
  },
  "vision_feature_layer": -2,
  "vision_feature_select_strategy": "default"
})";

std::string ErrorAfter(const std::string& from, const std::string& to) {
  const std::string text = absl::StrReplaceAll(kLlava15, {{from, to}});
  EXPECT_NE(text, kLlava15) << from;
  const auto config = ParseConfig(text, "config.json");
  EXPECT_FALSE(config.ok()) << from;
  EXPECT_THAT(config.status().message(), StartsWith("config.json"));
  return std::string(config.status().message());
}

TEST(ConfigTest, ReadsALargeModel) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const MllmConfig config, ParseConfig(kLlava15, "config.json"));
  EXPECT_EQ(config.text.hidden_size, 4096);
  EXPECT_EQ(config.text.num_key_value_heads, 32);
  EXPECT_EQ(config.text.head_dim, 128);
  EXPECT_EQ(config.text.rms_norm_eps, 1e-5);
  EXPECT_EQ(config.NumImageTokens(), 576);
  // 7.06 billion: the parameters that transformers 5.24.0 counts for this configuration.
  EXPECT_EQ(NumParameters(config), 7063427072);
}

TEST(ConfigTest, TheTinyModelHasTheSizeOfTheWorld) {
  const MllmConfig config = TinyWorldConfig();
  ALIDADE_ASSERT_OK(ValidateConfig(config, "preset"));
  EXPECT_EQ(config.NumImageTokens(), 9);
  EXPECT_GT(NumParameters(config), 190'000);
  EXPECT_LT(NumParameters(config), 200'000);
}

TEST(ConfigTest, ThePresetFollowsTheTokenizer) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(
      const auto tokenizer,
      WordLevelTokenizer::Create({"<image>", "<eos>", "<bos>", "<pad>"}, {"disc"}));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const MllmConfig config, TinyWorldConfig(*tokenizer));
  EXPECT_EQ(config.text.vocab_size, 5);
  EXPECT_EQ(config.image_token_index, 0);
  EXPECT_EQ(config.text.eos_token_id, 1);
  EXPECT_EQ(config.text.pad_token_id, 3);
  ALIDADE_ASSERT_OK_AND_ASSIGN(
      const auto other, WordLevelTokenizer::Create({"<img>", "<eos>", "<bos>", "<pad>"}, {"disc"}));
  EXPECT_THAT(TinyWorldConfig(*other),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no token '<image>'")));
}

TEST(ConfigTest, FormatAndParseAreInverse) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(MllmConfig large, ParseConfig(kLlava15, "config.json"));
  MllmConfig grouped = TinyWorldConfig();
  grouped.text.num_key_value_heads = 2;
  grouped.connector.projector_type = "linear";
  grouped.connector.multimodal_projector_bias = false;
  grouped.vision.feature_layernorm = true;
  grouped.initializer = {};
  grouped.text.tie_word_embeddings = true;
  for (const MllmConfig& config : {large, TinyWorldConfig(), grouped}) {
    const std::string text = FormatConfig(config);
    EXPECT_THAT(ParseConfig(text, "config.json"), IsOkAndHolds(config)) << text;
    ALIDADE_ASSERT_OK_AND_ASSIGN(const MllmConfig again, ParseConfig(text, "config.json"));
    EXPECT_EQ(FormatConfig(again), text);
  }
}

TEST(ConfigTest, SaveAndLoad) {
  const std::string path = JoinPath(TempFolder(), "config.json");
  ALIDADE_ASSERT_OK(SaveConfig(TinyWorldConfig(), path));
  EXPECT_THAT(LoadConfig(path), IsOkAndHolds(TinyWorldConfig()));
  EXPECT_THAT(LoadConfig(path + "x"), StatusIs(absl::StatusCode::kNotFound, HasSubstr(path)));
  MllmConfig wrong = TinyWorldConfig();
  wrong.text.head_dim = 3;
  EXPECT_THAT(SaveConfig(wrong, path), StatusIs(absl::StatusCode::kInvalidArgument,
                                                HasSubstr("head_dim: expected an even number")));
}

TEST(ConfigTest, ErrorsNameFileLineFieldExpectedAndGot) {
  EXPECT_EQ(
      ErrorAfter("\"rms_norm_eps\"", "\"rms_norm_epsilon\""),
      "config.json:13: text_config.rms_norm_epsilon: unknown field; did you mean 'rms_norm_eps'?");
  EXPECT_EQ(ErrorAfter("\"image_size\": 336", "\"image_size\": \"336\""),
            "config.json:22: vision_config.image_size: expected an integer, got \"336\"");
  EXPECT_EQ(ErrorAfter("\"image_size\": 336", "\"image_size\": 0"),
            "config.json:22: vision_config.image_size: expected an integer >= 1, got 0");
  EXPECT_EQ(
      ErrorAfter("\"image_size\": 336", "\"image_size\": 337"),
      "config.json: vision_config.patch_size: expected a divisor of image_size = 337, got 14");
  EXPECT_EQ(ErrorAfter("\"clip_vision_model\"", "\"clip_vision_modle\""),
            "config.json:24: vision_config.model_type: expected one of clip_vision_model, "
            "siglip_vision_model; got "
            "\"clip_vision_modle\"; did you mean 'clip_vision_model'?");
  EXPECT_THAT(ErrorAfter("\"model_type\": \"llava\"", "\"model_type\": \"llama\""),
              HasSubstr("model_type: expected \"llava\""));
  EXPECT_THAT(ErrorAfter("\"image_token_index\": 32000", "\"image_token_index\": 40000"),
              HasSubstr("image_token_index: expected an id in [0, vocab_size = 32064), got 40000"));
  EXPECT_THAT(ErrorAfter("\"vision_feature_layer\": -2", "\"vision_feature_layer\": 25"),
              HasSubstr("vision_feature_layer: expected an index into the embeddings and 24 "
                        "blocks, in [-25, 24], got 25"));
  EXPECT_THAT(
      ErrorAfter("\"max_position_embeddings\": 4096", "\"max_position_embeddings\": 576"),
      HasSubstr(
          "max_position_embeddings: expected more than the 576 embeddings of an image, got 576"));
  EXPECT_THAT(ErrorAfter("\"text_config\"", "\"txt_config\""),
              HasSubstr("text_config: expected an object, got no such field"));
  EXPECT_THAT(ErrorAfter("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true"),
              HasSubstr("tie_word_embeddings"));
}

TEST(ConfigTest, WhatIsNotImplementedIsRefused) {
  const std::string field = "\"rms_norm_eps\": 1e-05";
  for (const char* other :
       {"\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}", "\"attention_bias\": true",
        "\"mlp_bias\": true", "\"hidden_act\": \"gelu\"", "\"attention_dropout\": 0.1",
        "\"rope_parameters\": {\"rope_type\": \"yarn\"}"}) {
    EXPECT_THAT(ErrorAfter(field, field + ", " + other), HasSubstr("expected")) << other;
  }
  EXPECT_THAT(
      ErrorAfter(field, field + ", \"num_key_value_heads\": 5"),
      HasSubstr("num_key_value_heads: expected a divisor of num_attention_heads = 32, got 5"));
}

TEST(ConfigTest, MalformedText) {
  EXPECT_THAT(ParseConfig("{\n  \"model_type\": \"llava\",\n", "config.json"),
              StatusIs(absl::StatusCode::kDataLoss, StartsWith("config.json:2:25: syntax error")));
}

}  // namespace
}  // namespace alidade::models
