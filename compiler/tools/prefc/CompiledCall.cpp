// The LibTorch side of a call: arrays to tensors, checks, plan, compiled code.

#include "compiler/tools/prefc/CompiledCall.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"
#include "common/tensor/fence.h"
#include "compiler/runtime/bind.h"

namespace alidade::pref {
namespace {

using schedule::Signature;

constexpr char kReadsOnly[] = "R";

at::Tensor toTensor(const Array& array, at::ScalarType reals) {
  if (array.isInteger) return at::tensor(array.integers, at::kLong).view(array.shape);
  return at::tensor(array.reals, at::kDouble).to(reals).view(array.shape);
}

Array toArray(const at::Tensor& tensor) {
  const at::Tensor values = tensor.detach().cpu().to(at::kDouble).contiguous();
  const double* data = values.data_ptr<double>();
  return Array::ofReals(tensor.sizes().vec(), std::vector<double>(data, data + values.numel()));
}

// Where the array of a name goes (null: no array has that name), and of what type it is there.
struct Slot {
  at::Tensor* tensor;
  at::ScalarType dtype;
  bool onDevice = true;
};

// Names of a signature's arrays, as Arrays.h gives them.
std::map<std::string, Slot> slotsOf(const Signature& signature, const Call& call,
                                    runtime::ObjectiveInputs& inputs) {
  const Arrays& given = call.inputs;
  const at::ScalarType wide = call.bf16 ? at::kBFloat16 : at::kFloat;
  std::map<std::string, Slot> slots;
  for (const schedule::Distribution& distribution : signature.distributions) {
    const std::string name = distribution.Name();
    const auto isGiven = [&](const auto& entry) { return entry.first.rfind(name + ".", 0) == 0; };
    // One that no array mentions stays absent.
    runtime::ScoredTokens* tokens =
        std::any_of(given.begin(), given.end(), isGiven) ? &inputs.distributions[name] : nullptr;
    const auto add = [&](const char* field, at::Tensor runtime::ScoredTokens::* member,
                         at::ScalarType dtype, bool onDevice = true) {
      slots[name + field] = {tokens != nullptr ? &(tokens->*member) : nullptr, dtype, onDevice};
    };
    add(".hidden", &runtime::ScoredTokens::hidden, wide);
    add(".logits", &runtime::ScoredTokens::logits, wide);
    add(".logp", &runtime::ScoredTokens::logp, at::kFloat);
    add(".labels", &runtime::ScoredTokens::labels, at::kLong);
    add(".offsets", &runtime::ScoredTokens::offsets, at::kLong, /*onDevice=*/false);
  }
  const auto add = [&](const std::string& name, NamedTensors& tensors, const std::string& key,
                       at::ScalarType dtype, bool onDevice = true) {
    slots[name] = {given.count(name) != 0 ? &tensors[key] : nullptr, dtype, onDevice};
  };
  for (const std::string& model : signature.Models()) {
    add(model + ".head", inputs.heads, model, wide);
    add(model + ".bias", inputs.biases, model, at::kFloat);
  }
  for (const schedule::Axis& axis : signature.axes) {
    if (axis.kind != "pair")
      add(axis.Name() + ".offsets", inputs.offsets, axis.Name(), at::kLong, /*onDevice=*/false);
  }
  for (const schedule::Input& input : signature.inputs)
    add(input.name, inputs.inputs, input.name, at::kFloat);
  for (const schedule::State& state : signature.states)
    add(state.name, inputs.state, state.name, at::kDouble);
  return slots;
}

absl::Status fill(const Signature& signature, const Call& call, runtime::ObjectiveInputs& inputs) {
  const std::map<std::string, Slot> slots = slotsOf(signature, call, inputs);
  std::vector<std::string> known;
  for (const auto& [name, slot] : slots) known.push_back(name);
  for (const auto& [name, array] : call.inputs) {
    const auto slot = slots.find(name);
    if (slot == slots.end()) return UnknownNameError("input", name, known);
    const bool wantsIntegers = slot->second.dtype == at::kLong;
    // Whole numbers in a text file may stand for reals.
    Array values = array;
    if (!wantsIntegers && array.isInteger) {
      values = Array::ofReals(array.shape,
                              std::vector<double>(array.integers.begin(), array.integers.end()));
    }
    if (wantsIntegers && !array.isInteger)
      return absl::InvalidArgumentError(absl::StrCat(name, ": expected integers, got reals"));
    const at::Tensor tensor = toTensor(values, slot->second.dtype);
    *slot->second.tensor = slot->second.onDevice ? tensor.to(c10::Device(call.device)) : tensor;
  }
  return absl::OkStatus();
}

// What the signature differentiates asks for its gradient.
void requireGradients(const Signature& signature, const Call& call,
                      runtime::ObjectiveInputs& inputs) {
  if (call.schedule == kReadsOnly) return;
  for (const schedule::Distribution& distribution : signature.distributions) {
    const auto found = inputs.distributions.find(distribution.Name());
    if (!distribution.requires_grad || found == inputs.distributions.end()) continue;
    runtime::ScoredTokens& tokens = found->second;
    for (at::Tensor* tensor : {&tokens.hidden, &tokens.logits, &tokens.logp})
      if (tensor->defined()) tensor->set_requires_grad(true);
  }
  for (const std::string& model : signature.Models(/*with_gradient=*/true)) {
    for (NamedTensors* tensors : {&inputs.heads, &inputs.biases}) {
      const auto tensor = tensors->find(model);
      if (tensor != tensors->end()) tensor->second.set_requires_grad(!call.frozenHead);
    }
  }
}

absl::StatusOr<runtime::ObjectiveInputs> tensorsOf(const Signature& signature, const Call& call) {
  runtime::ObjectiveInputs inputs;
  inputs.hyperparameters = call.hyperparameters;
  inputs.temperatures = call.temperatures;
  inputs.soft_caps = call.softCaps;
  ALIDADE_RETURN_IF_ERROR(fill(signature, call, inputs));
  requireGradients(signature, call, inputs);
  return inputs;
}

absl::StatusOr<PlannedCall> planTensors(const Signature& signature, const Call& call) {
  ALIDADE_ASSIGN_OR_RETURN(const runtime::ObjectiveInputs inputs, tensorsOf(signature, call));
  const bool readsOnly = call.schedule == kReadsOnly;
  ALIDADE_ASSIGN_OR_RETURN(
      const runtime::BoundInputs bound,
      runtime::BindInputs(signature, inputs,
                          {.want_gradients = !readsOnly, .reads_only = readsOnly}));
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
  if (outputs.loss.defined()) arrays["loss"] = toArray(outputs.loss);
  for (const auto& [name, metric] : outputs.metrics) arrays["metric." + name] = toArray(metric);
  for (const auto& [name, logp] : outputs.logp) arrays["logp." + name] = toArray(logp);
  for (const auto& [name, state] : outputs.state) arrays["state." + name] = toArray(state);
  const auto gradient = [&](const std::string& name, const at::Tensor& tensor) {
    if (tensor.defined() && tensor.grad().defined())
      arrays["grad." + name] = toArray(tensor.grad());
  };
  for (const auto& [name, tokens] : inputs.distributions) {
    gradient(name + ".hidden", tokens.hidden);
    gradient(name + ".logits", tokens.logits);
    gradient(name + ".logp", tokens.logp);
  }
  for (const auto& [model, head] : inputs.heads) gradient(model + ".head", head);
  for (const auto& [model, bias] : inputs.biases) gradient(model + ".bias", bias);
}

}  // namespace

absl::StatusOr<PlannedCall> planCall(const Signature& signature, const Call& call) {
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
    // Before any tensor is put there.
    ALIDADE_RETURN_IF_ERROR(objective.KernelsFor(c10::Device(call.device)).status());
    ALIDADE_ASSIGN_OR_RETURN(const runtime::ObjectiveInputs inputs,
                             tensorsOf(objective.signature(), call));
    ALIDADE_ASSIGN_OR_RETURN(const runtime::ObjectiveOutputs outputs,
                             Apply(objective, inputs,
                                   {.schedule = call.schedule,
                                    .memory_budget_bytes = call.memoryBudget,
                                    .chunk_tokens = call.chunkTokens}));
    if (outputs.loss.defined() && outputs.loss.requires_grad()) outputs.loss.backward();
    collect(inputs, outputs, result.outputs);
    result.schedule = outputs.schedule;
    return absl::OkStatus();
  }));
  return result;
}

}  // namespace alidade::pref
