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
// not wanted.
struct ScalarCall {
  std::vector<const double*> reads;
  std::vector<const int64_t*> offsets;
  std::vector<double> hyperparameters;
  std::vector<double*> cotangents;
  double* results = nullptr;
  int64_t row_begin = 0, row_end = 0, num_rows = 0;
};
using ScalarBlock = std::function<absl::Status(const ScalarCall&)>;

struct InterpreterInputs {
  struct Scores {
    std::vector<double> hidden;   // [M, H], row-major
    std::vector<double> logp;     // [M] where the problem says that it is given
    std::vector<int64_t> labels;  // [M]
  };
  std::vector<Scores> distributions;                 // in signature order
  std::map<std::string, std::vector<double>> heads;  // by model: [V, H], row-major
  std::vector<double> hyperparameters;               // in signature order
};

struct InterpreterOutputs {
  double loss = 0;
  std::vector<double> metrics;            // in signature order
  std::vector<std::vector<double>> logp;  // by distribution: [M]
  std::vector<std::vector<double>>
      cotangents;  // by distribution: d loss / d logp [M]; empty without gradient
  std::vector<std::vector<double>>
      hidden_gradients;  // by distribution: [M, H]; empty where not wanted
  std::map<std::string, std::vector<double>> head_gradients;  // by model: [V, H]; only those wanted
};

// Errors: sizes that do not fit the problem; whatever `block` returns.
absl::StatusOr<InterpreterOutputs> InterpretSchedule(const Signature& signature,
                                                     const Problem& problem,
                                                     const Schedule& schedule,
                                                     const InterpreterInputs& inputs,
                                                     const ScalarBlock& block);

}  // namespace alidade::schedule

#endif  // ALIDADE_COMPILER_SCHEDULE_INTERPRETER_H_
