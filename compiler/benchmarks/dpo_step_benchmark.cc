// One DPO step (loss, all gradients, reference forward) over an LM head: compiled objective against
// the same step written with LibTorch operations and autograd. Both run in turn in every iteration,
// so that a machine that slows down slows both.
//
//   bazel run -c opt //compiler/benchmarks:dpo_step_benchmark
//
// Columns: real time of ours; `eager_ms`; `limit_ms`, the same GEMMs alone (one call each, outputs
// preallocated); `ratio`, the median over iterations of ours / eager; `of_limit`, likewise ours /
// limit; extra memory in MiB, which is the peak of the resident set minus what was resident before
// and minus the returned gradients, each step measured on its own after the timing.

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <c10/core/GradMode.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/runtime/objective.h"

namespace alidade::runtime {
namespace {

constexpr double kBeta = 0.1;
constexpr int64_t kTokensPerResponse = 64;

// Shapes: M tokens of all policy responses, H hidden, V vocabulary. Half of the tokens are chosen,
// half rejected.
struct Problem {
  at::Tensor policy_head, reference_head;           // [V, H]
  at::Tensor chosen, rejected;                      // [M/2, H], policy
  at::Tensor reference_chosen, reference_rejected;  // [M/2, H]
  at::Tensor chosen_labels, rejected_labels;        // [M/2]
  at::Tensor offsets;                               // [rows + 1]
  int64_t rows = 0;

  static Problem Make(int64_t tokens, int64_t hidden, int64_t vocabulary, bool frozen_head) {
    Problem p;
    const int64_t half = tokens / 2;
    p.rows = half / kTokensPerResponse;
    const auto states = [&] { return at::randn({half, hidden}); };
    // Logits of standard deviation 3, a peaked head as a trained one has.
    const double scale = 3.0 / std::sqrt(static_cast<double>(hidden));
    p.policy_head = (at::randn({vocabulary, hidden}) * scale).set_requires_grad(!frozen_head);
    p.reference_head = at::randn({vocabulary, hidden}) * scale;
    p.chosen = states().set_requires_grad(true);
    p.rejected = states().set_requires_grad(true);
    p.reference_chosen = states();
    p.reference_rejected = states();
    p.chosen_labels = at::randint(vocabulary, {half}, at::kLong);
    p.rejected_labels = at::randint(vocabulary, {half}, at::kLong);
    p.offsets = at::arange(p.rows + 1, at::kLong) * kTokensPerResponse;
    return p;
  }

  std::vector<at::Tensor> Leaves() const {
    std::vector<at::Tensor> leaves = {chosen, rejected};
    if (policy_head.requires_grad()) leaves.push_back(policy_head);
    return leaves;
  }

  void ClearGradients() const {
    for (at::Tensor leaf : Leaves()) leaf.mutable_grad().reset();
  }
};

double EagerStep(const Problem& p) {
  const auto score = [&](const at::Tensor& hidden, const at::Tensor& head,
                         const at::Tensor& labels) {
    const at::Tensor logp = at::log_softmax(at::linear(hidden, head), -1);
    return at::gather(logp, 1, labels.unsqueeze(1))
        .squeeze(1)
        .view({p.rows, kTokensPerResponse})
        .sum(1);
  };
  at::Tensor reference_margin;
  {
    const c10::NoGradGuard no_grad;
    reference_margin = score(p.reference_chosen, p.reference_head, p.chosen_labels) -
                       score(p.reference_rejected, p.reference_head, p.rejected_labels);
  }
  const at::Tensor margin = score(p.chosen, p.policy_head, p.chosen_labels) -
                            score(p.rejected, p.policy_head, p.rejected_labels) - reference_margin;
  const at::Tensor loss = -at::log_sigmoid(kBeta * margin).mean();
  loss.backward();
  return loss.item<double>();
}

double CompiledStep(const Objective& objective, const Problem& p) {
  ObjectiveInputs inputs;
  inputs.distributions = {
      {"policy.chosen", {.hidden = p.chosen, .labels = p.chosen_labels, .offsets = p.offsets}},
      {"policy.rejected",
       {.hidden = p.rejected, .labels = p.rejected_labels, .offsets = p.offsets}},
      {"reference.chosen",
       {.hidden = p.reference_chosen, .labels = p.chosen_labels, .offsets = p.offsets}},
      {"reference.rejected",
       {.hidden = p.reference_rejected, .labels = p.rejected_labels, .offsets = p.offsets}},
  };
  inputs.heads = {{"policy", p.policy_head}, {"reference", p.reference_head}};
  inputs.hyperparameters = {{"beta", kBeta}};
  absl::StatusOr<ObjectiveOutputs> outputs = Apply(objective, inputs);
  if (!outputs.ok()) {
    std::fprintf(stderr, "%s\n", outputs.status().ToString().c_str());
    std::exit(1);
  }
  outputs->loss.backward();
  return outputs->loss.item<double>();
}

// The same GEMMs and nothing else.
class GemmsAlone {
 public:
  explicit GemmsAlone(const Problem& p)
      : head_(p.policy_head.detach()),
        x_(at::cat({p.chosen.detach(), p.rejected.detach()})),
        logits_(at::empty({x_.size(0), head_.size(0)})),
        hidden_gradient_(at::empty_like(x_)) {
    if (p.policy_head.requires_grad()) head_gradient_ = at::empty_like(head_);
  }
  void Run() {
    const c10::NoGradGuard no_grad;
    at::mm_out(logits_, x_, head_.t());  // reference
    at::mm_out(logits_, x_, head_.t());  // policy
    at::mm_out(hidden_gradient_, logits_, head_);
    if (head_gradient_.defined()) at::mm_out(head_gradient_, logits_.t(), x_);
  }

 private:
  at::Tensor head_, x_, logits_, hidden_gradient_, head_gradient_;
};

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

// VmRSS or VmHWM of this process, in MiB.
double StatusMib(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field + ":", 0) == 0)
      return std::strtod(line.c_str() + field.size() + 1, nullptr) / 1024;
  }
  return 0;
}

// Peak of the resident set during `step` beyond what was resident before and beyond the gradients
// it leaves behind.
double ExtraMib(const Problem& p, const std::function<void()>& step) {
  p.ClearGradients();
  ReleaseWorkspace();
  ::malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
  const double before = StatusMib("VmRSS");
  step();
  double gradients = 0;
  for (const at::Tensor& leaf : p.Leaves())
    gradients += static_cast<double>(leaf.nbytes()) / (1 << 20);
  return StatusMib("VmHWM") - before - gradients;
}

void BM_DpoStep(benchmark::State& state) {
  absl::StatusOr<const Objective*> objective = FindObjective("dpo");
  if (!objective.ok()) {
    state.SkipWithError(objective.status().ToString().c_str());
    return;
  }
  at::manual_seed(1);
  const Problem p =
      Problem::Make(state.range(0), state.range(1), state.range(2), state.range(3) != 0);
  GemmsAlone gemms(p);
  const auto ours = [&] { CompiledStep(**objective, p); };
  const auto eager = [&] { EagerStep(p); };
  // Warm-up, and proof that both compute the same thing.
  const double difference = std::abs(CompiledStep(**objective, p) - EagerStep(p));
  if (!(difference < 1e-4)) state.SkipWithError("the two steps disagree on the loss");
  std::vector<double> eager_ms, limit_ms, ratio, of_limit;
  for (auto _ : state) {
    p.ClearGradients();
    const double a = MillisecondsOf(ours);
    p.ClearGradients();
    const double b = MillisecondsOf(eager);
    const double c = MillisecondsOf([&] { gemms.Run(); });
    state.SetIterationTime(a / 1000);
    eager_ms.push_back(b);
    limit_ms.push_back(c);
    ratio.push_back(a / b);
    of_limit.push_back(a / c);
  }
  state.counters["eager_ms"] = Median(eager_ms);
  state.counters["limit_ms"] = Median(limit_ms);
  state.counters["ratio"] = Median(ratio);
  state.counters["of_limit"] = Median(of_limit);
  const double ours_mib = ExtraMib(p, ours), eager_mib = ExtraMib(p, eager);
  state.counters["extra_MiB"] = ours_mib;
  state.counters["eager_extra_MiB"] = eager_mib;
}

BENCHMARK(BM_DpoStep)
    ->ArgNames({"tokens", "hidden", "vocabulary", "frozen"})
    ->Args({512, 512, 32000, 0})
    ->Args({512, 512, 32000, 1})
    ->Args({256, 1024, 32000, 0})
    ->Args({256, 1024, 32000, 1})
    ->Args({2048, 256, 8192, 0})
    ->Args({2048, 256, 8192, 1})
    ->Iterations(9)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace alidade::runtime
