// The LibTorch side of Calls.h: arrays to tensors, checks, plan, compiled code.

#include <algorithm>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"
#include "common/tensor/fence.h"
#include "compiler/runtime/bind.h"
#include "compiler/tools/prefc/Calls.h"

namespace alidade::pref {
namespace {

at::Tensor toTensor(const Array& array) {
  if (array.isInteger) return at::tensor(array.integers, at::kLong).view(array.shape);
  return at::tensor(array.reals, at::kDouble).to(at::kFloat).view(array.shape);
}

Array toArray(const at::Tensor& tensor) {
  const at::Tensor values = tensor.detach().to(at::kDouble).contiguous();
  const double* data = values.data_ptr<double>();
  return Array::ofReals(tensor.sizes().vec(), std::vector<double>(data, data + values.numel()));
}

// Splits `<owner>.<field>` at the last point outside parentheses, and says whether the owner is one
// of `known`.
bool splitName(const std::string& name, std::string& owner, std::string& field) {
  const size_t point = name.rfind('.');
  if (point == std::string::npos) return false;
  owner = name.substr(0, point);
  field = name.substr(point + 1);
  return true;
}

absl::StatusOr<runtime::ObjectiveInputs> tensorsOf(const schedule::Signature& signature,
                                                   const Call& call) {
  runtime::ObjectiveInputs inputs;
  inputs.hyperparameters = call.hyperparameters;
  std::vector<std::string> known;
  for (const schedule::Distribution& distribution : signature.distributions) {
    for (const char* field : {"hidden", "logp", "labels", "offsets"}) {
      known.push_back(absl::StrCat(distribution.Name(), ".", field));
    }
  }
  for (const std::string& model : signature.Models()) known.push_back(model + ".head");
  for (const auto& [name, array] : call.inputs) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      return UnknownNameError("input", name, known);
    std::string owner, field;
    splitName(name, owner, field);
    const bool wantsIntegers = field == "labels" || field == "offsets";
    // Whole numbers in a text file may stand for reals.
    Array given = array;
    if (!wantsIntegers && array.isInteger) {
      given = Array::ofReals(array.shape,
                             std::vector<double>(array.integers.begin(), array.integers.end()));
    }
    if (wantsIntegers && !array.isInteger) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": expected integers, got reals"));
    }
    const at::Tensor tensor = toTensor(given);
    if (field == "head") {
      inputs.heads[owner] = tensor;
    } else {
      runtime::ScoredTokens& tokens = inputs.distributions[owner];
      (field == "hidden"   ? tokens.hidden
       : field == "logp"   ? tokens.logp
       : field == "labels" ? tokens.labels
                           : tokens.offsets) = tensor;
    }
  }
  for (const schedule::Distribution& distribution : signature.distributions) {
    const auto found = inputs.distributions.find(distribution.Name());
    if (!distribution.requires_grad || found == inputs.distributions.end()) continue;
    if (found->second.hidden.defined()) found->second.hidden.set_requires_grad(true);
    if (found->second.logp.defined()) found->second.logp.set_requires_grad(true);
  }
  for (const std::string& model : signature.Models(/*with_gradient=*/true)) {
    const auto head = inputs.heads.find(model);
    if (head != inputs.heads.end()) head->second.set_requires_grad(!call.frozenHead);
  }
  return inputs;
}

absl::StatusOr<PlannedCall> planTensors(const schedule::Signature& signature, const Call& call) {
  ALIDADE_ASSIGN_OR_RETURN(const runtime::ObjectiveInputs inputs, tensorsOf(signature, call));
  ALIDADE_ASSIGN_OR_RETURN(const runtime::BoundInputs bound,
                           runtime::BindInputs(signature, inputs, true));
  PlannedCall planned;
  planned.problem = bound.problem;
  for (const schedule::Hyperparameter& hyper : signature.hyperparameters) {
    const auto given = call.hyperparameters.find(hyper.name);
    planned.hyperparameters.push_back(given == call.hyperparameters.end() ? hyper.default_value
                                                                          : given->second);
  }
  ALIDADE_ASSIGN_OR_RETURN(planned.plan,
                           schedule::MakePlan(signature, bound.problem,
                                              {.schedule = call.schedule,
                                               .memory_budget_bytes = call.memoryBudget,
                                               .chunk_tokens = call.chunkTokens}));
  return planned;
}

void collect(const runtime::ObjectiveInputs& inputs, const runtime::ObjectiveOutputs& outputs,
             Arrays& arrays) {
  arrays["loss"] = toArray(outputs.loss);
  for (const auto& [name, metric] : outputs.metrics) arrays["metric." + name] = toArray(metric);
  for (const auto& [name, logp] : outputs.logp) arrays["logp." + name] = toArray(logp);
  for (const auto& [name, tokens] : inputs.distributions) {
    if (tokens.hidden.defined() && tokens.hidden.grad().defined()) {
      arrays["grad." + name + ".hidden"] = toArray(tokens.hidden.grad());
    }
    if (tokens.logp.defined() && tokens.logp.grad().defined()) {
      arrays["grad." + name + ".logp"] = toArray(tokens.logp.grad());
    }
  }
  for (const auto& [model, head] : inputs.heads) {
    if (head.grad().defined()) arrays["grad." + model + ".head"] = toArray(head.grad());
  }
}

}  // namespace

absl::StatusOr<PlannedCall> planCall(const schedule::Signature& signature, const Call& call) {
  absl::StatusOr<PlannedCall> planned = absl::InternalError("not planned");
  ALIDADE_RETURN_IF_ERROR(FenceTorch("plan", [&] {
    planned = planTensors(signature, call);
    return planned.status();
  }));
  return planned;
}

absl::StatusOr<CallResult> runCompiled(const runtime::Objective& objective, const Call& call) {
  CallResult result;
  ALIDADE_RETURN_IF_ERROR(FenceTorch("run", [&]() -> absl::Status {
    ALIDADE_ASSIGN_OR_RETURN(const runtime::ObjectiveInputs inputs,
                             tensorsOf(objective.signature(), call));
    ALIDADE_ASSIGN_OR_RETURN(const runtime::ObjectiveOutputs outputs,
                             Apply(objective, inputs,
                                   {.schedule = call.schedule,
                                    .memory_budget_bytes = call.memoryBudget,
                                    .chunk_tokens = call.chunkTokens}));
    if (outputs.loss.requires_grad()) outputs.loss.backward();
    collect(inputs, outputs, result.outputs);
    result.schedule = outputs.schedule;
    return absl::OkStatus();
  }));
  return result;
}

}  // namespace alidade::pref
