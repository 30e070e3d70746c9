#include "trainers/stages/preference/preference.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/provenance/digest.h"
#include "common/status/status.h"
#include "common/tensor/fence.h"
#include "trainers/core/config.h"
#include "trainers/core/loop.h"
#include "trainers/core/run_folder.h"
#include "trainers/core/stage.h"
#include "trainers/stages/conversations/model_folder.h"
#include "trainers/stages/conversations/packing.h"
#include "trainers/stages/preference/preference_data.h"
#include "trainers/stages/preference/reference_scores.h"
#include "trainers/stages/preference/requirements.h"

namespace alidade::trainers {
namespace {

// All that a run is made of.
struct Setup {
  const runtime::Objective* objective = nullptr;
  std::map<std::string, double> hyperparameters;
  std::vector<ForwardPass> passes;
  std::optional<ModelFolder> policy;  // always set
  std::optional<models::Mllm> reference;
  std::optional<ReferenceScores> reference_scores;
  PreferenceData data;
  NamedTensors trained;
};

class PreferenceStage : public Stage {
 public:
  explicit PreferenceStage(Setup setup) : setup_(std::move(setup)) {
    MarkTrained(setup_.policy->model.parameters(), setup_.trained);
  }

  std::string name() const override { return "preference"; }
  std::vector<DataGroup> groups() const override { return setup_.data.groups; }
  NamedTensors parameters() const override { return setup_.trained; }
  absl::Status Export(const std::string& folder) const override {
    return SaveModelFolder(*setup_.policy, folder);
  }
  absl::Status CheckSplit() const override {
    return CheckMeanOverRows(*setup_.objective, setup_.hyperparameters);
  }
  absl::StatusOr<MicroBatchOutput> Compute(const MicroBatch& batch,
                                           RandomStreams& streams) override;

 private:
  // Pairs of one group in one micro-batch.
  struct GroupBatch {
    int64_t step = 0, group = 0;
    std::vector<const PairExample*> pairs;
    std::vector<int64_t> rows;           // their rows in the group
    std::vector<int64_t> images;         // different images
    std::vector<int64_t> image_of_pair;  // index into images
  };

  GroupBatch MakeBatch(int64_t step, int64_t group, const std::vector<int64_t>& rows) const;
  // Features [B, P, H] of the pairs' images as the pass sees them.
  absl::StatusOr<at::Tensor> Features(const ForwardPass& pass, const models::Mllm& model,
                                      const GroupBatch& batch, RandomStreams& streams);
  // Runs one pass and adds its distributions to `inputs`.
  absl::Status RunPass(const ForwardPass& pass, const GroupBatch& batch, RandomStreams& streams,
                       runtime::ObjectiveInputs& inputs);

  Setup setup_;
};

PreferenceStage::GroupBatch PreferenceStage::MakeBatch(int64_t step, int64_t group,
                                                       const std::vector<int64_t>& rows) const {
  GroupBatch batch;
  batch.step = step;
  batch.group = group;
  batch.rows = rows;
  absl::flat_hash_map<int64_t, int64_t> place;
  for (const int64_t row : rows) {
    const PairExample& pair = setup_.data.examples[group][row];
    const auto [entry, added] =
        place.emplace(pair.image, static_cast<int64_t>(batch.images.size()));
    if (added) batch.images.push_back(pair.image);
    batch.pairs.push_back(&pair);
    batch.image_of_pair.push_back(entry->second);
  }
  return batch;
}

absl::StatusOr<at::Tensor> PreferenceStage::Features(const ForwardPass& pass,
                                                     const models::Mllm& model,
                                                     const GroupBatch& batch,
                                                     RandomStreams& streams) {
  ALIDADE_ASSIGN_OR_RETURN(const at::Tensor pixels, setup_.data.images->Pixels(batch.images));
  if (pass.maker == nullptr) {
    return model.EncodeImages(pixels).index_select(0, at::tensor(batch.image_of_pair, at::kLong));
  }
  // Every pair has its own view in every step, and so have the models: the published crop is drawn
  // anew in every forward pass. A stream per pair, so that parts of a batch see what the whole
  // would.
  std::vector<at::Tensor> views;
  for (size_t i = 0; i < batch.rows.size(); ++i) {
    RandomStream stream =
        streams.At(absl::StrCat("view/", setup_.data.groups[batch.group].name, "/", pass.model, "/",
                                pass.view, "/", batch.step, "/", batch.rows[i]));
    views.push_back(pass.maker->make(pixels.narrow(0, batch.image_of_pair[i], 1), stream));
  }
  return model.EncodeImages(at::cat(views));
}

absl::Status PreferenceStage::RunPass(const ForwardPass& pass, const GroupBatch& batch,
                                      RandomStreams& streams, runtime::ObjectiveInputs& inputs) {
  if (pass.model == kReference && pass.view == kCleanView && setup_.reference_scores.has_value()) {
    for (const ForwardPass::Read& read : pass.reads) {
      inputs.distributions[read.name] =
          setup_.reference_scores->Rows(batch.group, read.response, batch.rows, setup_.data);
    }
    return absl::OkStatus();
  }
  const models::Mllm& model = pass.model == kPolicy ? setup_.policy->model : *setup_.reference;
  const c10::AutoGradMode grad_mode(pass.requires_grad);
  ALIDADE_ASSIGN_OR_RETURN(const at::Tensor features, Features(pass, model, batch, streams));
  std::vector<const Conversation*> conversations;
  for (const ForwardPass::Read& read : pass.reads) {
    for (const PairExample* pair : batch.pairs)
      conversations.push_back(&pair->Response(read.response));
  }
  const models::MllmConfig& config = model.config();
  const PackedRows packed =
      PackRows(conversations, config.NumImageTokens(), config.text.pad_token_id);
  const int64_t num_reads = static_cast<int64_t>(pass.reads.size());
  const at::Tensor hidden = ScoredHidden(model, packed, features.repeat({num_reads, 1, 1}));
  const int64_t num_pairs = static_cast<int64_t>(batch.pairs.size());
  for (int64_t i = 0; i < num_reads; ++i) {
    const at::Tensor offsets = packed.offsets.narrow(0, i * num_pairs, num_pairs + 1);
    const int64_t begin = offsets[0].item<int64_t>();
    const int64_t tokens = offsets[num_pairs].item<int64_t>() - begin;
    runtime::ScoredTokens& scored = inputs.distributions[pass.reads[i].name];
    scored.hidden = hidden.narrow(0, begin, tokens);
    if (!pass.reads[i].requires_grad) scored.hidden = scored.hidden.detach();
    scored.labels = packed.labels.narrow(0, begin, tokens);
    scored.offsets = offsets - begin;
  }
  inputs.heads[pass.model] = model.head();
  return absl::OkStatus();
}

absl::StatusOr<MicroBatchOutput> PreferenceStage::Compute(const MicroBatch& batch,
                                                          RandomStreams& streams) {
  MicroBatchOutput output;
  for (size_t group = 0; group < batch.rows.size(); ++group) {
    const std::string& name = setup_.data.groups[group].name;
    const GroupBatch pairs = MakeBatch(batch.step, static_cast<int64_t>(group), batch.rows[group]);
    runtime::ObjectiveInputs inputs;
    inputs.hyperparameters = setup_.hyperparameters;
    for (const ForwardPass& pass : setup_.passes) {
      ALIDADE_RETURN_IF_ERROR(RunPass(pass, pairs, streams, inputs), "group ", name);
    }
    ALIDADE_ASSIGN_OR_RETURN(const runtime::ObjectiveOutputs outputs,
                             runtime::Apply(*setup_.objective, inputs), "group ", name);
    const double rows = static_cast<double>(batch.rows[group].size());
    const double share = rows / static_cast<double>(batch.step_rows[group].size());
    const at::Tensor term = outputs.loss * (setup_.data.weights[group] * share);
    output.loss = output.loss.defined() ? output.loss + term : term;
    output.metrics.push_back({absl::StrCat(name, "/loss"), outputs.loss.item<double>(), rows});
    for (const auto& [metric, value] : outputs.metrics) {
      output.metrics.push_back({absl::StrCat(name, "/", metric), value.item<double>(), rows});
    }
  }
  return output;
}

// The reference model must read the same tokens and images as the policy.
absl::Status CheckSameInputs(const ModelFolder& policy, const ModelFolder& reference,
                             const std::string& where) {
  if (reference.tokenizer->vocab_size() != policy.tokenizer->vocab_size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        where, ": tokenizer.json: expected the policy's ", policy.tokenizer->vocab_size(),
        " tokens, got ", reference.tokenizer->vocab_size()));
  }
  for (int64_t id = 0; id < policy.tokenizer->vocab_size(); ++id) {
    const auto ours = policy.tokenizer->Token(id), theirs = reference.tokenizer->Token(id);
    if (ours.ok() == theirs.ok() && (!ours.ok() || *ours == *theirs)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": tokenizer.json: token ", id, ": expected the policy's \"",
                     ours.ok() ? *ours : "", "\", got \"", theirs.ok() ? *theirs : "", "\""));
  }
  if (!(reference.chat_template == policy.chat_template)) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": chat_template.json: expected the policy's template"));
  }
  if (!(reference.preprocessor == policy.preprocessor)) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": ", kPreprocessorFile, ": expected the policy's"));
  }
  const models::MllmConfig &theirs = reference.model.config(), &ours = policy.model.config();
  if (theirs.NumImageTokens() != ours.NumImageTokens()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": config.json: expected the policy's ", ours.NumImageTokens(),
                     " embeddings per image, got ", theirs.NumImageTokens()));
  }
  return absl::OkStatus();
}

absl::StatusOr<Setup> MakeSetup(const PreferenceConfig& config, const PreferenceInputs& inputs,
                                const RunFolder& folder,
                                const std::map<std::string, std::string>& digests,
                                const runtime::Objective& objective) {
  Setup setup;
  setup.objective = &objective;
  ALIDADE_ASSIGN_OR_RETURN(setup.hyperparameters,
                           ResolveHyperparameters(objective.signature(), config.hyperparameter()));
  ALIDADE_ASSIGN_OR_RETURN(setup.passes, PlanPasses(objective.signature()), "objective ",
                           objective.signature().name);
  ALIDADE_ASSIGN_OR_RETURN(setup.policy, LoadModelFolder(inputs.model));
  ALIDADE_ASSIGN_OR_RETURN(setup.data, LoadPreferenceData(config, *setup.policy, inputs.pairs));
  ALIDADE_ASSIGN_OR_RETURN(setup.trained,
                           TrainedParameters(setup.policy->model.parameters(), config.frozen()));
  if (!NeedsReference(objective)) return setup;
  ALIDADE_ASSIGN_OR_RETURN(const ModelFolder reference, LoadModelFolder(inputs.reference));
  ALIDADE_RETURN_IF_ERROR(CheckSameInputs(*setup.policy, reference, inputs.reference));
  setup.reference = reference.model;
  for (const ForwardPass& pass : setup.passes) {
    if (!config.precompute_reference() || pass.model != kReference || pass.view != kCleanView)
      continue;
    const std::string digest = Sha256Hex(digests.at("reference") + digests.at("pairs"));
    ALIDADE_ASSIGN_OR_RETURN(
        setup.reference_scores,
        ReferenceScores::Load(JoinPath(folder.path(), "reference_logp.safetensors"), digest, pass,
                              *setup.reference, setup.data));
  }
  return setup;
}

absl::Status CheckInputs(const PreferenceConfig& config, const PreferenceInputs& inputs,
                         const runtime::Objective& objective) {
  const std::string& name = objective.signature().name;
  if (config.has_objective() && config.objective() != name) {
    return absl::InvalidArgumentError(
        absl::StrCat("objective: expected ", name, ", which was given, got ", config.objective()));
  }
  if (NeedsReference(objective) == !inputs.reference.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      inputs.reference.empty()
          ? absl::StrCat("reference: expected a model folder, because objective ", name,
                         " reads a reference model, got none")
          : absl::StrCat("reference: expected none, because objective ", name,
                         " reads no reference model, got ", inputs.reference));
}

absl::StatusOr<RunSummary> RunUnfenced(const PreferenceConfig& config,
                                       const PreferenceInputs& inputs, const std::string& out,
                                       uint64_t seed, const runtime::Objective& objective,
                                       RunOptions options) {
  RunIdentity identity{"preference", &config, seed, {}};
  ALIDADE_ASSIGN_OR_RETURN(identity.inputs["model"], ModelFolderDigest(inputs.model),
                           "input model");
  ALIDADE_ASSIGN_OR_RETURN(identity.inputs["pairs"], DigestFiles(inputs.pairs, {"dataset.json"}),
                           "input pairs");
  identity.inputs["objective"] = Sha256Hex(objective.table().signature_json);
  if (!inputs.reference.empty()) {
    ALIDADE_ASSIGN_OR_RETURN(identity.inputs["reference"], ModelFolderDigest(inputs.reference),
                             "input reference");
  }
  ALIDADE_ASSIGN_OR_RETURN(const std::unique_ptr<RunFolder> folder, RunFolder::Open(out, identity));
  if (folder->finished().has_value()) return *folder->finished();
  ALIDADE_ASSIGN_OR_RETURN(Setup setup,
                           MakeSetup(config, inputs, *folder, identity.inputs, objective));
  PreferenceStage stage(std::move(setup));
  if (options.label.empty()) options.label = objective.signature().name;
  return Train(stage, config.loop(), *folder, options);
}

}  // namespace

bool NeedsReference(const runtime::Objective& objective) {
  for (const runtime::Distribution& distribution : objective.signature().distributions) {
    if (distribution.model == kReference) return true;
  }
  return false;
}

absl::Status ValidatePreferenceConfig(const PreferenceConfig& config) {
  ALIDADE_RETURN_IF_ERROR(ValidateLoop(config.loop(), "loop"));
  return ValidateGroups(config.group(), "group");
}

absl::StatusOr<RunSummary> RunPreference(const PreferenceConfig& config,
                                         const PreferenceInputs& inputs, const std::string& out,
                                         uint64_t seed, const runtime::Objective& objective,
                                         const RunOptions& options) {
  ALIDADE_RETURN_IF_ERROR(ValidatePreferenceConfig(config));
  ALIDADE_RETURN_IF_ERROR(CheckInputs(config, inputs, objective));
  RunSummary summary;
  ALIDADE_RETURN_IF_ERROR(FenceTorch("preference training", [&]() -> absl::Status {
    ALIDADE_ASSIGN_OR_RETURN(summary, RunUnfenced(config, inputs, out, seed, objective, options));
    return absl::OkStatus();
  }));
  return summary;
}

absl::StatusOr<RunSummary> RunPreference(const PreferenceConfig& config,
                                         const PreferenceInputs& inputs, const std::string& out,
                                         uint64_t seed, const RunOptions& options) {
  if (config.objective().empty()) {
    return absl::InvalidArgumentError(
        "objective: expected the name of a compiled objective, got none");
  }
  ALIDADE_ASSIGN_OR_RETURN(const runtime::Objective* objective,
                           runtime::FindObjective(config.objective()), "objective");
  return RunPreference(config, inputs, out, seed, *objective, options);
}

}  // namespace alidade::trainers
