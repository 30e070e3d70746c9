#include "trainers/core/loop.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/files.h"
#include "common/progress/progress.h"
#include "common/status/status.h"
#include "common/tensor/fence.h"
#include "nlohmann/json.hpp"
#include "trainers/core/adamw.h"
#include "trainers/core/checkpoint.h"
#include "trainers/core/data_order.h"
#include "trainers/core/metrics_log.h"
#include "trainers/core/random_streams.h"
#include "trainers/core/schedule.h"
#include "trainers/core/workers.h"

namespace alidade::trainers {
namespace {

// As PyTorch's clip_grad_norm_: keeps the factor finite for a gradient of zero.
constexpr double kClipEpsilon = 1e-6;

struct StepResult {
  double loss = 0;
  Scalars scalars;  // all that is logged
};

// One micro-batch on its way through a thread.
struct Part {
  MicroBatch batch;
  absl::Status status;
  double loss = 0;
  std::vector<Metric> metrics;
  std::vector<at::Tensor>
      gradients;  // per parameter; undefined where the loss does not depend on it
};

// Sums of what the parts of a step report.
struct StepSums {
  struct Sum {
    double value = 0, weight = 0;
  };
  double loss = 0;
  std::vector<std::string> names;  // in the order of first mention
  std::map<std::string, Sum> metrics;

  void Add(const Part& part) {
    loss += part.loss;
    for (const Metric& metric : part.metrics) {
      if (!metrics.count(metric.name)) names.push_back(metric.name);
      metrics[metric.name].value += metric.value * metric.weight;
      metrics[metric.name].weight += metric.weight;
    }
  }
  Scalars Means() const {
    Scalars means;
    for (const std::string& name : names)
      means.emplace_back(name, metrics.at(name).value / metrics.at(name).weight);
    return means;
  }
};

class Trainer {
 public:
  Trainer(Stage& stage, const LoopConfig& config, RunFolder& folder)
      : stage_(stage),
        config_(config),
        folder_(folder),
        order_(folder.seed(), stage.groups()),
        streams_(folder.seed()),
        optimizer_(config.optimizer(), stage.parameters()),
        workers_(config.shards()) {
    for (const auto& [name, tensor] : stage.parameters()) parameters_.push_back(tensor);
  }

  absl::StatusOr<RunSummary> Run(const RunOptions& options);

 private:
  absl::Status CheckSetup() const;
  int64_t NumSteps() const;
  absl::Status Restore();
  absl::StatusOr<StepResult> Step(int64_t step);
  absl::Status Accumulate(int64_t step, StepSums& sums);
  std::vector<Part> Split(int64_t step);
  void Compute(Part& part);
  void AddGradients(const Part& part);
  absl::Status Save(int64_t step, double loss);
  absl::Status ExportModel();
  absl::Status CheckFinite(int64_t step, absl::string_view what, double value) const;

  Stage& stage_;
  const LoopConfig& config_;
  RunFolder& folder_;
  DataOrder order_;
  RandomStreams streams_;
  AdamW optimizer_;
  Workers workers_;
  std::vector<at::Tensor> parameters_;
  std::unique_ptr<MetricsLog> metrics_;
  int64_t num_steps_ = 0;
  int64_t first_step_ = 0;  // steps done before this call
  double loss_ = 0;         // of the last step
};

absl::Status Trainer::CheckSetup() const {
  const int64_t parts = config_.accumulation() * config_.shards();
  if (parts > 1) {
    ALIDADE_RETURN_IF_ERROR(stage_.CheckSplit(),
                            config_.accumulation() > 1 ? "loop.accumulation" : "loop.shards");
  }
  for (const DataGroup& group : order_.groups()) {
    if (group.batch_size >= parts) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("loop.accumulation * loop.shards: expected at most the batch size ",
                     group.batch_size, " of ", group.name, ", got ", parts));
  }
  return absl::OkStatus();
}

int64_t Trainer::NumSteps() const {
  if (config_.has_steps()) return config_.steps();
  const DataGroup& group = order_.groups().front();
  const double steps =
      config_.epochs() * static_cast<double>(group.size) / static_cast<double>(group.batch_size);
  return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(steps - 1e-9)));
}

absl::Status Trainer::Restore() {
  ALIDADE_ASSIGN_OR_RETURN(std::optional<Checkpoint> checkpoint,
                           ReadNewestCheckpoint(folder_.CheckpointFolder()));
  MetricsPosition position;
  if (checkpoint.has_value()) {
    const NamedTensors own = stage_.parameters();
    c10::NoGradGuard no_grad;
    for (const auto& [name, tensor] : own) {
      const auto saved = checkpoint->weights.find(name);
      if (saved == checkpoint->weights.end()) {
        return absl::DataLossError(absl::StrCat("checkpoint of step ", checkpoint->step,
                                                ": weight ", name, " is missing"));
      }
      if (saved->second.sizes() != tensor.sizes()) {
        return absl::DataLossError(absl::StrCat("checkpoint of step ", checkpoint->step,
                                                ": weight ", name, ": expected shape [",
                                                absl::StrJoin(tensor.sizes(), ", "), "], got [",
                                                absl::StrJoin(saved->second.sizes(), ", "), "]"));
      }
      tensor.copy_(saved->second);
    }
    ALIDADE_RETURN_IF_ERROR(optimizer_.Restore(checkpoint->optimizer, checkpoint->step));
    ALIDADE_RETURN_IF_ERROR(streams_.Restore(checkpoint->streams));
    ALIDADE_RETURN_IF_ERROR(stage_.RestoreState(checkpoint->stage));
    first_step_ = checkpoint->step;
    loss_ = checkpoint->loss;
    position = checkpoint->metrics;
  }
  ALIDADE_ASSIGN_OR_RETURN(metrics_, MetricsLog::Open(folder_.path(), position));
  return absl::OkStatus();
}

absl::Status Trainer::CheckFinite(int64_t step, absl::string_view what, double value) const {
  if (std::isfinite(value)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("step ", step + 1, ": ", what, ": expected a finite number, got ", value,
                   "; lower loop.optimizer.learning_rate or set loop.clip_norm; checkpoints before "
                   "this step are kept in ",
                   folder_.CheckpointFolder()));
}

// All parts of a step: accumulation times shards of them.
std::vector<Part> Trainer::Split(int64_t step) {
  std::vector<Part> parts(config_.accumulation() * config_.shards());
  std::vector<std::vector<int64_t>> step_rows;
  const int64_t num_groups = static_cast<int64_t>(order_.groups().size()),
                num_parts = static_cast<int64_t>(parts.size());
  for (int64_t group = 0; group < num_groups; ++group)
    step_rows.push_back(order_.Rows(group, step));
  for (int64_t i = 0; i < num_parts; ++i) {
    parts[i].batch.step = step;
    parts[i].batch.step_rows = step_rows;
    for (const std::vector<int64_t>& rows : step_rows) {
      const int64_t size = static_cast<int64_t>(rows.size());
      parts[i].batch.rows.emplace_back(rows.begin() + size * i / num_parts,
                                       rows.begin() + size * (i + 1) / num_parts);
    }
  }
  return parts;
}

void Trainer::Compute(Part& part) {
  part.status = FenceTorch(absl::StrCat("step ", part.batch.step + 1), [&]() -> absl::Status {
    ALIDADE_ASSIGN_OR_RETURN(MicroBatchOutput output, stage_.Compute(part.batch, streams_), "step ",
                             part.batch.step + 1);
    part.loss = output.loss.item<double>();
    part.metrics = std::move(output.metrics);
    part.gradients = torch::autograd::grad({output.loss}, parameters_, /*grad_outputs=*/{},
                                           /*retain_graph=*/false,
                                           /*create_graph=*/false, /*allow_unused=*/true);
    return absl::OkStatus();
  });
}

void Trainer::AddGradients(const Part& part) {
  c10::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor& gradient = part.gradients[i];
    if (!gradient.defined()) continue;
    if (parameters_[i].grad().defined()) {
      parameters_[i].mutable_grad().add_(gradient);
    } else {
      parameters_[i].mutable_grad() = gradient.contiguous();
    }
  }
}

// Leaves the gradients of the whole step in the parameters. Parts are added in their order,
// whichever is ready first.
absl::Status Trainer::Accumulate(int64_t step, StepSums& sums) {
  std::vector<Part> parts = Split(step);
  for (int64_t micro = 0; micro < config_.accumulation(); ++micro) {
    const int64_t begin = micro * config_.shards();
    workers_.Run([&](int64_t shard) { Compute(parts[begin + shard]); });
    for (int64_t i = begin; i < begin + config_.shards(); ++i) {
      ALIDADE_RETURN_IF_ERROR(parts[i].status);
      AddGradients(parts[i]);
      sums.Add(parts[i]);
      parts[i].gradients.clear();
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<StepResult> Trainer::Step(int64_t step) {
  StepSums sums;
  ALIDADE_RETURN_IF_ERROR(Accumulate(step, sums));
  StepResult result;
  result.loss = sums.loss;
  ALIDADE_RETURN_IF_ERROR(CheckFinite(step, "loss", result.loss));
  const double norm = optimizer_.GradientNorm();
  ALIDADE_RETURN_IF_ERROR(CheckFinite(step, "gradient norm", norm));
  if (config_.has_clip_norm() && norm > config_.clip_norm()) {
    optimizer_.ScaleGradients(config_.clip_norm() / (norm + kClipEpsilon));
  }
  const double rate =
      LearningRate(config_.schedule(), config_.optimizer().learning_rate(), step, num_steps_);
  ALIDADE_RETURN_IF_ERROR(optimizer_.Step(rate));
  result.scalars = {{"loss", result.loss}, {"learning_rate", rate}, {"gradient_norm", norm}};
  const Scalars metrics = sums.Means();
  result.scalars.insert(result.scalars.end(), metrics.begin(), metrics.end());
  return result;
}

absl::Status Trainer::Save(int64_t step, double loss) {
  Checkpoint checkpoint;
  checkpoint.step = step;
  checkpoint.weights = stage_.parameters();
  checkpoint.optimizer = optimizer_.State();
  checkpoint.stage = stage_.State();
  checkpoint.position = nlohmann::json::object();
  for (const DataGroup& group : order_.groups()) {
    const int64_t next = step * group.batch_size;
    checkpoint.position[group.name] = {{"epoch", next / group.size}, {"record", next % group.size}};
  }
  checkpoint.streams = streams_.Save();
  ALIDADE_ASSIGN_OR_RETURN(checkpoint.metrics, metrics_->Sync());
  checkpoint.loss = loss;
  return WriteCheckpoint(folder_.CheckpointFolder(), checkpoint);
}

absl::Status Trainer::ExportModel() {
  const std::string partial = folder_.ModelFolder() + ".partial";
  ALIDADE_RETURN_IF_ERROR(RemoveTree(partial));
  ALIDADE_RETURN_IF_ERROR(MakeFolder(partial));
  ALIDADE_RETURN_IF_ERROR(stage_.Export(partial));
  ALIDADE_RETURN_IF_ERROR(SyncFolder(partial));
  // A model from a run that was stopped before its summary is the same model; it can be written
  // again.
  ALIDADE_RETURN_IF_ERROR(RemoveTree(folder_.ModelFolder()));
  return PublishFolder(partial, folder_.ModelFolder());
}

absl::StatusOr<RunSummary> Trainer::Run(const RunOptions& options) {
  num_steps_ = NumSteps();
  ALIDADE_RETURN_IF_ERROR(CheckSetup());
  ALIDADE_RETURN_IF_ERROR(Restore());
  std::optional<Progress> progress;
  if (!options.quiet) {
    progress.emplace(options.label, num_steps_, "step");
    progress->Update(first_step_);
  }
  for (int64_t step = first_step_; step < num_steps_; ++step) {
    ALIDADE_ASSIGN_OR_RETURN(const StepResult result, Step(step));
    loss_ = result.loss;
    const int64_t done = step + 1;
    if (step == 0 || done == num_steps_ || done % config_.log_every() == 0) {
      ALIDADE_RETURN_IF_ERROR(metrics_->Write(done, result.scalars));
    }
    if (done == num_steps_ || done % config_.checkpoint_every() == 0) {
      ALIDADE_RETURN_IF_ERROR(Save(done, result.loss), "while writing the checkpoint of step ",
                              done);
    }
    if (progress.has_value()) progress->Update(done, {{"loss", result.loss}});
    if (options.after_step != nullptr) ALIDADE_RETURN_IF_ERROR(options.after_step(done));
  }
  if (progress.has_value()) progress->Finish();
  ALIDADE_RETURN_IF_ERROR(ExportModel(), "while writing the model");
  const RunSummary summary{num_steps_, loss_, first_step_};
  ALIDADE_RETURN_IF_ERROR(folder_.Finish(summary));
  return summary;
}

}  // namespace

absl::StatusOr<RunSummary> Train(Stage& stage, const LoopConfig& config, RunFolder& folder,
                                 const RunOptions& options) {
  if (folder.finished().has_value()) return *folder.finished();
  return Trainer(stage, config, folder).Run(options);
}

}  // namespace alidade::trainers
