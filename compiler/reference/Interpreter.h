// The meaning of an objective: a plain interpreter in double precision, the oracle of everything
// that is compiled.
//
//   Batch batch;
//   batch.numRows = 2;
//   batch.offsets["token(chosen)"] = {0, 3, 5};
//   batch.reads["policy.chosen"] = {-0.1, -0.2, -0.7, -1.0, -0.4};
//   ...
//   absl::StatusOr<Evaluation> result = interpret(objective, batch);
//   result->loss;
//
// The same call serves an objective before and after differentiation; only the latter yields
// cotangents.

#ifndef ALIDADE_COMPILER_REFERENCE_INTERPRETER_H_
#define ALIDADE_COMPILER_REFERENCE_INTERPRETER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "compiler/dialect/pref/Pref.h"

namespace alidade::pref {

// What was read of the scored responses of some rows, and what else the objective takes. Exactly
// what it names must be present.
struct Batch {
  int64_t numRows = 0;
  // By name of the axis (toString(Axis)): from 0 and not decreasing; the points below point i of
  // the parent axis are offsets[i] .. offsets[i + 1]. Row and pair, which follow from others, are
  // not given.
  std::map<std::string, std::vector<int64_t>> offsets;
  // By name of the read (Read::name), packed: log-probabilities, entropies and divergences in nats.
  std::map<std::string, std::vector<double>> reads;
  // By name, one number per point, packed.
  std::map<std::string, std::vector<double>> inputs;
  // Those that differ from their defaults.
  std::map<std::string, double> hyperparameters;
  std::map<std::string, double> states;        // at the start of the step
  std::map<std::string, std::string> options;  // of options that are still open
};

struct Evaluation {
  double loss = 0;
  // [row] metrics are means over rows.
  std::map<std::string, double> metrics;
  // At the end of the step.
  std::map<std::string, double> states;
  // d loss / d read, by name of the read, packed as the read is. Empty before pref-differentiate.
  std::map<std::string, std::vector<double>> cotangents;
};

// Errors (invalid argument) name the axis, read, input, hyperparameter, state or option, what was
// expected and what was given.
absl::StatusOr<Evaluation> interpret(ObjectiveOp objective, const Batch& batch);

// d loss / d one read by central differences: what differentiation is checked against. The error is
// of order step^2; gradients that the objective stops are not stopped here.
absl::StatusOr<std::vector<double>> centralDifferences(ObjectiveOp objective, const Batch& batch,
                                                       const std::string& read, double step = 1e-5);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_REFERENCE_INTERPRETER_H_
