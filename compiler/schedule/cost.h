#ifndef ALIDADE_COMPILER_SCHEDULE_COST_H_
#define ALIDADE_COMPILER_SCHEDULE_COST_H_

// The cost model: FLOPs, bytes and time of a schedule, step by step.

#include <string>

#include "compiler/schedule/planner.h"
#include "compiler/schedule/schedule.h"

namespace alidade::schedule {

// Fills the figures of `candidate`, whose schedule this is.
void AddCost(const Problem& problem, const Schedule& schedule, const Machine& machine,
             Candidate& candidate);

std::string Mebibytes(double bytes);  // "12.5 MiB"

}  // namespace alidade::schedule

#endif  // ALIDADE_COMPILER_SCHEDULE_COST_H_
