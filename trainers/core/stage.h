// What a kind of training tells the loop: its records, its parameters, and what one micro-batch
// costs.
#ifndef ALIDADE_TRAINERS_CORE_STAGE_H_
#define ALIDADE_TRAINERS_CORE_STAGE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tensor/named_tensors.h"
#include "trainers/core/data_order.h"
#include "trainers/core/random_streams.h"

namespace alidade::trainers {

// Record rows of one micro-batch, per group.
struct MicroBatch {
  int64_t step = 0;                             // 0 is the first
  std::vector<std::vector<int64_t>> step_rows;  // of the whole step: what losses are normalised by
  std::vector<std::vector<int64_t>>
      rows;  // of this micro-batch; the micro-batches of a step share step_rows out
};

// A number to log; a step's value is the mean over its micro-batches, weighted by `weight` > 0.
struct Metric {
  std::string name;
  double value = 0;
  double weight = 1;
};

struct MicroBatchOutput {
  // [] f32 with gradient: this micro-batch's share; the sum over the micro-batches is the loss of
  // the step.
  at::Tensor loss;
  std::vector<Metric> metrics;
};

class Stage {
 public:
  virtual ~Stage() = default;

  // "sft", "preference".
  virtual std::string name() const = 0;
  // The record groups in a fixed order; the first one defines the epoch.
  virtual std::vector<DataGroup> groups() const = 0;
  // Whether a step may be computed in several micro-batches with the same result. An error says why
  // not.
  virtual absl::Status CheckSplit() const { return absl::OkStatus(); }
  // Trained leaves, by name. The optimiser changes them in place.
  virtual NamedTensors parameters() const = 0;
  // Cost of a micro-batch. May throw what LibTorch throws; the loop fences it. With loop.shards > 1
  // several threads call this at a time; then streams.At() may be used and streams.Get() may not.
  virtual absl::StatusOr<MicroBatchOutput> Compute(const MicroBatch& batch,
                                                   RandomStreams& streams) = 0;
  // What the objective carries from step to step, empty if nothing.
  virtual NamedTensors State() const { return {}; }
  virtual absl::Status RestoreState(const NamedTensors& state);
  // Writes the trained model into `folder`, which exists and is empty.
  virtual absl::Status Export(const std::string& folder) const = 0;
};

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_CORE_STAGE_H_
