// A DPO step over an LM head on a GPU, whole and in parts, beside the same GEMMs alone and a copy
// of the logits, interleaved in random order. One JSON line per measured thing; report.py makes the
// table, peers.py measures the others.
//
//   step_timing --shape=4x2048x4096x128256[/25][/peaked] [--iterations=30] [--device=cuda|cpu]
//               [--dtype=bf16|f32] [--no_accuracy]
//
// Exit: 0; 1 an error; 2 usage; 3 no GPU. Times are between CUDA events, each after the L2 was
// overwritten; host_us is until the call returned. On the CPU they are wall time.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "c10/core/CachingDeviceAllocator.h"
#include "c10/core/Event.h"
#include "c10/core/GradMode.h"
#include "c10/core/impl/VirtualGuardImpl.h"
#include "common/status/status.h"
#include "common/tensor/fence.h"
#include "common/tensor/named_tensors.h"
#include "compiler/benchmarks/gpu/step_data.h"
#include "compiler/runtime/cuda/driver.h"
#include "compiler/runtime/objective.h"

namespace alidade::gpu {
namespace {

using runtime::Objective;
using runtime::ObjectiveInputs;
using runtime::ObjectiveOutputs;

constexpr int kWarmUp = 3;
constexpr int64_t kFlushBytes = 256 << 20;  // several times the L2
constexpr int64_t kGemmChunk = 4096;        // tokens

struct Options {
  StepShape shape;
  int64_t iterations = 30;
  c10::Device device = at::kCUDA;
  at::ScalarType dtype = at::kBFloat16;
  bool accuracy = true;
};

// The time of one call on the device, and until the host was free again.
struct Sample {
  double device_ms = 0, host_us = 0;
};

class Clock {
 public:
  explicit Clock(c10::Device device) : device_(device) {
    if (device.is_cuda())
      flush_ = at::empty({kFlushBytes}, at::TensorOptions().device(device).dtype(at::kByte));
  }

  Sample Time(const std::function<void()>& body) {
    using WallClock = std::chrono::steady_clock;
    const auto microseconds = [](WallClock::time_point from) {
      return std::chrono::duration<double, std::micro>(WallClock::now() - from).count();
    };
    if (!device_.is_cuda()) {
      const WallClock::time_point start = WallClock::now();
      body();
      const double host = microseconds(start);
      return {.device_ms = host / 1000, .host_us = host};
    }
    const c10::impl::VirtualGuardImpl guard(device_.type());
    const c10::Stream stream = guard.getStream(device_);
    c10::Event begin(device_.type(), c10::EventFlag::BACKEND_DEFAULT);
    c10::Event end(device_.type(), c10::EventFlag::BACKEND_DEFAULT);
    flush_.zero_();
    stream.synchronize();
    begin.record(stream);
    const WallClock::time_point start = WallClock::now();
    body();
    const double host = microseconds(start);
    end.record(stream);
    end.synchronize();
    return {.device_ms = begin.elapsedTime(end), .host_us = host};
  }

 private:
  const c10::Device device_;
  at::Tensor flush_;
};

// Bytes that `body` holds at its peak beyond what was there before; -1 on the CPU.
double PeakBytes(c10::Device device, const std::function<void()>& body) {
  if (!device.is_cuda()) {
    body();
    return -1;
  }
  c10::DeviceAllocator* const allocator = c10::getDeviceAllocator(device.type());
  c10::impl::VirtualGuardImpl(device.type()).getStream(device).synchronize();
  constexpr size_t kAllPools = 0;
  const int64_t before = allocator->getDeviceStats(0).allocated_bytes[kAllPools].current;
  allocator->resetPeakStats(0);
  body();
  return static_cast<double>(allocator->getDeviceStats(0).allocated_bytes[kAllPools].peak - before);
}

absl::StatusOr<ObjectiveOutputs> ApplyOrReport(const Objective& objective,
                                               const ObjectiveInputs& inputs,
                                               const std::string& schedule = "") {
  absl::StatusOr<ObjectiveOutputs> outputs =
      runtime::Apply(objective, inputs, {.schedule = schedule});
  if (!outputs.ok()) {
    std::fprintf(stderr, "step_timing: %s\n", std::string(outputs.status().message()).c_str());
    std::exit(1);
  }
  return outputs;
}

// Our step and its parts.
class Step {
 public:
  Step(const Objective& objective, const StepData& data)
      : objective_(objective),
        data_(data),
        all_scored_(data.shape.scored_percent == 100),
        labels_(data.labels.index_select(0, data.scored)),
        policy_(data.policy.detach().set_requires_grad(true)),
        policy_head_(data.policy_head.detach()) {}

  // Log-probabilities of the reference, which later parts take as given.
  void ReferenceForward() {
    const c10::NoGradGuard no_grad;
    ObjectiveInputs inputs;
    Add("reference", data_.reference, inputs);
    inputs.heads["reference"] = data_.reference_head;
    reference_logp_ = ApplyOrReport(objective_, inputs, "R")->logp;
  }

  void Policy(bool frozen) {
    ObjectiveInputs inputs;
    Add("policy", policy_, inputs);
    AddReferenceLogp(inputs);
    Backward(inputs, frozen);
  }

  void Whole(bool frozen) {
    ObjectiveInputs inputs;
    Add("policy", policy_, inputs);
    Add("reference", data_.reference, inputs);
    inputs.heads["reference"] = data_.reference_head;
    Backward(inputs, frozen);
  }

  void GivenLogits() {
    ObjectiveInputs inputs;
    for (int side = 0; side < 2; ++side) {
      runtime::ScoredTokens& tokens = inputs.distributions[Name("policy", side)];
      tokens = Tokens(side);
      tokens.logits = logits_[side];
    }
    AddReferenceLogp(inputs);
    ApplyOrReport(objective_, inputs)->loss.backward();
  }

  void MakeLogits() {
    const c10::NoGradGuard no_grad;
    for (int side = 0; side < 2; ++side)
      logits_[side] = at::mm(Hidden(data_.policy, side), policy_head_.t()).set_requires_grad(true);
  }

  void Clear() {
    policy_.mutable_grad().reset();
    policy_head_.mutable_grad().reset();
    for (at::Tensor& logits : logits_)
      if (logits.defined()) logits.mutable_grad().reset();
  }

  double GradientBytes() const {
    double bytes = 0;
    for (const at::Tensor* leaf : {&policy_, &policy_head_, &logits_[0], &logits_[1]})
      if (leaf->defined() && leaf->grad().defined()) bytes += leaf->grad().nbytes();
    return bytes;
  }
  double loss() const { return loss_.item<double>(); }
  at::Tensor logp() const {
    return at::cat({logp_.at("policy.chosen"), logp_.at("policy.rejected")});
  }
  at::Tensor hidden_gradient() const { return policy_.grad().index_select(0, data_.scored); }
  at::Tensor head_gradient() const { return policy_head_.grad(); }

 private:
  static std::string Name(const char* model, int side) {
    return absl::StrCat(model, side == 0 ? ".chosen" : ".rejected");
  }
  at::Tensor Half(const at::Tensor& tensor, int side) const {
    return tensor.narrow(0, side * (tensor.size(0) / 2), tensor.size(0) / 2);
  }
  // The gather of the scored tokens, and in backward() its adjoint, are part of the step.
  at::Tensor Hidden(const at::Tensor& states, int side) const {
    return all_scored_ ? Half(states, side) : states.index_select(0, Half(data_.scored, side));
  }
  runtime::ScoredTokens Tokens(int side) const {
    return {.labels = Half(labels_, side), .offsets = data_.offsets};
  }
  void Add(const char* model, const at::Tensor& states, ObjectiveInputs& inputs) const {
    for (int side = 0; side < 2; ++side) {
      runtime::ScoredTokens tokens = Tokens(side);
      tokens.hidden = Hidden(states, side);
      inputs.distributions[Name(model, side)] = tokens;
    }
  }
  void AddReferenceLogp(ObjectiveInputs& inputs) const {
    for (int side = 0; side < 2; ++side) {
      inputs.distributions[Name("reference", side)] = {
          .logp = reference_logp_.at(Name("reference", side)), .offsets = data_.offsets};
    }
  }
  void Backward(ObjectiveInputs& inputs, bool frozen) {
    policy_head_.set_requires_grad(!frozen);
    inputs.heads["policy"] = policy_head_;
    inputs.hyperparameters = {{"beta", kBeta}};
    const absl::StatusOr<ObjectiveOutputs> outputs = ApplyOrReport(objective_, inputs);
    outputs->loss.backward();
    loss_ = outputs->loss.detach();
    logp_ = outputs->logp;
  }

  const Objective& objective_;
  const StepData& data_;
  const bool all_scored_;
  const at::Tensor labels_;
  at::Tensor policy_, policy_head_, logits_[2], loss_;
  NamedTensors reference_logp_, logp_;
};

// The GEMMs of the scored tokens and nothing else, outputs preallocated, in chunks of tokens.
class GemmsAlone {
 public:
  GemmsAlone(const StepData& data, int64_t chunk)
      : head_(data.policy_head),
        hidden_(data.policy.index_select(0, data.scored)),
        chunk_(std::min(chunk, hidden_.size(0))),
        logits_(at::empty({chunk_, head_.size(0)}, head_.options())),
        hidden_gradient_(at::empty_like(hidden_)),
        head_gradient_(at::empty_like(head_)) {}

  // count: 1 logits; 2 and the gradient of hidden states; 3 and that of the head.
  void Run(int count) {
    const c10::NoGradGuard no_grad;
    for (int64_t begin = 0; begin < hidden_.size(0); begin += chunk_) {
      const int64_t end = std::min(begin + chunk_, hidden_.size(0));
      const at::Tensor x = hidden_.slice(0, begin, end);
      at::Tensor z = logits_.slice(0, 0, end - begin);
      at::mm_out(z, x, head_.t());
      at::Tensor dx = hidden_gradient_.slice(0, begin, end);
      if (count >= 2) at::mm_out(dx, z, head_);
      if (count < 3) continue;
      if (begin == 0) {
        at::mm_out(head_gradient_, z.t(), x);
      } else {
        at::addmm_out(head_gradient_, head_gradient_, z.t(), x);
      }
    }
  }

 private:
  const at::Tensor head_, hidden_;
  const int64_t chunk_;
  at::Tensor logits_, hidden_gradient_, head_gradient_;
};

// Something to time, and its samples.
struct Measured {
  std::string name;
  std::function<void()> body;
  std::function<void()> before = [] {};
  bool ours = false;
  std::vector<double> device_ms, host_us;
  double extra_mib = -1;
};

double Quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(std::lround(q * static_cast<double>(values.size() - 1)))];
}

// One of every thing per iteration, in an order of its own.
void Interleave(std::vector<Measured>& things, int64_t iterations, Clock& clock) {
  std::mt19937 generator(1);
  std::vector<size_t> order(things.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (int64_t i = -kWarmUp; i < iterations; ++i) {
    std::shuffle(order.begin(), order.end(), generator);
    for (const size_t k : order) {
      things[k].before();
      const Sample sample = clock.Time(things[k].body);
      if (i < 0) continue;
      things[k].device_ms.push_back(sample.device_ms);
      things[k].host_us.push_back(sample.host_us);
    }
  }
}

void Print(const StepShape& shape, const Measured& thing, const std::string& more) {
  std::printf(
      "{\"shape\": \"%s\", \"provider\": \"%s\", \"mode\": \"%s\", \"median_ms\": %.4f, "
      "\"p10_ms\": %.4f, \"p90_ms\": %.4f, \"host_us\": %.1f, \"samples\": %zu, \"extra_mib\": "
      "%.1f%s}\n",
      shape.Name().c_str(), thing.ours ? "alidade" : "limit (c++)", thing.name.c_str(),
      Quantile(thing.device_ms, 0.5), Quantile(thing.device_ms, 0.1),
      Quantile(thing.device_ms, 0.9), Quantile(thing.host_us, 0.5), thing.device_ms.size(),
      thing.extra_mib, more.c_str());
  std::fflush(stdout);
}

double RelativeError(const at::Tensor& got, const at::Tensor& exact) {
  return ((got.to(at::kDouble) - exact).norm() / exact.norm()).item<double>();
}

// Of the whole step with a trained head, and whether a second one gives the same bits.
std::string Accuracy(const StepData& data, Step& step) {
  const ExactStep exact = RunExactly(data);
  step.Clear();
  step.Whole(/*frozen=*/false);
  const at::Tensor hidden_gradient = step.hidden_gradient(), head_gradient = step.head_gradient();
  const double logp_error = (step.logp().to(at::kDouble) - exact.logp).abs().max().item<double>();
  const double loss = step.loss();
  step.Clear();
  step.Whole(/*frozen=*/false);
  const bool repeats = at::equal(hidden_gradient, step.hidden_gradient()) &&
                       at::equal(head_gradient, step.head_gradient());
  return absl::StrCat(", \"loss\": ", loss, ", \"exact_loss\": ", exact.loss,
                      ", \"mean_nll\": ", exact.mean_nll, ", \"logp_error\": ", logp_error,
                      ", \"hidden_error\": ", RelativeError(hidden_gradient, exact.hidden_gradient),
                      ", \"head_error\": ", RelativeError(head_gradient, exact.head_gradient),
                      ", \"repeats\": ", repeats ? "true" : "false");
}

absl::Status RunTiming(const Objective& objective, const Options& options) {
  const StepData data = MakeStepData(options.shape, options.device, options.dtype);
  Clock clock(options.device);
  Step step(objective, data);
  step.ReferenceForward();
  const std::string accuracy = options.accuracy ? Accuracy(data, step) : "";
  {
    GemmsAlone whole(data, data.shape.tokens()), chunked(data, kGemmChunk);
    std::vector<Measured> things;
    const auto ours = [&](const char* name, std::function<void()> body) {
      things.push_back(
          {.name = name, .body = std::move(body), .before = [&] { step.Clear(); }, .ours = true});
    };
    ours("reference forward", [&] { step.ReferenceForward(); });
    ours("policy, trained head", [&] { step.Policy(/*frozen=*/false); });
    ours("policy, frozen head", [&] { step.Policy(/*frozen=*/true); });
    ours("step, trained head", [&] { step.Whole(/*frozen=*/false); });
    ours("step, frozen head", [&] { step.Whole(/*frozen=*/true); });
    for (const int count : {1, 2, 3}) {
      things.push_back(
          {.name = absl::StrCat(count, "G"), .body = [&whole, count] { whole.Run(count); }});
      things.push_back({.name = absl::StrCat(count, "G in chunks of ", kGemmChunk),
                        .body = [&chunked, count] { chunked.Run(count); }});
    }
    Interleave(things, options.iterations, clock);
    for (Measured& thing : things) {
      if (!thing.ours) continue;
      step.Clear();
      runtime::ReleaseWorkspace();
      const double peak = PeakBytes(options.device, thing.body);
      if (peak >= 0) thing.extra_mib = (peak - step.GradientBytes()) / (1 << 20);
    }
    for (const Measured& thing : things)
      Print(options.shape, thing, thing.name == "step, trained head" ? accuracy : "");
  }
  // Apart, because the logits of all tokens take as much memory as all the rest.
  step.Clear();
  runtime::ReleaseWorkspace();
  step.MakeLogits();
  const at::Tensor from = at::empty({data.shape.tokens(), data.shape.vocabulary},
                                    data.policy_head.options()),
                   to = at::empty_like(from);
  std::vector<Measured> given = {{.name = "logits given, forward and backward",
                                  .body = [&] { step.GivenLogits(); },
                                  .before = [&] { step.Clear(); },
                                  .ours = true},
                                 {.name = "copy of the logits", .body = [&] { to.copy_(from); }}};
  Interleave(given, options.iterations, clock);
  for (const Measured& thing : given) Print(options.shape, thing, "");
  return absl::OkStatus();
}

absl::StatusOr<Options> ParseOptions(int argc, char** argv) {
  Options options;
  bool has_shape = false;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const size_t equals = arg.find('=');
    const std::string flag = arg.substr(0, equals),
                      value = equals == std::string::npos ? "" : arg.substr(equals + 1);
    if (flag == "--shape") {
      ALIDADE_ASSIGN_OR_RETURN(options.shape, ParseStepShape(value));
      has_shape = true;
    } else if (flag == "--iterations" && absl::SimpleAtoi(value, &options.iterations) &&
               options.iterations > 0) {
    } else if (flag == "--device" && (value == "cpu" || value == "cuda")) {
      options.device = c10::Device(value == "cpu" ? at::kCPU : at::kCUDA);
    } else if (flag == "--dtype" && (value == "bf16" || value == "f32")) {
      options.dtype = value == "bf16" ? at::kBFloat16 : at::kFloat;
    } else if (arg == "--no_accuracy") {
      options.accuracy = false;
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("expected --shape=SHAPE, --iterations=N, --device=cuda|cpu, "
                       "--dtype=bf16|f32 or --no_accuracy, got '",
                       arg, "'"));
    }
  }
  if (!has_shape) return absl::InvalidArgumentError("expected --shape=SHAPE");
  if (options.device.is_cpu()) options.dtype = at::kFloat;
  if (options.device.is_cuda()) options.device = c10::Device(at::kCUDA, 0);
  return options;
}

int Main(int argc, char** argv) {
  const absl::StatusOr<Options> options = ParseOptions(argc, argv);
  if (!options.ok()) {
    std::fprintf(stderr, "step_timing: %s\n", std::string(options.status().message()).c_str());
    return 2;
  }
  if (options->device.is_cuda()) {
    const auto driver = runtime::cuda::Driver::Global();
    if (!driver.ok()) {
      std::fprintf(stderr, "step_timing: no GPU here: %s\n",
                   std::string(driver.status().message()).c_str());
      return 3;
    }
  }
  const absl::Status status = FenceTorch("step_timing", [&]() -> absl::Status {
    ALIDADE_ASSIGN_OR_RETURN(const Objective* objective, runtime::FindObjective("dpo"));
    // Loads LibTorch's CUDA half, before any tensor is made there.
    ALIDADE_RETURN_IF_ERROR(objective->KernelsFor(options->device).status());
    return RunTiming(*objective, *options);
  });
  if (status.ok()) return 0;
  std::fprintf(stderr, "step_timing: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace alidade::gpu

int main(int argc, char** argv) { return alidade::gpu::Main(argc, argv); }
