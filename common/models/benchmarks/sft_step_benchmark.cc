// Time of the model in one step of supervised fine-tuning of the embedded world, and of generation:
//   bazel run --config=opt //common/models/benchmarks:sft_step_benchmark
#include <cstdint>
#include <vector>

#include "ATen/ATen.h"
#include "benchmark/benchmark.h"
#include "common/models/generation.h"
#include "common/models/mllm.h"
#include "common/models/presets.h"
#include "common/provenance/random_stream.h"
#include "common/status/status.h"

namespace alidade::models {
namespace {

constexpr int64_t kImages = 32;
constexpr int64_t kCaptionTokens = 26;
constexpr int64_t kQuestionTokens = 26;

Mllm MakeModel(bool trains) {
  RandomStream random(1, "init");
  absl::StatusOr<Mllm> model = Mllm::Initialize(TinyWorldConfig(), random);
  ALIDADE_CHECK(model.ok());
  for (const auto& [name, tensor] : model->parameters()) tensor.set_requires_grad(trains);
  return *std::move(model);
}

at::Tensor RandomIds(int64_t rows, int64_t columns) {
  const at::Tensor ids = at::randint(4, 58, {rows, columns}, at::TensorOptions().dtype(at::kLong));
  ids.select(1, 0).fill_(1);
  ids.select(1, 1).fill_(3);
  return ids;
}

// Images once, captions and questions in one batch, cross entropy of all text.
at::Tensor StepLoss(const Mllm& model, const at::Tensor& pixels, const at::Tensor& ids,
                    const at::Tensor& lengths) {
  const at::Tensor features = model.EncodeImages(pixels);
  const at::Tensor hidden = model.Forward(ids, at::cat({features, features}), lengths);
  const int64_t text = ids.size(1) - 2;
  const at::Tensor predicting =
      hidden.narrow(1, hidden.size(1) - text - 1, text).reshape({-1, hidden.size(2)});
  return at::cross_entropy_loss(at::linear(predicting, model.head()),
                                ids.narrow(1, 2, text).reshape({-1}));
}

void BM_SftStep(benchmark::State& state) {
  const Mllm model = MakeModel(true);
  const at::Tensor pixels = at::randn({kImages, 3, 24, 24});
  const at::Tensor ids = RandomIds(2 * kImages, std::max(kCaptionTokens, kQuestionTokens));
  const at::Tensor lengths =
      at::full({2 * kImages}, ids.size(1), at::TensorOptions().dtype(at::kLong));
  for (auto _ : state) {
    StepLoss(model, pixels, ids, lengths).backward();
    for (const auto& [name, tensor] : model.parameters()) tensor.mutable_grad().reset();
  }
}
BENCHMARK(BM_SftStep)->Unit(benchmark::kMillisecond)->UseRealTime();

void BM_Forward(benchmark::State& state) {
  const Mllm model = MakeModel(false);
  const at::Tensor pixels = at::randn({kImages, 3, 24, 24});
  const at::Tensor ids = RandomIds(2 * kImages, kCaptionTokens);
  const at::Tensor lengths =
      at::full({2 * kImages}, ids.size(1), at::TensorOptions().dtype(at::kLong));
  for (auto _ : state) benchmark::DoNotOptimize(StepLoss(model, pixels, ids, lengths));
}
BENCHMARK(BM_Forward)->Unit(benchmark::kMillisecond)->UseRealTime();

void BM_GenerateCaptions(benchmark::State& state) {
  const Mllm model = MakeModel(false);
  const int64_t rows = state.range(0);
  const at::Tensor features = model.EncodeImages(at::randn({rows, 3, 24, 24}));
  const std::vector<std::vector<int64_t>> prompts(rows, {1, 3, 10, 11});
  RandomStream random(1, "sampling");
  for (auto _ : state) {
    ALIDADE_CHECK(
        Generate(model, prompts, features, {.max_new_tokens = 24, .temperature = 1}, random).ok());
  }
  state.SetItemsProcessed(state.iterations() * rows);
}
BENCHMARK(BM_GenerateCaptions)->Arg(64)->Arg(256)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace alidade::models
