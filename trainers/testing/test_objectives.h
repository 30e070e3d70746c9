// Objectives written by hand in C++, in place of compiled ones.
#ifndef ALIDADE_TRAINERS_TESTING_TEST_OBJECTIVES_H_
#define ALIDADE_TRAINERS_TESTING_TEST_OBJECTIVES_H_

#include "compiler/runtime/objective.h"

namespace alidade::trainers {

// softplus(-beta m), a mean over rows; m = sum of policy minus reference log-probabilities of
// chosen, minus that of rejected. Hyperparameter beta > 0, default 0.1. Metric margin = beta m.
const runtime::Objective& MarginObjective();

// The same plus softplus(-beta v), v = chosen on the image minus chosen on its view
// corrupted(crop).
const runtime::Objective& ViewedMarginObjective();

// The square of the mean over rows of m without a reference: batches do not split.
const runtime::Objective& CoupledObjective();

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_TESTING_TEST_OBJECTIVES_H_
