#include "trainers/core/config.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"

namespace alidade::trainers {
namespace {

absl::Status Wrong(absl::string_view field, absl::string_view name, absl::string_view expected,
                   double got) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, ".", name, ": expected ", expected, ", got ", got));
}

absl::Status ValidateOptimizer(const OptimizerConfig& config, const std::string& field) {
  if (!(config.learning_rate() > 0 && std::isfinite(config.learning_rate()))) {
    return Wrong(field, "learning_rate", "> 0", config.learning_rate());
  }
  if (!(config.beta1() >= 0 && config.beta1() < 1))
    return Wrong(field, "beta1", "0 <= beta1 < 1", config.beta1());
  if (!(config.beta2() >= 0 && config.beta2() < 1))
    return Wrong(field, "beta2", "0 <= beta2 < 1", config.beta2());
  if (!(config.epsilon() > 0 && std::isfinite(config.epsilon())))
    return Wrong(field, "epsilon", "> 0", config.epsilon());
  if (!(config.weight_decay() >= 0 && std::isfinite(config.weight_decay()))) {
    return Wrong(field, "weight_decay", ">= 0", config.weight_decay());
  }
  return absl::OkStatus();
}

absl::Status ValidateSchedule(const ScheduleConfig& config, const std::string& field) {
  if (config.warmup_steps() < 0) return Wrong(field, "warmup_steps", ">= 0", config.warmup_steps());
  if (!(config.floor() >= 0 && config.floor() <= 1))
    return Wrong(field, "floor", "0 <= floor <= 1", config.floor());
  return absl::OkStatus();
}

bool IsGroupName(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(),
                                      [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

}  // namespace

absl::Status ValidateLoop(const LoopConfig& config, absl::string_view field) {
  ALIDADE_RETURN_IF_ERROR(ValidateOptimizer(config.optimizer(), absl::StrCat(field, ".optimizer")));
  ALIDADE_RETURN_IF_ERROR(ValidateSchedule(config.schedule(), absl::StrCat(field, ".schedule")));
  if (config.has_clip_norm() && !(config.clip_norm() > 0 && std::isfinite(config.clip_norm()))) {
    return Wrong(field, "clip_norm", "> 0", config.clip_norm());
  }
  if (config.accumulation() < 1) return Wrong(field, "accumulation", ">= 1", config.accumulation());
  if (config.shards() < 1) return Wrong(field, "shards", ">= 1", config.shards());
  if (config.checkpoint_every() < 1)
    return Wrong(field, "checkpoint_every", ">= 1", config.checkpoint_every());
  if (config.log_every() < 1) return Wrong(field, "log_every", ">= 1", config.log_every());
  switch (config.length_case()) {
    case LoopConfig::kEpochs:
      if (!(config.epochs() > 0 && std::isfinite(config.epochs())))
        return Wrong(field, "epochs", "> 0", config.epochs());
      return absl::OkStatus();
    case LoopConfig::kSteps:
      if (config.steps() < 1) return Wrong(field, "steps", ">= 1", config.steps());
      return absl::OkStatus();
    case LoopConfig::LENGTH_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": expected one of epochs and steps, got neither"));
}

absl::Status ValidateGroups(const google::protobuf::RepeatedPtrField<RecordGroup>& groups,
                            absl::string_view field) {
  if (groups.empty())
    return absl::InvalidArgumentError(absl::StrCat(field, ": expected at least one, got none"));
  std::set<std::string> names, kinds;
  for (int i = 0; i < groups.size(); ++i) {
    const RecordGroup& group = groups[i];
    const std::string where = absl::StrCat(field, "[", i, "]");
    if (!IsGroupName(group.name())) {
      return absl::InvalidArgumentError(absl::StrCat(
          where, ".name: expected lower-case letters and underscores, got \"", group.name(), "\""));
    }
    if (!names.insert(group.name()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ".name: expected a new name, got \"", group.name(), "\" again"));
    }
    if (group.kind().empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ".kind: expected at least one, got none"));
    }
    for (const std::string& kind : group.kind()) {
      if (!kinds.insert(kind).second) {
        return absl::InvalidArgumentError(absl::StrCat(
            where, ".kind: expected a kind that no other group takes, got \"", kind, "\" again"));
      }
    }
    if (group.batch_size() < 1) return Wrong(where, "batch_size", ">= 1", group.batch_size());
    if (!(group.weight() > 0 && std::isfinite(group.weight())))
      return Wrong(where, "weight", "> 0", group.weight());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::vector<int64_t>>> AssignToGroups(
    const google::protobuf::RepeatedPtrField<RecordGroup>& groups, absl::string_view field,
    const std::vector<std::string>& kinds) {
  std::map<std::string, int> group_of;
  for (int i = 0; i < groups.size(); ++i) {
    for (const std::string& kind : groups[i].kind()) group_of[kind] = i;
  }
  std::vector<std::vector<int64_t>> rows(groups.size());
  for (size_t row = 0; row < kinds.size(); ++row) {
    const auto found = group_of.find(kinds[row]);
    if (found == group_of.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, ": no group takes records of kind \"", kinds[row],
                       "\", which the data has; kinds taken: ",
                       absl::StrJoin(group_of, ", ", [](std::string* out, const auto& pair) {
                         absl::StrAppend(out, pair.first);
                       })));
    }
    rows[found->second].push_back(static_cast<int64_t>(row));
  }
  for (int i = 0; i < groups.size(); ++i) {
    if (rows[i].empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, "[", i, "] (", groups[i].name(), "): expected records of kind ",
                       absl::StrJoin(groups[i].kind(), ", "), " in the data, got none"));
    }
  }
  return rows;
}

absl::StatusOr<NamedTensors> TrainedParameters(
    const NamedTensors& parameters, const google::protobuf::RepeatedPtrField<std::string>& frozen) {
  NamedTensors trained = parameters;
  for (int i = 0; i < frozen.size(); ++i) {
    bool fits = false;
    for (const auto& [name, tensor] : parameters) {
      if (!absl::StartsWith(name, frozen[i])) continue;
      fits = true;
      trained.erase(name);
    }
    if (fits && !frozen[i].empty()) continue;
    std::vector<std::string> names;
    for (const auto& [name, tensor] : parameters) names.push_back(name);
    return absl::InvalidArgumentError(
        absl::StrCat("frozen[", i, "]: expected a prefix of a parameter's name, got \"", frozen[i],
                     "\"; the nearest parameter is ", NearestName(frozen[i], names)));
  }
  if (trained.empty())
    return absl::InvalidArgumentError("frozen: expected some parameters left to train, got none");
  return trained;
}

void MarkTrained(const NamedTensors& parameters, const NamedTensors& trained) {
  for (const auto& [name, tensor] : parameters) tensor.set_requires_grad(trained.count(name) > 0);
}

}  // namespace alidade::trainers
