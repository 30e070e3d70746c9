#include "trainers/core/toy_stage.h"

#include <ATen/ATen.h>

#include <cmath>

#include "common/files/files.h"
#include "common/models/weights.h"
#include "common/provenance/random_stream.h"

namespace alidade::trainers {

ToyStage::ToyStage(double noise, int64_t bad_step) : noise_(noise), bad_step_(bad_step) {
  RandomStream stream(1, "toy");
  std::vector<float> features, targets;
  for (int row = 0; row < 37; ++row) {
    double target = 1;
    for (int i = 0; i < 5; ++i) {
      features.push_back(static_cast<float>(stream.Normal()));
      target += (i - 2) * features.back();
    }
    targets.push_back(static_cast<float>(target));
  }
  features_ = at::tensor(features, at::kFloat).view({37, 5});
  targets_ = at::tensor(targets, at::kFloat);
  weights_ = at::full({5}, 0.1, at::kFloat).set_requires_grad(true);
  calls_ = at::zeros({1}, at::kLong);
}

absl::StatusOr<MicroBatchOutput> ToyStage::Compute(const MicroBatch& batch,
                                                   RandomStreams& streams) {
  const std::vector<int64_t>& rows = batch.rows[0];
  const at::Tensor index = at::tensor(rows, at::kLong);
  std::vector<float> noise;
  for (size_t i = 0; i < rows.size(); ++i)
    noise.push_back(static_cast<float>(noise_ * streams.Get("noise").Normal()));
  const at::Tensor error = features_.index_select(0, index).mv(weights_) -
                           targets_.index_select(0, index) + at::tensor(noise, at::kFloat);
  calls_ += 1;
  MicroBatchOutput output;
  output.loss = error.square().sum() / (2.0 * static_cast<double>(batch.step_rows[0].size()));
  if (batch.step == bad_step_) output.loss = output.loss * NAN;
  const double count = static_cast<double>(rows.size());
  output.metrics = {{"error", error.detach().abs().sum().item<double>() / count, count}};
  return output;
}

absl::Status ToyStage::RestoreState(const NamedTensors& state) {
  if (!state.count("calls")) return absl::DataLossError("objective state: tensor calls is missing");
  calls_.copy_(state.at("calls"));
  return absl::OkStatus();
}

absl::Status ToyStage::Export(const std::string& folder) const {
  return models::SaveNamedTensors({{"w", weights_}, {"calls", calls_}},
                                  JoinPath(folder, "weights.safetensors"));
}

}  // namespace alidade::trainers
