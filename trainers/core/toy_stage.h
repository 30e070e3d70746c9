// A stage small enough to compute by hand: least squares with noise from a random stream and a
// counter as objective state.
#ifndef ALIDADE_TRAINERS_CORE_TOY_STAGE_H_
#define ALIDADE_TRAINERS_CORE_TOY_STAGE_H_

#include <string>
#include <vector>

#include "trainers/core/stage.h"

namespace alidade::trainers {

// 37 rows of 5 features; the loss is the mean over the batch of (w x - y + noise * n)^2 / 2, n
// standard normal.
class ToyStage : public Stage {
 public:
  // With `bad_step` >= 0 the loss of that step is NaN.
  explicit ToyStage(double noise, int64_t bad_step = -1);

  std::string name() const override { return "toy"; }
  std::vector<DataGroup> groups() const override { return {{"rows", 37, 8}}; }
  NamedTensors parameters() const override { return {{"w", weights_}}; }
  absl::StatusOr<MicroBatchOutput> Compute(const MicroBatch& batch,
                                           RandomStreams& streams) override;
  NamedTensors State() const override { return {{"calls", calls_}}; }
  absl::Status RestoreState(const NamedTensors& state) override;
  // Writes weights.safetensors: "w" and "calls".
  absl::Status Export(const std::string& folder) const override;

 private:
  double noise_;
  int64_t bad_step_;
  at::Tensor features_, targets_, weights_, calls_;
};

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_CORE_TOY_STAGE_H_
