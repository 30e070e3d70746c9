#include "compiler/reference/ScheduleBlock.h"

#include <algorithm>
#include <string>
#include <vector>

#include "common/status/status.h"
#include "compiler/reference/Interpreter.h"

namespace alidade::pref {

absl::Status ScheduleBlock::operator()(const schedule::ScalarCall& call) const {
  if (call.known) return absl::OkStatus();
  Batch batch;
  batch.numRows = call.num_rows;
  for (size_t i = 0; i < signature.axes.size(); ++i) {
    if (signature.axes[i].kind != "pair")
      batch.offsets[signature.axes[i].Name()] = problem.offsets[i];
  }
  const std::vector<std::string> names = signature.ReadNames();
  for (size_t i = 0; i < names.size(); ++i) {
    const int64_t tokens = schedule::NumTokens(signature, problem, signature.reads[i].distribution);
    batch.reads[names[i]].assign(call.reads[i], call.reads[i] + tokens);
  }
  for (size_t i = 0; i < signature.inputs.size(); ++i) {
    const schedule::Input& input = signature.inputs[i];
    const int64_t points = input.axis == schedule::Input::kNone ? 1
                           : input.axis == schedule::Input::kRow
                               ? call.num_rows
                               : problem.offsets[input.axis].back();
    batch.inputs[input.name].assign(call.inputs[i], call.inputs[i] + points);
  }
  for (size_t i = 0; i < signature.hyperparameters.size(); ++i)
    batch.hyperparameters[signature.hyperparameters[i].name] = call.hyperparameters[i];
  for (size_t i = 0; i < signature.states.size(); ++i)
    batch.states[signature.states[i].name] = call.state[i];
  ALIDADE_ASSIGN_OR_RETURN(const Evaluation evaluation, interpret(objective, batch));
  for (size_t i = 0; i < names.size(); ++i) {
    const schedule::VocabularyRead& read = signature.reads[i];
    if (read.cotangent < 0 || call.cotangents[read.cotangent] == nullptr) continue;
    const std::vector<double>& values = evaluation.cotangents.at(names[i]);
    const int64_t begin =
        schedule::FirstToken(signature, problem, read.distribution, call.row_begin);
    const int64_t end = schedule::FirstToken(signature, problem, read.distribution, call.row_end);
    std::copy(values.begin() + begin, values.begin() + end,
              call.cotangents[read.cotangent] + begin);
  }
  if (call.results == nullptr) return absl::OkStatus();
  call.results[0] = evaluation.loss;
  for (size_t i = 0; i < signature.metrics.size(); ++i)
    call.results[i + 1] = evaluation.metrics.at(signature.metrics[i]);
  for (size_t i = 0; i < signature.states.size(); ++i)
    call.new_state[i] = evaluation.states.at(signature.states[i].name);
  return absl::OkStatus();
}

}  // namespace alidade::pref
