#include "compiler/benchmarks/gpu/step_data.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "c10/core/GradMode.h"

namespace alidade::gpu {
namespace {

constexpr uint64_t kSeed = 1;
// Logits of standard deviation 3, as a trained head's.
constexpr double kLogitScale = 3;
// The policy is the reference moved by a tenth.
constexpr double kDistance = 0.1;
// How far hidden states are moved towards the head's row of their label.
constexpr double kPeak = 1.8;
constexpr int64_t kExactChunk = 1024;  // tokens

at::Tensor Logits(const at::Tensor& hidden, const at::Tensor& head) {
  return at::mm(hidden.to(at::kDouble), head.t());
}

at::Tensor LogProbs(const at::Tensor& hidden, const at::Tensor& head, const at::Tensor& labels) {
  std::vector<at::Tensor> parts;
  for (int64_t begin = 0; begin < hidden.size(0); begin += kExactChunk) {
    const int64_t end = std::min(begin + kExactChunk, hidden.size(0));
    const at::Tensor logits = Logits(hidden.slice(0, begin, end), head);
    const at::Tensor picked = logits.gather(1, labels.slice(0, begin, end).unsqueeze(1));
    parts.push_back(picked.squeeze(1) - at::logsumexp(logits, 1));
  }
  return at::cat(parts);
}

}  // namespace

std::string StepShape::Name() const {
  return absl::StrCat(pairs, "x", length, "x", hidden, "x", vocabulary,
                      scored_percent == 100 ? "" : absl::StrCat("/", scored_percent),
                      peaked ? "/peaked" : "");
}

absl::StatusOr<StepShape> ParseStepShape(const std::string& text) {
  const absl::Status refused = absl::InvalidArgumentError(absl::StrCat(
      "shape: expected PAIRSxLENGTHxHIDDENxVOCABULARY[/PERCENT][/peaked], got '", text, "'"));
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  const std::vector<std::string> sizes = absl::StrSplit(parts[0], 'x');
  StepShape shape;
  if (sizes.size() != 4 || !absl::SimpleAtoi(sizes[0], &shape.pairs) ||
      !absl::SimpleAtoi(sizes[1], &shape.length) || !absl::SimpleAtoi(sizes[2], &shape.hidden) ||
      !absl::SimpleAtoi(sizes[3], &shape.vocabulary)) {
    return refused;
  }
  for (size_t i = 1; i < parts.size(); ++i) {
    if (parts[i] == "peaked") {
      shape.peaked = true;
    } else if (!absl::SimpleAtoi(parts[i], &shape.scored_percent)) {
      return refused;
    }
  }
  if (shape.pairs < 1 || shape.hidden < 1 || shape.vocabulary < 2 || shape.scored_percent < 1 ||
      shape.scored_percent > 100 || shape.length < 1 || shape.scored() < 1) {
    return refused;
  }
  return shape;
}

StepData MakeStepData(const StepShape& shape, c10::Device device, at::ScalarType dtype) {
  const c10::NoGradGuard no_grad;
  at::manual_seed(kSeed);
  const auto f32 = at::TensorOptions().device(device).dtype(at::kFloat);
  const int64_t tokens = 2 * shape.pairs * shape.length;
  const double scale = kLogitScale / std::sqrt(static_cast<double>(shape.hidden));
  StepData data{.shape = shape};
  const at::Tensor head = at::randn({shape.vocabulary, shape.hidden}, f32).mul_(scale);
  data.policy_head = head.to(dtype);
  data.reference_head =
      at::randn({shape.vocabulary, shape.hidden}, f32).mul_(scale * kDistance).add_(head).to(dtype);
  data.labels = at::randint(shape.vocabulary, {tokens}, f32.dtype(at::kLong));
  at::Tensor hidden = at::randn({tokens, shape.hidden}, f32);
  if (shape.peaked) hidden.add_(head.index_select(0, data.labels), kPeak);
  data.policy = hidden.to(dtype);
  data.reference = at::randn({tokens, shape.hidden}, f32).mul_(kDistance).add_(hidden).to(dtype);
  const at::Tensor last = at::arange(tokens, f32.dtype(at::kLong))
                              .view({2 * shape.pairs, shape.length})
                              .slice(1, shape.length - shape.scored());
  data.scored = last.reshape({-1});
  data.offsets = at::arange(shape.pairs + 1, at::kLong) * shape.scored();
  return data;
}

ExactStep RunExactly(const StepData& data) {
  const c10::NoGradGuard no_grad;
  const StepShape& shape = data.shape;
  const at::Tensor labels = data.labels.index_select(0, data.scored);
  const at::Tensor policy = data.policy.index_select(0, data.scored);
  const at::Tensor head = data.policy_head.to(at::kDouble);
  ExactStep exact;
  exact.logp = LogProbs(policy, head, labels);
  exact.reference_logp = LogProbs(data.reference.index_select(0, data.scored),
                                  data.reference_head.to(at::kDouble), labels);
  exact.mean_nll = -exact.logp.mean().item<double>();
  const at::Tensor ratios =
      (exact.logp - exact.reference_logp).view({2, shape.pairs, shape.scored()}).sum(2);
  const at::Tensor margin = kBeta * (ratios[0] - ratios[1]);
  exact.loss = -at::log_sigmoid(margin).mean().item<double>();
  // d loss / d logp of every token: minus for chosen, plus for rejected.
  const at::Tensor slope = at::sigmoid(-margin) * (kBeta / static_cast<double>(shape.pairs));
  const at::Tensor weights = at::stack({-slope, slope})
                                 .unsqueeze(2)
                                 .expand({2, shape.pairs, shape.scored()})
                                 .reshape({-1, 1});
  exact.hidden_gradient = at::empty(policy.sizes(), head.options());
  exact.head_gradient = at::zeros_like(head);
  for (int64_t begin = 0; begin < policy.size(0); begin += kExactChunk) {
    const int64_t end = std::min(begin + kExactChunk, policy.size(0));
    const at::Tensor chunk = policy.slice(0, begin, end);
    at::Tensor slopes = at::softmax(Logits(chunk, head), 1).neg_();
    const at::Tensor picked = labels.slice(0, begin, end).unsqueeze(1);
    slopes.scatter_add_(1, picked, at::ones(picked.sizes(), slopes.options()));
    slopes.mul_(weights.slice(0, begin, end));
    exact.hidden_gradient.slice(0, begin, end).copy_(at::mm(slopes, head));
    exact.head_gradient.addmm_(slopes.t(), chunk.to(at::kDouble));
  }
  return exact;
}

}  // namespace alidade::gpu
