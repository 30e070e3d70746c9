#include "common/models/mllm.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/json/json_fields.h"
#include "common/models/config.h"
#include "common/models/decoders/kv_cache.h"
#include "common/models/generation.h"
#include "common/models/layers/attention.h"
#include "common/models/presets.h"
#include "common/models/testing_model.h"
#include "common/provenance/random_stream.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace alidade::models {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

// Two orders of the same f32 sums over a few hundred terms.
constexpr double kSumOrder = 1e-5;
// f32 against another implementation's f32, both rounded over some ten layers.
constexpr double kOtherImplementation = 1e-5;

double Distance(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  return ((a - b).norm() / b.norm()).item<double>();
}

at::Tensor Logits(const Mllm& model, const at::Tensor& hidden) {
  return at::linear(hidden, model.head());
}

// Hidden states of one row, by itself.
at::Tensor HiddenOf(const Mllm& model, const std::vector<int64_t>& ids,
                    const at::Tensor& features) {
  const PaddedIds padded = PadRight({ids}, 0);
  EXPECT_THAT(model.CheckInputs(padded.ids, features, padded.lengths), IsOk());
  return model.Forward(padded.ids, features, padded.lengths)[0];
}

// golden/llava_golden.json is Hugging Face's; its generator says which versions made it.
TEST(MllmTest, AgreesWithHuggingFacesLlava) {
  const std::string path = "common/models/golden/llava_golden.json";
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile(path));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const JsonDocument golden, ParseJson(text, path));
  ASSERT_EQ(golden.root.size(), 2);
  for (const nlohmann::json& entry : golden.root) {
    ALIDADE_ASSERT_OK_AND_ASSIGN(const MllmConfig config,
                                 ParseConfig(entry["config"].dump(), "golden"));
    const Mllm model = ModelByName(config);
    const at::Tensor features = model.EncodeImages(PixelsByName(config, 1, ""));
    const auto prompt = entry["prompt"].get<std::vector<int64_t>>();
    const at::Tensor logits = Logits(model, HiddenOf(model, prompt, features));
    const auto rows = entry["logits"].get<std::vector<std::vector<double>>>();
    ASSERT_EQ(logits.size(0), static_cast<int64_t>(rows.size()));
    for (size_t i = 0; i < rows.size(); ++i) {
      const at::Tensor expected = at::tensor(rows[i], at::TensorOptions().dtype(at::kDouble));
      EXPECT_LT(Distance(logits[static_cast<int64_t>(i)].to(at::kDouble), expected),
                kOtherImplementation)
          << config.vision.model_type << " position " << i;
    }
    RandomStream random(1, "unused");
    GenerationConfig greedy;
    greedy.max_new_tokens = 12;
    ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<Generation> generated,
                                 Generate(model, {prompt}, features, greedy, random));
    EXPECT_THAT(generated[0].tokens, ElementsAreArray(entry["greedy"].get<std::vector<int64_t>>()));
  }
}

TEST(MllmTest, PaddingAndOtherRowsChangeNothing) {
  const MllmConfig config = GroupedTinyConfig();
  const Mllm model = ModelByName(config);
  const std::vector<std::vector<int64_t>> rows = {
      {1, 3, 7, 8}, {1, 3, 20, 21, 22, 23, 24}, {1, 3, 9}};
  const at::Tensor features = model.EncodeImages(PixelsByName(config, 3, "a"));
  const PaddedIds padded = PadRight(rows, 0);
  ALIDADE_ASSERT_OK(model.CheckInputs(padded.ids, features, padded.lengths));
  const at::Tensor together = model.Forward(padded.ids, features, padded.lengths);
  ASSERT_EQ(together.sizes(), at::IntArrayRef({3, 7 - 1 + 9, 64}));
  for (int64_t i = 0; i < 3; ++i) {
    const at::Tensor alone = HiddenOf(model, rows[i], features.narrow(0, i, 1));
    EXPECT_LT(Distance(together[i].narrow(0, 0, alone.size(0)), alone), kSumOrder) << "row " << i;
  }
}

TEST(MllmTest, ImagesAreSplicedWhereTheirTokenStands) {
  const MllmConfig config = TinyWorldConfig();
  const Mllm model = ModelByName(config);
  const at::Tensor features = model.EncodeImages(PixelsByName(config, 3, "b"));
  // At the beginning, inside and at the end: rows with different places take the general path,
  // alone the common one.
  const std::vector<std::vector<int64_t>> rows = {
      {3, 10, 11, 12}, {10, 11, 3, 12}, {10, 11, 12, 3}};
  const PaddedIds padded = PadRight(rows, 0);
  const at::Tensor together = model.Forward(padded.ids, features, padded.lengths);
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_LT(Distance(together[i], HiddenOf(model, rows[i], features.narrow(0, i, 1))), kSumOrder)
        << "row " << i;
  }
  // What stands before the image does not know it; what stands after it does.
  const at::Tensor other = model.Forward(padded.ids, features.flip(0), padded.lengths);
  EXPECT_TRUE(at::equal(other[2].narrow(0, 0, 3), together[2].narrow(0, 0, 3)));
  EXPECT_GT(Distance(other[0], together[0]), 1e-2);
  // Without an image the text before it has the same states.
  const at::Tensor text = HiddenOf(model, {10, 11}, at::Tensor());
  EXPECT_LT(Distance(text, together[1].narrow(0, 0, 2)), kSumOrder);
}

TEST(MllmTest, DecodingInStepsEqualsOneForward) {
  for (const MllmConfig& config : {TinyWorldConfig(), GroupedTinyConfig()}) {
    const Mllm model = ModelByName(config);
    const std::vector<std::vector<int64_t>> rows = {{1, 3, 7, 8, 9, 10}, {1, 3, 20, 21}};
    const std::vector<int64_t> more = {30, 31, 32};
    const at::Tensor features = model.EncodeImages(PixelsByName(config, 2, "c"));
    const at::TensorOptions options = at::TensorOptions().dtype(at::kLong);
    KvCache cache(config.text, at::tensor({int64_t{0}, int64_t{2}}, options), 6 - 1 + 9 + 3);
    const at::Tensor ids =
        at::tensor({1, 3, 7, 8, 9, 10, 0, 0, 1, 3, 20, 21}, options).view({2, 6});
    std::vector<at::Tensor> steps = {model.ForwardCached(ids, features, cache)};
    for (int64_t token : more)
      steps.push_back(model.ForwardCached(at::full({2, 1}, token, options), at::Tensor(), cache));
    const at::Tensor stepwise = at::cat(steps, 1);
    for (int64_t i = 0; i < 2; ++i) {
      std::vector<int64_t> whole = rows[i];
      whole.insert(whole.end(), more.begin(), more.end());
      const at::Tensor expected = HiddenOf(model, whole, features.narrow(0, i, 1));
      EXPECT_LT(Distance(stepwise[i].slice(0, i * 2), expected), kSumOrder) << "row " << i;
    }
  }
}

TEST(MllmTest, LongSequencesUseTheFusedKernelWithTheSameResult) {
  MllmConfig config = GroupedTinyConfig();
  config.text.max_position_embeddings = 512;
  const Mllm model = ModelByName(config);
  const at::Tensor features = model.EncodeImages(PixelsByName(config, 1, "d"));
  std::vector<int64_t> ids = {1, 3};
  for (int64_t i = 0; i < 300; ++i) ids.push_back(4 + i * 7 % 50);
  const at::Tensor fused = HiddenOf(model, ids, features);
  ids.resize(200);
  const at::Tensor plain = HiddenOf(model, ids, features);
  EXPECT_LT(Distance(fused.narrow(0, 0, plain.size(0)), plain), kSumOrder);
  // With a padded cache, too: the mask is then general.
  const at::TensorOptions options = at::TensorOptions().dtype(at::kLong);
  ids.resize(302, 5);
  const at::Tensor padded =
      at::cat({at::zeros({3}, options), at::tensor(ids, options)}).unsqueeze(0);
  KvCache cache(config.text, at::full({1}, 3, options), 400);
  const at::Tensor cached = model.ForwardCached(padded, features, cache)[0].slice(0, 3);
  EXPECT_LT(Distance(cached.narrow(0, 0, plain.size(0)), plain), kSumOrder);
}

TEST(MllmTest, GroupsShareKeysAndValues) {
  const MllmConfig grouped = GroupedTinyConfig();
  NamedTensors parameters = ParametersByName(grouped);
  for (auto& [name, tensor] : parameters) {
    const bool key_or_value =
        absl::StrContains(name, "k_proj") || absl::StrContains(name, "v_proj");
    if (!absl::StrContains(name, "language_model") || !key_or_value) continue;
    tensor = tensor.view({2, 16, 64}).repeat_interleave(2, 0).reshape({64, 64});
  }
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Mllm full,
                               Mllm::FromParameters(TinyWorldConfig(), parameters, "repeated"));
  const Mllm model = ModelByName(grouped);
  const at::Tensor features = model.EncodeImages(PixelsByName(grouped, 1, "e"));
  const std::vector<int64_t> ids = {1, 3, 7, 8, 9};
  EXPECT_LT(Distance(HiddenOf(model, ids, features), HiddenOf(full, ids, features)), kSumOrder);
}

// q k^T as Hugging Face writes it: x cos + rotate_half(x) sin. Both ways of projecting, joined and
// (wide) one by one.
TEST(AttentionTest, RotatesAsHuggingFaceDoes) {
  for (const int64_t width : {32, 1040}) {
    const HeadSizes sizes{4, 2, 8};
    const int64_t rows = 2;
    const int64_t length = 5;
    AttentionWeights weights;
    weights.q = FillByName("q", {32, width});
    weights.k = FillByName("k", {16, width});
    weights.v = FillByName("v", {16, width});
    const at::Tensor x = FillByName("x", {rows * length, width});
    const Projected heads = ProjectHeads(x, rows, weights, sizes, RotationTable(length, 8, 10000));
    const auto reference = [&](const at::Tensor& weight, int64_t count) {
      const at::Tensor y = at::linear(x, weight).view({rows, length, count, 8}).transpose(1, 2);
      const at::Tensor inverse = at::pow(10000.0, at::arange(0, 8, 2) / 8.0).reciprocal();
      const at::Tensor angles = at::outer(at::arange(length), inverse).repeat({1, 2});
      const at::Tensor half = at::cat({-y.slice(-1, 4), y.slice(-1, 0, 4)}, -1);
      return (y * angles.cos() + half * angles.sin()).transpose(0, 1);  // [heads, rows, length, 8]
    };
    for (int64_t head = 0; head < 4; ++head) {
      const at::Tensor expected = at::matmul(reference(weights.q, 4)[head],
                                             reference(weights.k, 2)[head / 2].transpose(1, 2));
      const at::Tensor products = at::matmul(heads.q[head], heads.k[head / 2].transpose(1, 2));
      EXPECT_LT(Distance(products, expected), kSumOrder) << "width " << width << " head " << head;
    }
    EXPECT_LT(Distance(heads.v,
                       at::linear(x, weights.v).view({rows, length, 2, 8}).permute({2, 0, 1, 3})),
              kSumOrder);
  }
}

TEST(MllmTest, GradientsReachEveryParameterThatIsUsed) {
  const MllmConfig config = GroupedTinyConfig();
  const Mllm model = ModelByName(config);
  for (const auto& [name, tensor] : model.parameters()) tensor.set_requires_grad(true);
  const PaddedIds padded = PadRight({{1, 3, 7, 8}, {1, 3, 9}}, 0);
  const at::Tensor features = model.EncodeImages(PixelsByName(config, 2, "f"));
  const at::Tensor logits = Logits(model, model.Forward(padded.ids, features, padded.lengths));
  logits.square().mean().backward();
  for (const auto& [name, tensor] : model.parameters()) {
    // Hugging Face's towers have this norm; its LLaVA does not use it.
    const bool unused = absl::StrContains(name, "vision_model.post_layernorm");
    ASSERT_EQ(tensor.grad().defined(), !unused) << name;
    if (unused) continue;
    EXPECT_TRUE(at::isfinite(tensor.grad()).all().item<bool>()) << name;
    // A key's bias adds the same to all scores of a query: its gradient is rounding.
    if (!absl::EndsWith(name, "k_proj.bias"))
      EXPECT_GT(tensor.grad().abs().max().item<double>(), 1e-9) << name;
  }
}

TEST(MllmTest, GradientAgreesWithFiniteDifferences) {
  const MllmConfig config = GroupedTinyConfig();
  const Mllm model = ModelByName(config);
  const PaddedIds padded = PadRight({{1, 3, 7, 8}}, 0);
  const at::Tensor pixels = PixelsByName(config, 1, "g");
  const auto loss = [&] {
    const at::Tensor hidden = model.Forward(padded.ids, model.EncodeImages(pixels), padded.lengths);
    return at::log_softmax(Logits(model, hidden), -1).select(2, 5).mean();
  };
  // In f32 a step of 1e-2 along one direction leaves about three digits.
  constexpr double kStep = 1e-2;
  constexpr double kTolerance = 2e-2;
  for (const char* name :
       {"language_model.model.layers.0.self_attn.k_proj.weight",
        "language_model.model.layers.1.mlp.up_proj.weight", "multi_modal_projector.linear_1.weight",
        "language_model.model.layers.2.input_layernorm.weight",
        "vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.weight"}) {
    const at::Tensor parameter = model.parameters().at(name);
    parameter.set_requires_grad(true);
    loss().backward();
    const at::Tensor gradient = parameter.grad().clone();
    parameter.mutable_grad().reset();
    parameter.set_requires_grad(false);
    const at::Tensor direction = gradient / gradient.norm();
    parameter.add_(direction, kStep);
    const double above = loss().item<double>();
    parameter.sub_(direction, 2 * kStep);
    const double below = loss().item<double>();
    parameter.add_(direction, kStep);
    const double expected = gradient.norm().item<double>();
    EXPECT_NEAR((above - below) / (2 * kStep), expected, kTolerance * expected) << name;
  }
}

TEST(MllmTest, InitializationFollowsTheConfigAndTheSeed) {
  const MllmConfig config = TinyWorldConfig();
  RandomStream first(7, "init"), second(7, "init"), third(8, "init");
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Mllm a, Mllm::Initialize(config, first));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Mllm b, Mllm::Initialize(config, second));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Mllm c, Mllm::Initialize(config, third));
  const auto std_of = [&](const char* name) {
    return a.parameters().at(name).std().item<double>();
  };
  for (const auto& [name, tensor] : a.parameters())
    EXPECT_TRUE(at::equal(tensor, b.parameters().at(name))) << name;
  EXPECT_FALSE(at::equal(a.head(), c.head()));
  // Standard errors of a standard deviation over 3,700 to 5,600 draws are about one percent.
  EXPECT_NEAR(std_of("language_model.model.embed_tokens.weight"), 0.3, 0.3 * 0.06);
  EXPECT_NEAR(std_of("language_model.lm_head.weight"), 0.02, 0.02 * 0.06);
  EXPECT_NEAR(std_of("language_model.model.layers.0.mlp.gate_proj.weight"), 0.5 / 8,
              0.5 / 8 * 0.06);
  EXPECT_NEAR(std_of("language_model.model.layers.0.mlp.down_proj.weight"),
              0.5 / std::sqrt(88.0 * 6), 0.5 / std::sqrt(88.0 * 6) * 0.06);
  EXPECT_EQ(a.parameters().at("language_model.model.norm.weight").min().item<double>(), 1);
  EXPECT_EQ(std_of("multi_modal_projector.linear_1.bias"), 0);
}

TEST(MllmTest, AHandleSharesParametersAndACloneDoesNot) {
  const Mllm model = ModelByName(TinyWorldConfig());
  const Mllm handle = model;
  const Mllm clone = model.Clone();
  model.parameters().at("language_model.lm_head.weight").zero_();
  EXPECT_EQ(handle.head().abs().max().item<double>(), 0);
  EXPECT_GT(clone.head().abs().max().item<double>(), 0);
}

TEST(MllmTest, BadInputsAreNamed) {
  const MllmConfig config = TinyWorldConfig();
  const Mllm model = ModelByName(config);
  const at::Tensor features = model.EncodeImages(PixelsByName(config, 2, "h"));
  const auto error = [&](const std::vector<std::vector<int64_t>>& rows, const at::Tensor& images) {
    const PaddedIds padded = PadRight(rows, 0);
    const absl::Status status = model.CheckInputs(padded.ids, images, padded.lengths);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_EQ(error({{1, 3, 7}, {1, 7}}, features),
            "ids[1]: expected 1 image tokens (id 3) within its length, got 0");
  EXPECT_EQ(error({{1, 3, 3}, {1, 3}}, features),
            "ids[0]: expected 1 image tokens (id 3) within its length, got 2");
  EXPECT_EQ(error({{1, 3}, {1, 7}}, at::Tensor()),
            "ids[0]: expected 0 image tokens (id 3) within its length, got 1");
  EXPECT_EQ(error({{1, 3, 58}, {1, 3}}, features), "ids[0][2]: expected an id in [0, 58), got 58");
  EXPECT_EQ(error({{1, 3, -1}, {1, 3}}, features), "ids[0][2]: expected an id in [0, 58), got -1");
  EXPECT_THAT(error({{1, 3}}, features),
              HasSubstr("image_features: expected Float [1, 9, 64], got Float [2, 9, 64]"));
  EXPECT_THAT(error({{1, 3}, {1, 3}}, features.to(at::kDouble)),
              HasSubstr("got Double [2, 9, 64]"));
  std::vector<int64_t> longest(121, 5);
  longest[1] = 3;
  EXPECT_EQ(error({longest, {1, 3}}, features),
            "ids: expected at most 128 positions (max_position_embeddings), got 129: 121 tokens, "
            "one of them an image of 9 embeddings");
  longest.pop_back();
  const PaddedIds fits = PadRight({longest, {1, 3}}, 0);
  ALIDADE_EXPECT_OK(model.CheckInputs(fits.ids, features, fits.lengths));
  EXPECT_THAT(model.CheckInputs(fits.ids, features, fits.lengths + 1),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("lengths[0]: expected a length in [1, 120], got 121")));
  EXPECT_THAT(model.CheckInputs(fits.ids.to(at::kInt), features, fits.lengths),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("ids: expected Long [B, T], got Int [2, 120]")));
}

}  // namespace
}  // namespace alidade::models
