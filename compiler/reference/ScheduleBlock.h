// The scalar block of an objective for the interpreter of schedules: the meaning of the objective
// around the meaning of the steps.
//
//   InterpretSchedule(signature, problem, schedule, inputs, ScheduleBlock(objective, signature,
//   problem));

#ifndef ALIDADE_COMPILER_REFERENCE_SCHEDULEBLOCK_H_
#define ALIDADE_COMPILER_REFERENCE_SCHEDULEBLOCK_H_

#include "absl/status/status.h"

#include "compiler/dialect/pref/Pref.h"
#include "compiler/schedule/interpreter.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/signature.h"

namespace alidade::pref {

// Evaluates the whole batch at every call and keeps the cotangents of the rows asked for. Rows
// whose scores are not known yet hold what the schedule's interpreter put there: where the coupling
// analysis is right it cannot matter. Nothing is kept for the known block, which is part of every
// evaluation.
class ScheduleBlock {
 public:
  // `objective` is differentiated and belongs to `signature`; all three outlive the block.
  ScheduleBlock(ObjectiveOp objective, const schedule::Signature& signature,
                const schedule::Problem& problem)
      : objective(objective), signature(signature), problem(problem) {}

  absl::Status operator()(const schedule::ScalarCall& call) const;

 private:
  ObjectiveOp objective;
  const schedule::Signature& signature;
  const schedule::Problem& problem;
};

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_REFERENCE_SCHEDULEBLOCK_H_
