#include "trainers/core/adamw.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace alidade::trainers {

AdamW::AdamW(const OptimizerConfig& config, const NamedTensors& parameters) : config_(config) {
  c10::NoGradGuard no_grad;
  for (const auto& [name, tensor] : parameters) {
    names_.push_back(name);
    parameters_.push_back(tensor);
    first_.push_back(at::zeros_like(tensor));
    second_.push_back(at::zeros_like(tensor));
  }
}

std::vector<at::Tensor> AdamW::Gradients() const {
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& parameter : parameters_) {
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  }
  return gradients;
}

absl::Status AdamW::Step(double learning_rate) {
  c10::NoGradGuard no_grad;
  std::vector<at::Tensor> parameters, first, second;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!parameters_[i].grad().defined()) continue;
    parameters.push_back(parameters_[i]);
    first.push_back(first_[i]);
    second.push_back(second_[i]);
  }
  if (parameters.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("the loss depends on none of the ",
                                                      parameters_.size(), " trained parameters (",
                                                      names_.front(), ", ...)"));
  }
  ++num_updates_;
  // The kernel only reads the counter, so all parameters may share one.
  const std::vector<at::Tensor> counters(
      parameters.size(), at::full({}, static_cast<double>(num_updates_), at::kFloat));
  at::_fused_adamw_(parameters, Gradients(), first, second, /*max_exp_avg_sqs=*/{}, counters,
                    learning_rate, config_.beta1(), config_.beta2(), config_.weight_decay(),
                    config_.epsilon(), /*amsgrad=*/false,
                    /*maximize=*/false);
  ClearGradients();
  return absl::OkStatus();
}

double AdamW::GradientNorm() const {
  c10::NoGradGuard no_grad;
  const std::vector<at::Tensor> gradients = Gradients();
  if (gradients.empty()) return 0;
  return at::stack(at::_foreach_norm(gradients)).norm().item<double>();
}

void AdamW::ScaleGradients(double factor) {
  c10::NoGradGuard no_grad;
  const std::vector<at::Tensor> gradients = Gradients();
  if (!gradients.empty()) at::_foreach_mul_(gradients, at::Scalar(factor));
}

void AdamW::ClearGradients() {
  for (at::Tensor& parameter : parameters_) parameter.mutable_grad() = at::Tensor();
}

NamedTensors AdamW::State() const {
  NamedTensors state;
  for (size_t i = 0; i < names_.size(); ++i) {
    state[absl::StrCat("first_moment.", names_[i])] = first_[i];
    state[absl::StrCat("second_moment.", names_[i])] = second_[i];
  }
  return state;
}

absl::Status AdamW::Restore(const NamedTensors& state, int64_t num_updates) {
  c10::NoGradGuard no_grad;
  NamedTensors own = State();
  for (const auto& [name, tensor] : state) {
    if (!own.count(name))
      return absl::DataLossError(absl::StrCat("optimiser state: unexpected tensor ", name));
  }
  for (auto& [name, tensor] : own) {
    const auto saved = state.find(name);
    if (saved == state.end())
      return absl::DataLossError(absl::StrCat("optimiser state: tensor ", name, " is missing"));
    if (saved->second.sizes() != tensor.sizes() ||
        saved->second.scalar_type() != tensor.scalar_type()) {
      return absl::DataLossError(
          absl::StrCat("optimiser state: tensor ", name, ": expected shape [",
                       absl::StrJoin(tensor.sizes(), ", "), "] of f32, got [",
                       absl::StrJoin(saved->second.sizes(), ", "), "]"));
    }
  }
  for (auto& [name, tensor] : own) tensor.copy_(state.at(name));
  num_updates_ = num_updates;
  return absl::OkStatus();
}

}  // namespace alidade::trainers
