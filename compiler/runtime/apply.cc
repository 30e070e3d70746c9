// Apply: check, plan, execute, attach gradients.

#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "c10/core/GradMode.h"
#include "common/status/status.h"
#include "common/tensor/fence.h"
#include "compiler/runtime/autograd.h"
#include "compiler/runtime/bind.h"
#include "compiler/runtime/executor.h"
#include "compiler/runtime/objective.h"

namespace alidade::runtime {
namespace {

constexpr char kReadsOnly[] = "R";
// Whose speeds the planner assumes of any GPU: only ratios matter for the choice.
constexpr char kGpuModel[] = "h200";

struct BoundCall {
  BoundInputs inputs;
  schedule::Plan plan;
};

absl::StatusOr<BoundCall> BindAndPlan(const Signature& signature, const ObjectiveInputs& inputs,
                                      const RunOptions& options) {
  if (options.memory_budget_bytes < 0) {
    return absl::InvalidArgumentError(absl::StrCat("memory_budget_bytes: expected at least 0, got ",
                                                   options.memory_budget_bytes));
  }
  if (options.chunk_tokens < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("chunk_tokens: expected at least 0, got ", options.chunk_tokens));
  }
  const bool reads_only = options.schedule == kReadsOnly;
  BoundCall call;
  ALIDADE_ASSIGN_OR_RETURN(call.inputs,
                           BindInputs(signature, inputs,
                                      {.want_gradients = c10::GradMode::is_enabled() && !reads_only,
                                       .reads_only = reads_only}));
  schedule::PlanOptions plan_options = {.schedule = options.schedule,
                                        .memory_budget_bytes = options.memory_budget_bytes,
                                        .chunk_tokens = options.chunk_tokens};
  if (call.inputs.device.is_cuda()) {
    ALIDADE_ASSIGN_OR_RETURN(plan_options.machine, schedule::FindMachine(kGpuModel));
  }
  ALIDADE_ASSIGN_OR_RETURN(call.plan,
                           schedule::MakePlan(signature, call.inputs.problem, plan_options));
  return call;
}

// Pairs every tensor that gets a gradient with it; gradients added to given buffers have arrived.
at::Tensor DifferentiableLoss(const Signature& signature, const BoundInputs& bound,
                              Execution& execution) {
  std::vector<at::Tensor> inputs, gradients;
  const auto attach = [&](const at::Tensor& input, at::Tensor& gradient) {
    if (!gradient.defined() || !input.requires_grad()) return;
    inputs.push_back(input);
    gradients.push_back(gradient.scalar_type() == input.scalar_type()
                            ? std::move(gradient)
                            : gradient.to(input.scalar_type()));
  };
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    const BoundInputs::Scores& scores = bound.distributions[d];
    attach(scores.hidden, execution.hidden_gradients[d]);
    attach(scores.logits, execution.logits_gradients[d]);
  }
  for (const schedule::VocabularyRead& read : signature.reads) {
    if (read.cotangent >= 0 && bound.distributions[read.distribution].logp_gradient)
      attach(bound.distributions[read.distribution].logp, execution.cotangents[read.cotangent]);
  }
  for (auto& [model, gradient] : execution.head_gradients)
    if (bound.head_gradients.count(model) == 0) attach(bound.heads.at(model), gradient);
  for (auto& [model, gradient] : execution.bias_gradients)
    if (bound.bias_gradients.count(model) == 0) attach(bound.biases.at(model), gradient);
  at::Tensor loss = execution.results[0].clone();
  if (inputs.empty()) return loss;
  return AttachGradients(std::move(loss), inputs, std::move(gradients));
}

ObjectiveOutputs Collect(const Signature& signature, const BoundInputs& bound,
                         Execution execution) {
  ObjectiveOutputs outputs;
  const std::vector<std::string> names = signature.ReadNames();
  for (size_t r = 0; r < names.size(); ++r) {
    if (execution.reads[r].defined()) outputs.logp[names[r]] = execution.reads[r];
  }
  if (!execution.has_loss) return outputs;
  {
    const c10::NoGradGuard no_grad;
    for (size_t i = 0; i < signature.metrics.size(); ++i) {
      outputs.metrics[signature.metrics[i]] =
          execution.results[static_cast<int64_t>(i) + 1].clone();
    }
    for (size_t i = 0; i < signature.states.size(); ++i) {
      outputs.state[signature.states[i].name] =
          execution.new_state[static_cast<int64_t>(i)].clone();
    }
  }
  outputs.loss = DifferentiableLoss(signature, bound, execution);
  return outputs;
}

}  // namespace

absl::StatusOr<schedule::Plan> PlanApply(const Objective& objective, const ObjectiveInputs& inputs,
                                         const RunOptions& options) {
  absl::StatusOr<BoundCall> call = absl::InternalError("not planned");
  ALIDADE_RETURN_IF_ERROR(
      FenceTorch(absl::StrCat("objective '", objective.signature().name, "'"), [&]() {
        call = BindAndPlan(objective.signature(), inputs, options);
        return call.status();
      }));
  return std::move(call->plan);
}

absl::StatusOr<ObjectiveOutputs> Apply(const Objective& objective, const ObjectiveInputs& inputs,
                                       const RunOptions& options) {
  const Signature& signature = objective.signature();
  ObjectiveOutputs outputs;
  ALIDADE_RETURN_IF_ERROR(
      FenceTorch(absl::StrCat("objective '", signature.name, "'"), [&]() -> absl::Status {
        ALIDADE_ASSIGN_OR_RETURN(const BoundCall call, BindAndPlan(signature, inputs, options));
        ALIDADE_ASSIGN_OR_RETURN(const Kernels* kernels, objective.KernelsFor(call.inputs.device));
        ALIDADE_ASSIGN_OR_RETURN(Execution execution,
                                 Execute(objective, *kernels, call.inputs, call.plan.schedule));
        outputs = Collect(signature, call.inputs, std::move(execution));
        outputs.schedule = std::string(schedule::KindName(call.plan.schedule.kind));
        return absl::OkStatus();
      }));
  return outputs;
}

}  // namespace alidade::runtime
