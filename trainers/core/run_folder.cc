#include "trainers/core/run_folder.h"

#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/json/json_fields.h"
#include "common/provenance/digest.h"
#include "common/status/status.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"

namespace alidade::trainers {
namespace {

using google::protobuf::util::MessageDifferencer;

std::string IdentityText(const RunIdentity& identity) {
  nlohmann::json json = {
      {"stage", identity.stage}, {"seed", identity.seed}, {"inputs", identity.inputs}};
  return json.dump(2) + "\n";
}

absl::Status Differs(const std::string& folder, absl::string_view what, absl::string_view started,
                     absl::string_view got) {
  return absl::FailedPreconditionError(absl::StrCat(
      folder, ": this folder belongs to another run: ", what, ": expected ", started,
      " as it was started with, got ", got, "; choose another folder or remove this one"));
}

absl::Status CompareIdentity(const std::string& folder, const std::string& path,
                             const RunIdentity& identity) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ALIDADE_ASSIGN_OR_RETURN(const JsonDocument document, ParseJson(text, path));
  const nlohmann::json got = nlohmann::json::parse(IdentityText(identity));
  for (const auto& [name, value] : got.items()) {
    const nlohmann::json started = document.root.value(name, nlohmann::json());
    if (started == value) continue;
    if (name == "inputs") {
      for (const auto& [role, digest] : value.items()) {
        const nlohmann::json was =
            started.is_object() ? started.value(role, nlohmann::json()) : nlohmann::json();
        if (was != digest)
          return Differs(folder, absl::StrCat("input ", role), was.dump(), digest.dump());
      }
    }
    return Differs(folder, name, started.dump(), value.dump());
  }
  return absl::OkStatus();
}

absl::Status CompareConfig(const std::string& folder, const std::string& path,
                           const RunIdentity& identity) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const std::unique_ptr<google::protobuf::Message> started(identity.config->New());
  if (!google::protobuf::TextFormat::ParseFromString(text, started.get())) {
    return absl::DataLossError(
        absl::StrCat(path, ": expected the config of a ", identity.stage, " run"));
  }
  std::string differences;
  MessageDifferencer differencer;
  differencer.set_message_field_comparison(MessageDifferencer::EQUIVALENT);
  differencer.ReportDifferencesToString(&differences);
  if (differencer.Compare(*started, *identity.config)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      folder,
      ": this folder belongs to another run: its config differs (as started -> as given):\n",
      absl::StripSuffix(differences, "\n"), "\nchoose another folder or remove this one"));
}

absl::StatusOr<RunSummary> ReadSummary(const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ALIDADE_ASSIGN_OR_RETURN(const JsonDocument document, ParseJson(text, path));
  JsonFields fields(document);
  RunSummary summary;
  fields.Required("steps", &summary.steps);
  fields.Required("final_loss", &summary.final_loss);
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  summary.resumed_from = summary.steps;
  return summary;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunFolder>> RunFolder::Open(const std::string& path,
                                                           const RunIdentity& identity) {
  ALIDADE_RETURN_IF_ERROR(MakeFolder(path));
  ALIDADE_ASSIGN_OR_RETURN(FolderLock lock, FolderLock::Take(path));
  auto folder = absl::WrapUnique(new RunFolder(path, identity.seed, std::move(lock)));
  const std::string config_path = JoinPath(path, "config.textproto"),
                    identity_path = JoinPath(path, "run.json");
  if (PathExists(identity_path)) {
    ALIDADE_RETURN_IF_ERROR(CompareIdentity(path, identity_path, identity));
    ALIDADE_RETURN_IF_ERROR(CompareConfig(path, config_path, identity));
  } else {
    std::string text;
    if (!google::protobuf::TextFormat::PrintToString(*identity.config, &text)) {
      return absl::InternalError("the config cannot be written as text");
    }
    ALIDADE_RETURN_IF_ERROR(WriteFile(config_path, text));
    ALIDADE_RETURN_IF_ERROR(WriteFile(identity_path, IdentityText(identity)));
  }
  const std::string summary_path = JoinPath(path, "summary.json");
  if (PathExists(summary_path)) {
    ALIDADE_ASSIGN_OR_RETURN(folder->finished_, ReadSummary(summary_path));
    // The run may have been stopped between its summary and this.
    ALIDADE_RETURN_IF_ERROR(RemoveTree(folder->CheckpointFolder()));
  }
  return folder;
}

absl::Status RunFolder::Finish(const RunSummary& summary) {
  const nlohmann::json json = {{"steps", summary.steps}, {"final_loss", summary.final_loss}};
  ALIDADE_RETURN_IF_ERROR(WriteFile(JoinPath(path_, "summary.json"), json.dump(2) + "\n"));
  return RemoveTree(CheckpointFolder());
}

std::string RunFolder::CheckpointFolder() const { return JoinPath(path_, "checkpoints"); }
std::string RunFolder::ModelFolder() const { return JoinPath(path_, "model"); }

absl::StatusOr<std::string> DigestFiles(const std::string& folder,
                                        const std::vector<std::string>& files) {
  std::string all;
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string path = JoinPath(folder, files[i]);
    if (!PathExists(path) && i > 0) continue;
    ALIDADE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
    absl::StrAppend(&all, files[i], " ", Sha256Hex(bytes), "\n");
  }
  return Sha256Hex(all);
}

}  // namespace alidade::trainers
