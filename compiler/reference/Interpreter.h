// The meaning of an objective: a plain interpreter in double precision, the oracle of everything
// that is compiled.
//
//   Batch batch;
//   batch.numRows = 2;
//   batch.offsets["chosen"] = {0, 3, 5};
//   batch.logProbs["policy.chosen"] = {-0.1, -0.2, -0.7, -1.0, -0.4};
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

// Token log-probabilities of the scored responses of some rows. Exactly what the objective reads
// must be present.
struct Batch {
  int64_t numRows = 0;
  // By response role, [numRows + 1], from 0 and not decreasing: tokens of row b are offsets[b] ..
  // offsets[b + 1].
  std::map<std::string, std::vector<int64_t>> offsets;
  // By name of the distribution (DistributionAttr::getName), packed over rows, in nats.
  std::map<std::string, std::vector<double>> logProbs;
  // Those that differ from their defaults.
  std::map<std::string, double> hyperparameters;
};

struct Evaluation {
  double loss = 0;
  // [row] metrics are means over rows.
  std::map<std::string, double> metrics;
  // d loss / d log-probability, by name of the distribution, packed as logProbs is. Empty before
  // pref-differentiate.
  std::map<std::string, std::vector<double>> cotangents;
};

// Errors (invalid argument) name the response, distribution or hyperparameter, what was expected
// and what was given.
absl::StatusOr<Evaluation> interpret(ObjectiveOp objective, const Batch& batch);

// d loss / d log-probability of one distribution by central differences: what differentiation is
// checked against. The error is of order step^2; gradients that the objective stops are not stopped
// here.
absl::StatusOr<std::vector<double>> centralDifferences(ObjectiveOp objective, const Batch& batch,
                                                       const std::string& distribution,
                                                       double step = 1e-5);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_REFERENCE_INTERPRETER_H_
