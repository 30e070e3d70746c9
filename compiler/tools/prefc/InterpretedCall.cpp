// The interpreter's side of Calls.h: the schedule walked in double precision around the dialect's
// own interpreter.

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "compiler/reference/ScheduleBlock.h"
#include "compiler/schedule/interpreter.h"
#include "compiler/tools/prefc/Calls.h"

namespace alidade::pref {
namespace {

using schedule::InterpreterInputs;
using schedule::InterpreterOutputs;
using schedule::Signature;

std::vector<double> realsOf(const Arrays& arrays, const std::string& name) {
  const auto found = arrays.find(name);
  if (found == arrays.end()) return {};
  const Array& array = found->second;
  return array.isInteger ? std::vector<double>(array.integers.begin(), array.integers.end())
                         : array.reals;
}

InterpreterInputs interpreterInputs(const Signature& signature, const Call& call,
                                    const PlannedCall& planned) {
  InterpreterInputs inputs;
  for (const schedule::Distribution& distribution : signature.distributions) {
    const std::string name = distribution.Name();
    InterpreterInputs::Scores scores;
    scores.hidden = realsOf(call.inputs, name + ".hidden");
    scores.logits = realsOf(call.inputs, name + ".logits");
    scores.logp = realsOf(call.inputs, name + ".logp");
    const auto labels = call.inputs.find(name + ".labels");
    if (labels != call.inputs.end()) scores.labels = labels->second.integers;
    inputs.distributions.push_back(std::move(scores));
  }
  for (const auto& [model, head] : planned.problem.heads) {
    inputs.heads[model] = realsOf(call.inputs, model + ".head");
    if (head.has_bias) inputs.biases[model] = realsOf(call.inputs, model + ".bias");
  }
  for (const schedule::Input& input : signature.inputs)
    inputs.inputs.push_back(realsOf(call.inputs, input.name));
  for (const schedule::State& state : signature.states) {
    const std::vector<double> given = realsOf(call.inputs, state.name);
    inputs.state.push_back(given.empty() ? state.default_value : given[0]);
  }
  inputs.hyperparameters = planned.hyperparameters;
  return inputs;
}

void addScores(const Signature& signature, const schedule::Problem& problem,
               InterpreterOutputs& outputs, Arrays& arrays) {
  const std::vector<std::string> names = signature.ReadNames();
  for (size_t i = 0; i < signature.reads.size(); ++i) {
    const schedule::VocabularyRead& read = signature.reads[i];
    const schedule::DistributionUse& use = problem.uses[read.distribution];
    if (use.absent) continue;
    const int64_t tokens = NumTokens(signature, problem, read.distribution);
    arrays["logp." + names[i]] = Array::ofReals({tokens}, outputs.reads[i]);
    if (use.provided && read.cotangent >= 0) {
      const std::string name = signature.distributions[read.distribution].Name();
      arrays["grad." + name + ".logp"] =
          Array::ofReals({tokens}, outputs.cotangents[read.cotangent]);
    }
  }
}

Arrays outputArrays(const Signature& signature, const PlannedCall& planned, bool gradients,
                    InterpreterOutputs outputs) {
  Arrays arrays;
  addScores(signature, planned.problem, outputs, arrays);
  const auto isAbsent = [](const schedule::DistributionUse& use) { return use.absent; };
  const auto& uses = planned.problem.uses;
  if (std::none_of(uses.begin(), uses.end(), isAbsent)) {
    arrays["loss"] = Array::ofScalar(outputs.loss);
    for (size_t i = 0; i < signature.metrics.size(); ++i)
      arrays["metric." + signature.metrics[i]] = Array::ofScalar(outputs.metrics[i]);
    for (size_t i = 0; i < signature.states.size(); ++i)
      arrays["state." + signature.states[i].name] = Array::ofScalar(outputs.state[i]);
  }
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    const schedule::Distribution& distribution = signature.distributions[d];
    const std::string grad = "grad." + distribution.Name();
    const int64_t tokens = NumTokens(signature, planned.problem, d);
    if (!gradients) arrays.erase(grad + ".logp");
    if (!outputs.hidden_gradients[d].empty()) {
      const int64_t hidden = planned.problem.heads.at(distribution.model).hidden;
      arrays[grad + ".hidden"] =
          Array::ofReals({tokens, hidden}, std::move(outputs.hidden_gradients[d]));
    }
    if (!outputs.logits_gradients[d].empty()) {
      const int64_t vocabulary = planned.problem.heads.at(distribution.model).vocabulary;
      arrays[grad + ".logits"] =
          Array::ofReals({tokens, vocabulary}, std::move(outputs.logits_gradients[d]));
    }
  }
  for (auto& [model, gradient] : outputs.head_gradients) {
    const schedule::HeadShape& head = planned.problem.heads.at(model);
    arrays["grad." + model + ".head"] =
        Array::ofReals({head.vocabulary, head.hidden}, std::move(gradient));
  }
  for (auto& [model, gradient] : outputs.bias_gradients) {
    arrays["grad." + model + ".bias"] =
        Array::ofReals({planned.problem.heads.at(model).vocabulary}, std::move(gradient));
  }
  return arrays;
}

}  // namespace

absl::StatusOr<CallResult> runInterpreter(ObjectiveOp objective, const Signature& signature,
                                          const Call& call) {
  ALIDADE_ASSIGN_OR_RETURN(const PlannedCall planned, planCall(signature, call));
  ALIDADE_ASSIGN_OR_RETURN(
      InterpreterOutputs outputs,
      schedule::InterpretSchedule(signature, planned.problem, planned.plan.schedule,
                                  interpreterInputs(signature, call, planned),
                                  ScheduleBlock(objective, signature, planned.problem)));
  CallResult result;
  result.outputs =
      outputArrays(signature, planned, /*gradients=*/call.schedule != "R", std::move(outputs));
  result.schedule = std::string(schedule::KindName(planned.plan.schedule.kind));
  return result;
}

}  // namespace alidade::pref
