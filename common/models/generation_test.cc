#include "common/models/generation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/status.h"
#include "common/models/mllm.h"
#include "common/models/presets.h"
#include "common/models/testing_model.h"
#include "common/provenance/random_stream.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::models {
namespace {

using ::testing::HasSubstr;

constexpr GenerationConfig kGreedy{.max_new_tokens = 12, .temperature = 0, .top_p = 1};
constexpr GenerationConfig kSampled{.max_new_tokens = 12, .temperature = 1, .top_p = 1};

// Prompts of different lengths, the image at different places.
const std::vector<std::vector<int64_t>>& Prompts() {
  static const auto* prompts = new std::vector<std::vector<int64_t>>{
      {1, 3, 7, 8}, {1, 3, 20, 21, 22, 23, 24, 25, 26}, {3}, {1, 9, 3, 10, 11}, {1, 3, 7, 8, 40}};
  return *prompts;
}

struct Setting {
  explicit Setting(const MllmConfig& config)
      : model(ModelByName(config)),
        features(model.EncodeImages(PixelsByName(config, Prompts().size(), "generate"))) {}
  Mllm model;
  at::Tensor features;
};

absl::StatusOr<std::vector<Generation>> GenerateAll(const Setting& setting,
                                                    const GenerationConfig& config,
                                                    uint64_t seed = 1) {
  RandomStream random(seed, "sampling");
  return Generate(setting.model, Prompts(), setting.features, config, random);
}

// The logits after a row of ids, through a forward pass without a cache.
at::Tensor NextLogits(const Mllm& model, const std::vector<int64_t>& ids,
                      const at::Tensor& features) {
  const PaddedIds padded = PadRight({ids}, 0);
  const at::Tensor hidden = model.Forward(padded.ids, features, padded.lengths)[0];
  return at::linear(hidden[hidden.size(0) - 1], model.head());
}

TEST(GenerateTest, GreedyTokensAreThoseOfRepeatedForwardPasses) {
  const Setting setting(GroupedTinyConfig());
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<Generation> generations,
                               GenerateAll(setting, kGreedy));
  ASSERT_EQ(generations.size(), Prompts().size());
  for (size_t i = 0; i < generations.size(); ++i) {
    std::vector<int64_t> ids = Prompts()[i];
    const at::Tensor features = setting.features.narrow(0, static_cast<int64_t>(i), 1);
    for (int64_t token : generations[i].tokens) {
      EXPECT_EQ(NextLogits(setting.model, ids, features).argmax().item<int64_t>(), token)
          << "row " << i;
      ids.push_back(token);
    }
    if (generations[i].ended) {
      EXPECT_EQ(NextLogits(setting.model, ids, features).argmax().item<int64_t>(),
                setting.model.config().text.eos_token_id);
    } else {
      EXPECT_EQ(generations[i].tokens.size(), 12);
    }
  }
}

TEST(GenerateTest, EveryRowStopsAtItsOwnEnd) {
  const Setting before(TinyWorldConfig());
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<Generation> whole, GenerateAll(before, kGreedy));
  // The first row's third token becomes the end token.
  MllmConfig config = TinyWorldConfig();
  config.text.eos_token_id = whole[0].tokens[2];
  const Setting setting(config);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<Generation> generations,
                               GenerateAll(setting, kGreedy));
  int64_t num_ended = 0;
  for (size_t i = 0; i < generations.size(); ++i) {
    const std::vector<int64_t>& tokens = whole[i].tokens;
    const auto end = std::find(tokens.begin(), tokens.end(), config.text.eos_token_id);
    EXPECT_EQ(generations[i].tokens, std::vector<int64_t>(tokens.begin(), end)) << "row " << i;
    EXPECT_EQ(generations[i].ended, end != tokens.end()) << "row " << i;
    num_ended += generations[i].ended;
  }
  EXPECT_TRUE(generations[0].ended);
  EXPECT_LE(generations[0].tokens.size(), 2);
  EXPECT_GE(num_ended, 1);
}

TEST(GenerateTest, ARowDoesNotDependOnTheOthers) {
  const Setting setting(GroupedTinyConfig());
  for (const GenerationConfig& config : {kGreedy, kSampled}) {
    ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<Generation> together,
                                 GenerateAll(setting, config));
    // Streams are drawn in row order: the first rows alone draw the same ones.
    for (size_t count = 1; count < Prompts().size(); ++count) {
      RandomStream random(1, "sampling");
      const std::vector<std::vector<int64_t>> some(Prompts().begin(), Prompts().begin() + count);
      const at::Tensor features = setting.features.narrow(0, 0, static_cast<int64_t>(count));
      ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<Generation> fewer,
                                   Generate(setting.model, some, features, config, random));
      for (size_t i = 0; i < count; ++i)
        EXPECT_EQ(fewer[i].tokens, together[i].tokens) << count << " rows, row " << i;
    }
  }
}

TEST(GenerateTest, TheSeedDecides) {
  const Setting setting(TinyWorldConfig());
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<Generation> first,
                               GenerateAll(setting, kSampled, 5));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<Generation> again,
                               GenerateAll(setting, kSampled, 5));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<Generation> other,
                               GenerateAll(setting, kSampled, 6));
  bool differs = false;
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].tokens, again[i].tokens);
    differs |= first[i].tokens != other[i].tokens;
  }
  EXPECT_TRUE(differs);
  // Greedy decoding leaves the stream where it was.
  RandomStream random(5, "sampling");
  const std::string state = random.SerializeState();
  ALIDADE_ASSERT_OK(Generate(setting.model, Prompts(), setting.features, kGreedy, random));
  EXPECT_EQ(random.SerializeState(), state);
}

// Frequencies of 4,000 draws of one token against the softmax at a temperature, and within its
// nucleus.
TEST(GenerateTest, SamplesFollowTheDistribution) {
  constexpr int64_t kDraws = 4000;
  constexpr double kTemperature = 1.5;
  // Five standard deviations of a binomial frequency.
  const auto tolerance = [](double p) { return 5 * std::sqrt(p * (1 - p) / kDraws) + 1e-9; };
  const Setting setting(TinyWorldConfig());
  const std::vector<int64_t> prompt = Prompts()[0];
  const at::Tensor image = setting.features.narrow(0, 0, 1);
  const at::Tensor p =
      at::softmax(NextLogits(setting.model, prompt, image).to(at::kDouble) / kTemperature, -1);
  for (const double top_p : {1.0, 0.6}) {
    GenerationConfig config{.max_new_tokens = 1, .temperature = kTemperature, .top_p = top_p};
    RandomStream random(3, "sampling");
    ALIDADE_ASSERT_OK_AND_ASSIGN(
        const std::vector<Generation> draws,
        Generate(setting.model, std::vector<std::vector<int64_t>>(kDraws, prompt),
                 image.expand({kDraws, -1, -1}), config, random));
    std::vector<double> count(p.numel(), 0);
    for (const Generation& draw : draws)
      ++count[draw.ended ? setting.model.config().text.eos_token_id : draw.tokens[0]];
    const auto [sorted, order] = p.sort(0, /*descending=*/true);
    const at::Tensor before = sorted.cumsum(0) - sorted;
    const at::Tensor kept = at::where(before < top_p, sorted, at::zeros_like(sorted));
    const at::Tensor expected = kept / kept.sum();
    for (int64_t rank = 0; rank < p.numel(); ++rank) {
      const double want = expected[rank].item<double>();
      EXPECT_NEAR(count[order[rank].item<int64_t>()] / kDraws, want, tolerance(want))
          << "top_p " << top_p << " rank " << rank;
    }
  }
}

TEST(GenerateTest, TextWithoutAnImage) {
  const Setting setting(TinyWorldConfig());
  RandomStream random(1, "sampling");
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<Generation> generations,
                               Generate(setting.model, {{1, 7}}, at::Tensor(), kGreedy, random));
  EXPECT_EQ(NextLogits(setting.model, {1, 7}, at::Tensor()).argmax().item<int64_t>(),
            generations[0].tokens[0]);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<Generation> none,
                               Generate(setting.model, {}, at::Tensor(), kGreedy, random));
  EXPECT_TRUE(none.empty());
}

TEST(GenerateTest, ErrorsNameTheRow) {
  const Setting setting(TinyWorldConfig());
  const at::Tensor two = setting.features.narrow(0, 0, 2);
  RandomStream random(1, "sampling");
  const auto error = [&](const std::vector<std::vector<int64_t>>& prompts,
                         const at::Tensor& features, const GenerationConfig& config) {
    const auto generations = Generate(setting.model, prompts, features, config, random);
    EXPECT_THAT(generations, StatusIs(absl::StatusCode::kInvalidArgument));
    return std::string(generations.status().message());
  };
  EXPECT_EQ(error({{1, 3}, {}}, two, kGreedy), "prompts[1]: expected at least one token, got none");
  EXPECT_THAT(error({{1, 3}, {1, 99}}, two, kGreedy),
              HasSubstr("prompts[1]: ids[0][1]: expected an id in [0, 58), got 99"));
  EXPECT_THAT(error({{1, 3}, {1, 7}}, two, kGreedy),
              HasSubstr("prompts[1]: ids[0]: expected 1 image tokens"));
  EXPECT_THAT(error({{1, 3}}, at::Tensor(), kGreedy),
              HasSubstr("prompts[0]: ids[0]: expected 0 image tokens"));
  EXPECT_THAT(error({{1, 3}}, two, kGreedy),
              HasSubstr("image_features: expected one row for each of 1 prompts, got 2"));
  EXPECT_EQ(error({{1, 3}, {1, 3, 4}}, two, {.max_new_tokens = 118}),
            "prompts[1]: expected at most 128 positions (max_position_embeddings), got 129: 11 of "
            "the prompt and "
            "max_new_tokens = 118");
  EXPECT_EQ(error({{1, 3}}, two, {.max_new_tokens = 0}), "max_new_tokens: expected >= 1, got 0");
  EXPECT_EQ(error({{1, 3}}, two, {.temperature = -1}),
            "temperature: expected a finite number >= 0, got -1");
  EXPECT_EQ(error({{1, 3}}, two, {.temperature = std::numeric_limits<double>::quiet_NaN()}),
            "temperature: expected a finite number >= 0, got nan");
  EXPECT_EQ(error({{1, 3}}, two, {.temperature = 1, .top_p = 0}),
            "top_p: expected a number in (0, 1], got 0");
}

TEST(GenerateTest, ADivergedModelIsNamed) {
  const Setting setting(TinyWorldConfig());
  setting.model.parameters()
      .at("language_model.lm_head.weight")
      .fill_(std::numeric_limits<double>::quiet_NaN());
  EXPECT_THAT(GenerateAll(setting, kGreedy),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("prompts[0]: token 0: expected finite logits, got nan")));
}

}  // namespace
}  // namespace alidade::models
