// Saving and loading of models, and every file that must be refused.
#include "common/models/weights.h"

#include <limits>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/files/files.h"
#include "common/models/mllm.h"
#include "common/models/presets.h"
#include "common/models/testing_model.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::models {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kQuery[] = "language_model.model.layers.0.self_attn.q_proj.weight";

class WeightsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = TempFolder();
    weights_ = JoinPath(folder_, "model.safetensors");
    EXPECT_THAT(SaveConfig(config_, JoinPath(folder_, "config.json")), IsOk());
  }

  // The error of loading the folder with these weights; it always names the file.
  std::string ErrorOf(const NamedTensors& tensors) {
    EXPECT_THAT(SaveNamedTensors(tensors, weights_), IsOk());
    const auto model = Mllm::Load(folder_);
    EXPECT_THAT(model, StatusIs(absl::StatusCode::kDataLoss, HasSubstr(weights_)));
    return std::string(model.status().message());
  }

  MllmConfig config_ = TinyWorldConfig();
  NamedTensors tensors_ = ParametersByName(TinyWorldConfig());
  std::string folder_, weights_;
};

TEST_F(WeightsTest, ASavedModelLoadsWithTheSameBits) {
  const Mllm model = ModelByName(config_);
  ALIDADE_ASSERT_OK(model.Save(folder_));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Mllm loaded, Mllm::Load(folder_));
  EXPECT_EQ(loaded.config(), config_);
  ASSERT_EQ(loaded.parameters().size(), model.parameters().size());
  for (const auto& [name, tensor] : model.parameters())
    EXPECT_TRUE(at::equal(loaded.parameters().at(name), tensor)) << name;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadFile(weights_));
  ALIDADE_ASSERT_OK(loaded.Save(folder_));
  EXPECT_THAT(ReadFile(weights_), IsOkAndHolds(bytes));
}

TEST_F(WeightsTest, NamedTensorsKeepDtypesShapesAndMetadata) {
  const at::TensorOptions options = at::TensorOptions();
  const NamedTensors tensors = {
      {"bf16", at::arange(6, options.dtype(at::kBFloat16)).view({2, 3})},
      {"bool", at::ones({3}, options.dtype(at::kBool))},
      {"empty", at::empty({0, 4}, options.dtype(at::kFloat))},
      {"f64", at::full({}, 1.0 / 3, options.dtype(at::kDouble))},
      {"half", at::arange(4, options.dtype(at::kHalf))},
      {"i32", at::arange(4, options.dtype(at::kInt))},
      {"step", at::full({1}, int64_t{1} << 60, options.dtype(at::kLong))},
      {"strided", at::arange(12, options.dtype(at::kFloat)).view({3, 4}).t()},
      {"u8", at::arange(3, options.dtype(at::kByte))},
  };
  ALIDADE_ASSERT_OK(SaveNamedTensors(tensors, weights_, {{"epoch", "3"}}));
  SafetensorsMetadata metadata;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const NamedTensors loaded, LoadNamedTensors(weights_, &metadata));
  ASSERT_EQ(loaded.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(loaded.at(name).dtype(), tensor.dtype()) << name;
    EXPECT_TRUE(at::equal(loaded.at(name), tensor)) << name;
  }
  EXPECT_EQ(metadata.at("epoch"), "3");
  EXPECT_THAT(SaveNamedTensors({{"c", at::zeros({1}, options.dtype(at::kComplexFloat))}}, weights_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("tensor 'c': expected a dtype of the safetensors format")));
}

TEST_F(WeightsTest, HalfPrecisionNewNamesAndOldBuffersAreRead) {
  NamedTensors renamed;
  for (const auto& [name, tensor] : tensors_) {
    renamed.emplace(absl::StrReplaceAll(name, {{"vision_tower.vision_model.", "vision_tower."}}),
                    tensor.to(at::kBFloat16));
  }
  renamed.emplace("vision_tower.vision_model.embeddings.position_ids", at::arange(9));
  ALIDADE_ASSERT_OK(SaveNamedTensors(renamed, weights_));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Mllm model, Mllm::Load(folder_));
  for (const auto& [name, tensor] : model.parameters()) {
    EXPECT_TRUE(at::equal(tensor, tensors_.at(name).to(at::kBFloat16).to(at::kFloat))) << name;
  }
}

TEST_F(WeightsTest, SeveralFilesWithAnIndex) {
  NamedTensors first, second;
  std::string map;
  for (const auto& [name, tensor] : tensors_) {
    const bool in_first = first.size() < 10;
    (in_first ? first : second).emplace(name, tensor);
    absl::StrAppend(&map, map.empty() ? "" : ",\n", "    \"", name, "\": \"", in_first ? "a" : "b",
                    ".safetensors\"");
  }
  const std::string index =
      absl::StrCat("{\n  \"metadata\": {},\n  \"weight_map\": {\n", map, "}}");
  const std::string index_path = JoinPath(folder_, "model.safetensors.index.json");
  ALIDADE_ASSERT_OK(SaveNamedTensors(first, JoinPath(folder_, "a.safetensors")));
  ALIDADE_ASSERT_OK(SaveNamedTensors(second, JoinPath(folder_, "b.safetensors")));
  ALIDADE_ASSERT_OK(WriteFile(index_path, index));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Mllm model, Mllm::Load(folder_));
  EXPECT_TRUE(at::equal(model.parameters().at(kQuery), tensors_.at(kQuery)));

  const std::string moved = first.begin()->first;
  const auto entry = [&](const char* file) {
    return absl::StrCat("\"", moved, "\": \"", file, ".safetensors\"");
  };
  ALIDADE_ASSERT_OK(WriteFile(index_path, absl::StrReplaceAll(index, {{entry("a"), entry("b")}})));
  EXPECT_THAT(Mllm::Load(folder_),
              StatusIs(absl::StatusCode::kDataLoss,
                       HasSubstr(absl::StrCat("tensor '", moved,
                                              "': expected in b.safetensors, got a.safetensors"))));
  ALIDADE_ASSERT_OK(WriteFile(
      index_path, absl::StrReplaceAll(index, {{entry("a"), "\"x\": \"a.safetensors\""}})));
  EXPECT_THAT(Mllm::Load(folder_), StatusIs(absl::StatusCode::kDataLoss,
                                            HasSubstr("expected in no file, got a.safetensors")));
}

TEST_F(WeightsTest, MissingUnexpectedAndMisshapenTensors) {
  NamedTensors missing = tensors_;
  missing.erase(kQuery);
  EXPECT_THAT(ErrorOf(missing),
              HasSubstr(absl::StrCat("tensor '", kQuery,
                                     "': expected shape [64, 64], got no such tensor")));
  NamedTensors unexpected = tensors_;
  unexpected.emplace("language_model.model.layers.3.self_attn.q_proj.weight", at::zeros({64, 64}));
  EXPECT_THAT(
      ErrorOf(unexpected),
      AllOf(
          HasSubstr("unexpected tensor 'language_model.model.layers.3.self_attn.q_proj.weight'"),
          HasSubstr(
              "the nearest expected is 'language_model.model.layers.0.self_attn.q_proj.weight'")));
  NamedTensors shape = tensors_;
  shape[kQuery] = at::zeros({64, 32});
  EXPECT_THAT(ErrorOf(shape),
              HasSubstr(absl::StrCat("tensor '", kQuery,
                                     "': expected shape [64, 64] from config.json, got [64, 32]")));
}

TEST_F(WeightsTest, WrongDtypes) {
  for (const at::ScalarType dtype : {at::kLong, at::kDouble, at::kByte}) {
    NamedTensors wrong = tensors_;
    wrong[kQuery] = at::zeros({64, 64}, at::TensorOptions().dtype(dtype));
    EXPECT_THAT(ErrorOf(wrong), HasSubstr(absl::StrCat("tensor '", kQuery,
                                                       "': expected dtype F32, F16 or BF16, got ",
                                                       c10::toString(dtype))));
  }
}

TEST_F(WeightsTest, NanAndInfiniteWeights) {
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
    NamedTensors wrong = tensors_;
    wrong[kQuery] = tensors_.at(kQuery).clone();
    wrong[kQuery][2].fill_(value);
    EXPECT_THAT(
        ErrorOf(wrong),
        AllOf(HasSubstr(absl::StrCat("tensor '", kQuery, "': expected finite values, got ")),
              HasSubstr("at element 128 of 4096")));
  }
  const auto model = Mllm::FromParameters(config_, {{"x", at::zeros({1})}}, "memory");
  EXPECT_THAT(model, StatusIs(absl::StatusCode::kDataLoss, HasSubstr("memory: tensor '")));
}

TEST_F(WeightsTest, DamagedAndAbsentFiles) {
  EXPECT_THAT(Mllm::Load(folder_), StatusIs(absl::StatusCode::kNotFound, HasSubstr(weights_)));
  ALIDADE_ASSERT_OK(SaveNamedTensors(tensors_, weights_));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadFile(weights_));
  ALIDADE_ASSERT_OK(WriteFile(weights_, bytes.substr(0, bytes.size() - 5)));
  EXPECT_THAT(Mllm::Load(folder_),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("is the file cut short?")));
  ALIDADE_ASSERT_OK(WriteFile(weights_, bytes.substr(0, 100)));
  EXPECT_THAT(Mllm::Load(folder_),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("header: expected a length <= 92")));
  ALIDADE_ASSERT_OK(WriteFile(JoinPath(folder_, "config.json"), "{\"model_type\": \"llava\"}"));
  EXPECT_THAT(Mllm::Load(folder_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("config.json: vision_config: expected an object")));
}

}  // namespace
}  // namespace alidade::models
