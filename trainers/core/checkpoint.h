// Checkpoints: what a run needs to go on bit by bit.
//
//   <folder>/step_00000250/  checkpoint.json  weights.safetensors  optimizer.safetensors
//   stage.safetensors
//
// checkpoint.json holds the step, the data position, the random streams, the sizes of the curves
// and the sha256 of every other file and of itself. A checkpoint is written beside, synced and
// renamed, so a folder step_* is always whole.
#ifndef ALIDADE_TRAINERS_CORE_CHECKPOINT_H_
#define ALIDADE_TRAINERS_CORE_CHECKPOINT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tensor/named_tensors.h"
#include "nlohmann/json.hpp"
#include "trainers/core/metrics_log.h"

namespace alidade::trainers {

struct Checkpoint {
  int64_t step = 0;         // optimiser steps done
  NamedTensors weights;     // trained parameters
  NamedTensors optimizer;   // AdamW::State()
  NamedTensors stage;       // Stage::State()
  nlohmann::json position;  // {"<group>": {"epoch": 1, "record": 64}}: the next record
  nlohmann::json streams;   // RandomStreams::Save()
  MetricsPosition metrics;
  double loss = 0;  // of the last step
};

inline constexpr int kCheckpointsKept = 2;

// Adds a checkpoint and then removes all but the kCheckpointsKept newest. On an error (a full disk)
// the older ones stay.
absl::Status WriteCheckpoint(const std::string& folder, const Checkpoint& checkpoint);

// The newest checkpoint, or none if there is none. A newest one that is truncated or altered is
// DATA_LOSS, which names the file, expected and got, and says which older one is whole; nothing is
// removed.
absl::StatusOr<std::optional<Checkpoint>> ReadNewestCheckpoint(const std::string& folder);

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_CORE_CHECKPOINT_H_
