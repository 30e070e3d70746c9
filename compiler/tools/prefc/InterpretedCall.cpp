// The interpreter's side of Calls.h: the schedule walked in double precision around the dialect's
// own interpreter.

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/reference/Interpreter.h"
#include "compiler/schedule/interpreter.h"
#include "compiler/tools/prefc/Calls.h"

namespace alidade::pref {
namespace {

using schedule::InterpreterInputs;
using schedule::InterpreterOutputs;
using schedule::ScalarCall;
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
    scores.logp = realsOf(call.inputs, name + ".logp");
    const auto labels = call.inputs.find(name + ".labels");
    if (labels != call.inputs.end()) scores.labels = labels->second.integers;
    inputs.distributions.push_back(std::move(scores));
  }
  for (const auto& [model, head] : planned.problem.heads) {
    inputs.heads[model] = realsOf(call.inputs, model + ".head");
  }
  inputs.hyperparameters = planned.hyperparameters;
  return inputs;
}

// Evaluates the whole batch and keeps the cotangents of the rows asked for. Rows whose scores are
// not known yet hold zeros: where the coupling analysis is right they cannot matter.
class Block {
 public:
  Block(ObjectiveOp objective, const Signature& signature, const schedule::Problem& problem)
      : objective(objective), signature(signature), problem(problem) {}

  absl::Status operator()(const ScalarCall& call) const {
    Batch batch;
    batch.numRows = call.num_rows;
    for (size_t i = 0; i < signature.axes.size(); ++i)
      batch.offsets[signature.axes[i].Name()] = problem.offsets[i];
    for (size_t i = 0; i < signature.reads.size(); ++i) {
      const int64_t d = signature.reads[i].distribution;
      const int64_t tokens = schedule::NumTokens(signature, problem, d);
      batch.reads[signature.distributions[d].Name()].assign(call.reads[i], call.reads[i] + tokens);
    }
    for (size_t i = 0; i < signature.hyperparameters.size(); ++i) {
      batch.hyperparameters[signature.hyperparameters[i].name] = call.hyperparameters[i];
    }
    ALIDADE_ASSIGN_OR_RETURN(const Evaluation evaluation, interpret(objective, batch));
    for (const schedule::VocabularyRead& read : signature.reads) {
      if (read.cotangent < 0 || call.cotangents[read.cotangent] == nullptr) continue;
      const schedule::Distribution& distribution = signature.distributions[read.distribution];
      const std::vector<double>& values = evaluation.cotangents.at(distribution.Name());
      const int64_t* offsets = call.offsets[*signature.FindResponse(distribution.response)];
      std::copy(values.begin() + offsets[call.row_begin], values.begin() + offsets[call.row_end],
                call.cotangents[read.cotangent] + offsets[call.row_begin]);
    }
    if (call.results == nullptr) return absl::OkStatus();
    call.results[0] = evaluation.loss;
    for (size_t i = 0; i < signature.metrics.size(); ++i) {
      call.results[i + 1] = evaluation.metrics.at(signature.metrics[i]);
    }
    return absl::OkStatus();
  }

 private:
  ObjectiveOp objective;
  const Signature& signature;
  const schedule::Problem& problem;
};

Arrays outputArrays(const Signature& signature, const PlannedCall& planned,
                    InterpreterOutputs outputs) {
  Arrays arrays;
  arrays["loss"] = Array::ofScalar(outputs.loss);
  for (size_t i = 0; i < signature.metrics.size(); ++i) {
    arrays["metric." + signature.metrics[i]] = Array::ofScalar(outputs.metrics[i]);
  }
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    const schedule::Distribution& distribution = signature.distributions[d];
    const std::string name = distribution.Name();
    const int64_t tokens = schedule::NumTokens(signature, planned.problem, d);
    arrays["logp." + name] = Array::ofReals({tokens}, std::move(outputs.logp[d]));
    if (!outputs.hidden_gradients[d].empty()) {
      const int64_t hidden = planned.problem.heads.at(distribution.model).hidden;
      arrays["grad." + name + ".hidden"] =
          Array::ofReals({tokens, hidden}, std::move(outputs.hidden_gradients[d]));
    } else if (planned.problem.uses[d].provided && distribution.requires_grad) {
      arrays["grad." + name + ".logp"] = Array::ofReals({tokens}, std::move(outputs.cotangents[d]));
    }
  }
  for (auto& [model, gradient] : outputs.head_gradients) {
    const schedule::HeadShape& head = planned.problem.heads.at(model);
    arrays["grad." + model + ".head"] =
        Array::ofReals({head.vocabulary, head.hidden}, std::move(gradient));
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
                                  Block(objective, signature, planned.problem)));
  CallResult result;
  result.outputs = outputArrays(signature, planned, std::move(outputs));
  result.schedule = std::string(schedule::KindName(planned.plan.schedule.kind));
  return result;
}

}  // namespace alidade::pref
