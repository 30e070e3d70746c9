// Apply: check, plan, execute, attach gradients.

#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "c10/core/GradMode.h"
#include "common/status/status.h"
#include "common/tensor/fence.h"
#include "compiler/runtime/autograd.h"
#include "compiler/runtime/bind.h"
#include "compiler/runtime/executor.h"
#include "compiler/runtime/objective.h"

namespace alidade::runtime {
namespace {

absl::StatusOr<schedule::Plan> PlanBound(const Objective& objective, const BoundInputs& bound,
                                         const RunOptions& options) {
  return schedule::MakePlan(objective.signature(), bound.problem,
                            {.schedule = options.schedule,
                             .memory_budget_bytes = options.memory_budget_bytes,
                             .chunk_tokens = options.chunk_tokens});
}

absl::Status CheckOptions(const RunOptions& options) {
  if (options.memory_budget_bytes < 0) {
    return absl::InvalidArgumentError(absl::StrCat("memory_budget_bytes: expected at least 0, got ",
                                                   options.memory_budget_bytes));
  }
  if (options.chunk_tokens < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("chunk_tokens: expected at least 0, got ", options.chunk_tokens));
  }
  return absl::OkStatus();
}

// Pairs every tensor that gets a gradient with it.
at::Tensor DifferentiableLoss(const Signature& signature, const BoundInputs& bound,
                              Execution& execution) {
  std::vector<at::Tensor> inputs, gradients;
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    if (execution.hidden_gradients[d].defined()) {
      inputs.push_back(bound.distributions[d].hidden);
      gradients.push_back(std::move(execution.hidden_gradients[d]));
    } else if (bound.distributions[d].logp_gradient) {
      inputs.push_back(bound.distributions[d].logp);
      gradients.push_back(std::move(execution.cotangents[d]));
    }
  }
  for (auto& [model, gradient] : execution.head_gradients) {
    inputs.push_back(bound.heads.at(model));
    gradients.push_back(std::move(gradient));
  }
  execution.head_gradients.clear();
  at::Tensor loss = execution.results[0].clone();
  if (inputs.empty()) return loss;
  return AttachGradients(std::move(loss), inputs, std::move(gradients));
}

}  // namespace

absl::StatusOr<schedule::Plan> PlanApply(const Objective& objective, const ObjectiveInputs& inputs,
                                         const RunOptions& options) {
  ALIDADE_RETURN_IF_ERROR(CheckOptions(options));
  ALIDADE_ASSIGN_OR_RETURN(const BoundInputs bound,
                           BindInputs(objective.signature(), inputs, c10::GradMode::is_enabled()));
  return PlanBound(objective, bound, options);
}

absl::StatusOr<ObjectiveOutputs> Apply(const Objective& objective, const ObjectiveInputs& inputs,
                                       const RunOptions& options) {
  ALIDADE_RETURN_IF_ERROR(CheckOptions(options));
  const Signature& signature = objective.signature();
  ALIDADE_ASSIGN_OR_RETURN(const BoundInputs bound,
                           BindInputs(signature, inputs, c10::GradMode::is_enabled()));
  ALIDADE_ASSIGN_OR_RETURN(const schedule::Plan plan, PlanBound(objective, bound, options));
  ObjectiveOutputs outputs;
  ALIDADE_RETURN_IF_ERROR(
      FenceTorch(absl::StrCat("objective '", signature.name, "'"), [&]() -> absl::Status {
        Execution execution = Execute(objective, bound, plan.schedule);
        {
          const c10::NoGradGuard no_grad;
          for (size_t i = 0; i < signature.metrics.size(); ++i) {
            outputs.metrics[signature.metrics[i]] =
                execution.results[static_cast<int64_t>(i) + 1].clone();
          }
        }
        for (size_t d = 0; d < signature.distributions.size(); ++d) {
          outputs.logp[signature.distributions[d].Name()] = execution.logp[d];
        }
        outputs.loss = DifferentiableLoss(signature, bound, execution);
        outputs.schedule = std::string(schedule::KindName(plan.schedule.kind));
        return absl::OkStatus();
      }));
  return outputs;
}

}  // namespace alidade::runtime
