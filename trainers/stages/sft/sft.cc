#include "trainers/stages/sft/sft.h"

#include <ATen/ATen.h>

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/status/status.h"
#include "common/tensor/fence.h"
#include "trainers/core/config.h"
#include "trainers/core/loop.h"
#include "trainers/core/run_folder.h"
#include "trainers/core/stage.h"
#include "trainers/stages/conversations/model_folder.h"
#include "trainers/stages/conversations/packing.h"
#include "trainers/stages/sft/presets.h"
#include "trainers/stages/sft/sft_data.h"

namespace alidade::trainers {
namespace {

class SftStage : public Stage {
 public:
  SftStage(ModelFolder model, SftData data, NamedTensors trained)
      : model_(std::move(model)), data_(std::move(data)), trained_(std::move(trained)) {
    MarkTrained(model_.model.parameters(), trained_);
  }

  std::string name() const override { return "sft"; }
  std::vector<DataGroup> groups() const override { return data_.groups; }
  NamedTensors parameters() const override { return trained_; }
  absl::Status Export(const std::string& folder) const override {
    return SaveModelFolder(model_, folder);
  }
  absl::StatusOr<MicroBatchOutput> Compute(const MicroBatch& batch,
                                           RandomStreams& streams) override;

 private:
  // Scored tokens per part in the given rows of all groups.
  std::vector<int64_t> CountTokens(const std::vector<std::vector<int64_t>>& rows) const;
  // Adds the loss of one group's rows to `output`; `step_tokens` are those of the whole step, per
  // part.
  absl::Status ComputeGroup(int64_t group, const std::vector<int64_t>& rows,
                            const std::vector<int64_t>& step_tokens, MicroBatchOutput& output);

  ModelFolder model_;
  SftData data_;
  NamedTensors trained_;
};

std::vector<int64_t> SftStage::CountTokens(const std::vector<std::vector<int64_t>>& rows) const {
  std::vector<int64_t> tokens(data_.parts.size());
  for (size_t group = 0; group < rows.size(); ++group) {
    for (const int64_t row : rows[group]) {
      for (const auto& [part, conversation] : data_.examples[group][row].conversations) {
        tokens[part] += conversation.num_scored();
      }
    }
  }
  return tokens;
}

absl::StatusOr<MicroBatchOutput> SftStage::Compute(const MicroBatch& batch,
                                                   RandomStreams& streams) {
  const std::vector<int64_t> step_tokens = CountTokens(batch.step_rows);
  MicroBatchOutput output;
  for (size_t group = 0; group < batch.rows.size(); ++group) {
    ALIDADE_RETURN_IF_ERROR(
        ComputeGroup(static_cast<int64_t>(group), batch.rows[group], step_tokens, output));
  }
  return output;
}

absl::Status SftStage::ComputeGroup(int64_t group, const std::vector<int64_t>& rows,
                                    const std::vector<int64_t>& step_tokens,
                                    MicroBatchOutput& output) {
  // Rows of the forward pass by part, so that each part's tokens are neighbours; images once each.
  std::vector<const Conversation*> conversations;
  std::vector<int64_t> images, image_of_row;
  absl::flat_hash_map<int64_t, int64_t> place;
  std::vector<int64_t> part_tokens(data_.parts.size());
  for (size_t part = 0; part < data_.parts.size(); ++part) {
    for (const int64_t row : rows) {
      const SftExample& example = data_.examples[group][row];
      for (const auto& [its_part, conversation] : example.conversations) {
        if (its_part != static_cast<int64_t>(part)) continue;
        const auto [entry, added] =
            place.emplace(example.image, static_cast<int64_t>(images.size()));
        if (added) images.push_back(example.image);
        image_of_row.push_back(entry->second);
        conversations.push_back(&conversation);
        part_tokens[part] += conversation.num_scored();
      }
    }
  }
  const models::MllmConfig& config = model_.model.config();
  ALIDADE_ASSIGN_OR_RETURN(const at::Tensor pixels, data_.images->Pixels(images));
  const PackedRows packed =
      PackRows(conversations, config.NumImageTokens(), config.text.pad_token_id);
  const at::Tensor features =
      model_.model.EncodeImages(pixels).index_select(0, at::tensor(image_of_row, at::kLong));
  const at::Tensor logits =
      at::linear(ScoredHidden(model_.model, packed, features), model_.model.head());
  const at::Tensor correct = logits.detach().argmax(-1).eq(packed.labels);
  int64_t begin = 0;
  for (size_t part = 0; part < data_.parts.size(); ++part) {
    const int64_t tokens = part_tokens[part];
    if (tokens == 0) continue;
    const at::Tensor sum = at::cross_entropy_loss(logits.narrow(0, begin, tokens),
                                                  packed.labels.narrow(0, begin, tokens),
                                                  /*weight=*/{}, at::Reduction::Sum);
    const at::Tensor share =
        sum * (data_.parts[part].weight / static_cast<double>(step_tokens[part]));
    output.loss = output.loss.defined() ? output.loss + share : share;
    const double weight = static_cast<double>(tokens);
    output.metrics.push_back(
        {data_.parts[part].name + "/loss", sum.item<double>() / weight, weight});
    output.metrics.push_back({data_.parts[part].name + "/accuracy",
                              correct.narrow(0, begin, tokens).sum().item<double>() / weight,
                              weight});
    begin += tokens;
  }
  return absl::OkStatus();
}

absl::StatusOr<RunSummary> RunUnfenced(const SftConfig& config, const SftInputs& inputs,
                                       const std::string& out, uint64_t seed, RunOptions options) {
  RunIdentity identity{"sft", &config, seed, {}};
  ALIDADE_ASSIGN_OR_RETURN(identity.inputs["dataset"],
                           DigestFiles(inputs.dataset, {"dataset.json"}), "input dataset");
  if (!inputs.model.empty()) {
    ALIDADE_ASSIGN_OR_RETURN(identity.inputs["model"], ModelFolderDigest(inputs.model),
                             "input model");
  }
  ALIDADE_ASSIGN_OR_RETURN(const std::unique_ptr<RunFolder> folder, RunFolder::Open(out, identity));
  if (folder->finished().has_value()) return *folder->finished();
  std::string start = inputs.model;
  if (start.empty()) {
    start = JoinPath(out, "initial");
    ALIDADE_RETURN_IF_ERROR(WritePreset(config.preset(), seed, start), "preset");
  }
  ALIDADE_ASSIGN_OR_RETURN(ModelFolder model, LoadModelFolder(start));
  ALIDADE_ASSIGN_OR_RETURN(SftData data, LoadSftData(config, model, inputs.dataset));
  ALIDADE_ASSIGN_OR_RETURN(NamedTensors trained,
                           TrainedParameters(model.model.parameters(), config.frozen()));
  SftStage stage(std::move(model), std::move(data), std::move(trained));
  if (options.label.empty()) options.label = "sft";
  return Train(stage, config.loop(), *folder, options);
}

}  // namespace

absl::Status ValidateSftConfig(const SftConfig& config) {
  ALIDADE_RETURN_IF_ERROR(ValidateLoop(config.loop(), "loop"));
  switch (config.data_case()) {
    case SftConfig::kInstructions: {
      const InstructionData& data = config.instructions();
      if (data.batch_size() < 1) {
        return absl::InvalidArgumentError(
            absl::StrCat("instructions.batch_size: expected >= 1, got ", data.batch_size()));
      }
      if (!(data.answer_weight() >= 0 && std::isfinite(data.answer_weight()))) {
        return absl::InvalidArgumentError(
            absl::StrCat("instructions.answer_weight: expected >= 0, got ", data.answer_weight()));
      }
      break;
    }
    case SftConfig::kChosen:
      ALIDADE_RETURN_IF_ERROR(ValidateGroups(config.chosen().group(), "chosen.group"));
      break;
    case SftConfig::DATA_NOT_SET:
      return absl::InvalidArgumentError(
          "data: expected one of instructions and chosen, got neither");
  }
  if (config.has_preset()) ALIDADE_RETURN_IF_ERROR(CheckPreset(config.preset()), "preset");
  return absl::OkStatus();
}

absl::StatusOr<RunSummary> RunSft(const SftConfig& config, const SftInputs& inputs,
                                  const std::string& out, uint64_t seed,
                                  const RunOptions& options) {
  ALIDADE_RETURN_IF_ERROR(ValidateSftConfig(config));
  if (config.has_preset() == !inputs.model.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("preset: expected either a preset or an input model, got ",
                     config.has_preset() ? "both" : "neither"));
  }
  RunSummary summary;
  ALIDADE_RETURN_IF_ERROR(FenceTorch("supervised fine-tuning", [&]() -> absl::Status {
    ALIDADE_ASSIGN_OR_RETURN(summary, RunUnfenced(config, inputs, out, seed, options));
    return absl::OkStatus();
  }));
  return summary;
}

}  // namespace alidade::trainers
