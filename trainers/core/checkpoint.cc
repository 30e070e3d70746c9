#include "trainers/core/checkpoint.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/files.h"
#include "common/json/json_fields.h"
#include "common/models/weights.h"
#include "common/provenance/digest.h"
#include "common/status/status.h"

namespace alidade::trainers {
namespace {

constexpr char kIndex[] = "checkpoint.json";
constexpr char kPrefix[] = "step_";
constexpr char kPartial[] = "partial";

std::string FolderName(int64_t step) { return absl::StrFormat("%s%08d", kPrefix, step); }

// Steps of the whole checkpoints, rising.
absl::StatusOr<std::vector<int64_t>> Steps(const std::string& folder) {
  std::vector<int64_t> steps;
  if (!PathExists(folder)) return steps;
  ALIDADE_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(folder));
  for (const std::string& name : names) {
    int64_t step = 0;
    if (name == kPartial) continue;
    if (!absl::StartsWith(name, kPrefix) ||
        !absl::SimpleAtoi(name.substr(sizeof(kPrefix) - 1), &step) || name != FolderName(step)) {
      return absl::FailedPreconditionError(absl::StrCat(JoinPath(folder, name),
                                                        ": expected only checkpoints (", kPrefix,
                                                        "00000001) in this folder"));
    }
    steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

// Digest of the index without its own "sha256" member.
std::string IndexDigest(nlohmann::json index) {
  index.erase("sha256");
  return Sha256Hex(index.dump());
}

// Writes tensors and notes their digest; no file for no tensors.
absl::Status AddTensors(const std::string& folder, const std::string& file,
                        const NamedTensors& tensors, nlohmann::json& files) {
  if (tensors.empty()) return absl::OkStatus();
  const std::string path = JoinPath(folder, file);
  ALIDADE_RETURN_IF_ERROR(models::SaveNamedTensors(tensors, path));
  ALIDADE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  files[file] = {{"bytes", bytes.size()}, {"sha256", Sha256Hex(bytes)}};
  return absl::OkStatus();
}

absl::StatusOr<NamedTensors> ReadTensors(const std::string& folder, const std::string& file,
                                         const nlohmann::json& files) {
  if (!files.contains(file)) return NamedTensors{};
  return models::LoadNamedTensors(JoinPath(folder, file));
}

absl::Status CheckFile(const std::string& folder, const std::string& file,
                       const nlohmann::json& expected) {
  const std::string path = JoinPath(folder, file);
  if (!PathExists(path)) return absl::DataLossError(absl::StrCat(path, ": the file is missing"));
  ALIDADE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  const int64_t size = expected.at("bytes").get<int64_t>();
  if (static_cast<int64_t>(bytes.size()) != size) {
    return absl::DataLossError(
        absl::StrCat(path, ": size: expected ", size, " bytes, got ", bytes.size()));
  }
  const std::string digest = Sha256Hex(bytes), wanted = expected.at("sha256").get<std::string>();
  if (digest != wanted) {
    return absl::DataLossError(absl::StrCat(path, ": sha256: expected ", wanted, ", got ", digest));
  }
  return absl::OkStatus();
}

// Reads the index and checks every file against it. Once its digest holds, the index is what we
// wrote, so its members are not checked one by one.
absl::StatusOr<nlohmann::json> ReadIndex(const std::string& folder) {
  const std::string path = JoinPath(folder, kIndex);
  if (!PathExists(path)) return absl::DataLossError(absl::StrCat(path, ": the file is missing"));
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ALIDADE_ASSIGN_OR_RETURN(const JsonDocument document, ParseJson(text, path));
  if (!document.root.is_object() || !document.root.contains("sha256") ||
      !document.root["sha256"].is_string()) {
    return absl::DataLossError(
        absl::StrCat(path, ": sha256: expected the digest of this file, got none"));
  }
  const std::string digest = IndexDigest(document.root),
                    wanted = document.root["sha256"].get<std::string>();
  if (digest != wanted) {
    return absl::DataLossError(absl::StrCat(path, ": sha256: expected ", wanted, ", got ", digest));
  }
  for (const auto& [file, expected] : document.root["files"].items()) {
    ALIDADE_RETURN_IF_ERROR(CheckFile(folder, file, expected));
  }
  return document.root;
}

absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& folder) {
  ALIDADE_ASSIGN_OR_RETURN(const nlohmann::json index, ReadIndex(folder));
  Checkpoint checkpoint;
  checkpoint.step = index["step"].get<int64_t>();
  checkpoint.position = index["position"];
  checkpoint.streams = index["streams"];
  checkpoint.metrics.metrics_bytes = index["metrics_bytes"].get<int64_t>();
  checkpoint.metrics.event_bytes = index["event_bytes"].get<int64_t>();
  checkpoint.loss = index["loss"].get<double>();
  const nlohmann::json& files = index["files"];
  ALIDADE_ASSIGN_OR_RETURN(checkpoint.weights, ReadTensors(folder, "weights.safetensors", files));
  ALIDADE_ASSIGN_OR_RETURN(checkpoint.optimizer,
                           ReadTensors(folder, "optimizer.safetensors", files));
  ALIDADE_ASSIGN_OR_RETURN(checkpoint.stage, ReadTensors(folder, "stage.safetensors", files));
  return checkpoint;
}

}  // namespace

absl::Status WriteCheckpoint(const std::string& folder, const Checkpoint& checkpoint) {
  ALIDADE_RETURN_IF_ERROR(MakeFolder(folder));
  const std::string partial = JoinPath(folder, kPartial);
  const std::string final_folder = JoinPath(folder, FolderName(checkpoint.step));
  ALIDADE_RETURN_IF_ERROR(RemoveTree(partial));
  ALIDADE_RETURN_IF_ERROR(MakeFolder(partial));
  nlohmann::json files = nlohmann::json::object();
  ALIDADE_RETURN_IF_ERROR(AddTensors(partial, "weights.safetensors", checkpoint.weights, files));
  ALIDADE_RETURN_IF_ERROR(
      AddTensors(partial, "optimizer.safetensors", checkpoint.optimizer, files));
  ALIDADE_RETURN_IF_ERROR(AddTensors(partial, "stage.safetensors", checkpoint.stage, files));
  nlohmann::json index = {{"step", checkpoint.step},
                          {"position", checkpoint.position},
                          {"streams", checkpoint.streams},
                          {"metrics_bytes", checkpoint.metrics.metrics_bytes},
                          {"event_bytes", checkpoint.metrics.event_bytes},
                          {"loss", checkpoint.loss},
                          {"files", files}};
  index["sha256"] = IndexDigest(index);
  ALIDADE_RETURN_IF_ERROR(WriteFile(JoinPath(partial, kIndex), index.dump(2) + "\n"));
  ALIDADE_RETURN_IF_ERROR(SyncFolder(partial));
  ALIDADE_RETURN_IF_ERROR(PublishFolder(partial, final_folder));
  ALIDADE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, Steps(folder));
  for (size_t i = 0; i + kCheckpointsKept < steps.size(); ++i) {
    // Renamed first, so that a checkpoint is never half there under its own name.
    const std::string old = JoinPath(folder, FolderName(steps[i]));
    ALIDADE_RETURN_IF_ERROR(PublishFolder(old, partial));
    ALIDADE_RETURN_IF_ERROR(RemoveTree(partial));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Checkpoint>> ReadNewestCheckpoint(const std::string& folder) {
  ALIDADE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, Steps(folder));
  if (steps.empty()) return std::nullopt;
  const std::string newest = JoinPath(folder, FolderName(steps.back()));
  absl::StatusOr<Checkpoint> checkpoint = ReadCheckpoint(newest);
  if (checkpoint.ok()) return std::optional<Checkpoint>(*std::move(checkpoint));
  std::string advice = "; no older checkpoint is there: remove the run's folder to start again";
  for (int64_t i = static_cast<int64_t>(steps.size()) - 2; i >= 0; --i) {
    const std::string older = JoinPath(folder, FolderName(steps[i]));
    if (!ReadIndex(older).ok()) continue;
    advice = absl::StrCat("; ", older, " is whole: remove ", newest, " to go on from there");
    break;
  }
  return absl::Status(checkpoint.status().code(),
                      absl::StrCat("checkpoint: ", checkpoint.status().message(), advice));
}

}  // namespace alidade::trainers
