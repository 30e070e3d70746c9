#ifndef ALIDADE_COMPILER_SCHEDULE_INTERPRETER_H_
#define ALIDADE_COMPILER_SCHEDULE_INTERPRETER_H_

// Walks a schedule in double precision with naive loops: the meaning of the steps, and the oracle
// of the executor in compiler/runtime. The scalar block comes as a function, so that the same walk
// serves the dialect's interpreter and blocks written by hand in tests.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/signature.h"

namespace alidade::schedule {

// AlidadeScalarArgs in double precision; same order, same meaning. Null cotangents and results are
// not wanted. Scores that no step has computed yet are InterpreterInputs::unknown.
struct ScalarCall {
  std::vector<const double*> reads;
  std::vector<const int64_t*> offsets;
  std::vector<const double*> inputs;
  std::vector<double> hyperparameters;
  std::vector<double*> cotangents;
  const double* state = nullptr;
  double* new_state = nullptr;  // null exactly where results are
  double* results = nullptr;
  int64_t row_begin = 0, row_end = 0, num_rows = 0;
  // kKnownBlock: no cotangents, no results; a block that has nothing to keep returns at once.
  bool known = false;
};
using ScalarBlock = std::function<absl::Status(const ScalarCall&)>;

struct InterpreterInputs {
  struct Scores {
    std::vector<double> hidden;   // [M, H], row-major
    std::vector<double> logits;   // [M, V], row-major, where the problem says that they are given
    std::vector<double> logp;     // [M] where the problem says that it is given
    std::vector<int64_t> labels;  // [M]
  };
  std::vector<Scores> distributions;                  // in signature order
  std::map<std::string, std::vector<double>> heads;   // by model: [V, H], row-major
  std::map<std::string, std::vector<double>> biases;  // by model: [V]
  // By model, where gradients are added to what is there: [V, H] and [V].
  std::map<std::string, std::vector<double>> head_gradients, bias_gradients;
  std::vector<std::vector<double>> inputs;  // in signature order, packed over their points
  std::vector<double> hyperparameters;      // in signature order
  std::vector<double> state;                // in signature order; empty: the defaults
  // Stands in reads and buffers for what is not computed yet; NaN shows who uses it too early.
  double unknown = 0;
};

struct InterpreterOutputs {
  double loss = 0;
  std::vector<double> metrics;  // in signature order
  std::vector<double> state;    // in signature order: the new state
  // By distribution: [M] log-probabilities of its labels; empty where the objective reads none.
  std::vector<std::vector<double>> logp;
  std::vector<std::vector<double>> reads;       // by read: [M]
  std::vector<std::vector<double>> cotangents;  // by cotangent: d loss / d read [M]
  // By distribution: [M, H] and [M, V]; empty where not wanted.
  std::vector<std::vector<double>> hidden_gradients, logits_gradients;
  std::map<std::string, std::vector<double>> head_gradients;  // by model: [V, H]; only those wanted
  std::map<std::string, std::vector<double>> bias_gradients;  // by model: [V]; only those wanted
};

// Errors: sizes that do not fit the problem; steps that leave the buffers of the schedule; whatever
// `block` returns.
absl::StatusOr<InterpreterOutputs> InterpretSchedule(const Signature& signature,
                                                     const Problem& problem,
                                                     const Schedule& schedule,
                                                     const InterpreterInputs& inputs,
                                                     const ScalarBlock& block);

}  // namespace alidade::schedule

#endif  // ALIDADE_COMPILER_SCHEDULE_INTERPRETER_H_
