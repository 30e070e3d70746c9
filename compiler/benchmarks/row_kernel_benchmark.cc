// The row kernel of an objective alone: logits given, log-probabilities and d loss / d logits
// wanted, against what the machine can copy and against LibTorch operations.
//
//   bazel run -c opt //compiler/benchmarks:row_kernel_benchmark
//
// Columns: real time of ours, one thread, reads and gradient in place; `of_copy`, the median over
// iterations of (time of std::memcpy of the same logits) / ours: both read and write each logit
// once; `read_of_copy`, the same for reads alone, which must not write (at most 2);
// `eager_ratio`, the median of ours / (log_softmax, gather, backward).

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/runtime/abi.h"
#include "compiler/runtime/objective.h"

namespace alidade::runtime {
namespace {

double MillisecondsOf(const std::function<void()>& step) {
  const auto start = std::chrono::steady_clock::now();
  step();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void BM_RowKernel(benchmark::State& state) {
  absl::StatusOr<const Objective*> objective = FindObjective("dpo");
  if (!objective.ok()) {
    state.SkipWithError(objective.status().ToString().c_str());
    return;
  }
  at::set_num_threads(1);
  at::manual_seed(1);
  const int64_t rows = state.range(0), vocabulary = state.range(1);
  const at::Tensor given = at::randn({rows, vocabulary}) * 3;
  const at::Tensor labels = at::randint(vocabulary, {rows}, at::kLong);
  at::Tensor logits = given.clone(), copy = at::empty_like(given), logp = at::empty({rows});
  AlidadeRowArgs args = {};
  args.logits = logits.data_ptr<float>();
  args.rows = rows;
  args.vocab = vocabulary;
  args.stride = vocabulary;
  args.labels = labels.data_ptr<int64_t>();
  args.reads[0] = logp.data_ptr<float>();
  args.inverse_temperature = 1;
  const auto run = [&](int32_t mode) {
    args.mode = mode;
    (*objective)->variant().rows[0](&args);
  };
  const auto eager = [&] {
    const at::Tensor x = given.detach().requires_grad_();
    at::gather(at::log_softmax(x, -1), 1, labels.unsqueeze(1)).sum().backward();
    benchmark::DoNotOptimize(x.grad().data_ptr<float>());
  };
  std::vector<double> of_copy, read_of_copy, eager_ratio;
  for (auto _ : state) {
    logits.copy_(given);
    const double memcpy_ms = MillisecondsOf(
        [&] { std::memcpy(copy.data_ptr<float>(), given.data_ptr<float>(), given.nbytes()); });
    const double read_ms = MillisecondsOf([&] { run(ALIDADE_ROWS_READ); });
    const double ours_ms = MillisecondsOf([&] { run(ALIDADE_ROWS_UNSCALED); });
    const double eager_ms = MillisecondsOf(eager);
    state.SetIterationTime(ours_ms / 1000);
    of_copy.push_back(memcpy_ms / ours_ms);
    read_of_copy.push_back(memcpy_ms / read_ms);
    eager_ratio.push_back(ours_ms / eager_ms);
  }
  state.counters["of_copy"] = Median(of_copy);
  state.counters["read_of_copy"] = Median(read_of_copy);
  state.counters["eager_ratio"] = Median(eager_ratio);
  state.counters["GB/s"] = benchmark::Counter(
      2.0e-9 * static_cast<double>(given.nbytes()) * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate);
}

BENCHMARK(BM_RowKernel)
    ->ArgNames({"rows", "vocabulary"})
    ->Args({1024, 32000})
    ->Args({256, 128256})
    ->Args({256, 151936})
    ->Iterations(15)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace alidade::runtime
