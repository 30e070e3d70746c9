// The training loop. A stage says what a micro-batch costs; everything else happens here: data
// order, accumulation, threads, clipping, optimiser, learning rate, curves, checkpoints, going on
// after an interruption.
#ifndef ALIDADE_TRAINERS_CORE_LOOP_H_
#define ALIDADE_TRAINERS_CORE_LOOP_H_

#include "absl/status/statusor.h"
#include "trainers/core/run.h"
#include "trainers/core/run_folder.h"
#include "trainers/core/stage.h"
#include "trainers/core/training.pb.h"

namespace alidade::trainers {

// Trains to the end, from the newest checkpoint in `folder` if there is one, and ends in the same
// bits in both cases (on one machine; with loop.shards = 1 also with one number of threads). Leaves
// model/, metrics.jsonl, events/ and summary.json.
//
// Logged beside the stage's metrics: loss, learning_rate, gradient_norm (before clipping).
//
// Errors: those of the stage; a checkpoint or curve that is truncated or altered; a full disk; a
// loss or gradient that is not finite (FAILED_PRECONDITION with the step). In none of them is a
// checkpoint lost.
absl::StatusOr<RunSummary> Train(Stage& stage, const LoopConfig& config, RunFolder& folder,
                                 const RunOptions& options);

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_CORE_LOOP_H_
