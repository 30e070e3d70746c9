#include "experiments/workflow/run_folder.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/provenance/digest.h"
#include "common/status/status.h"
#include "nlohmann/json.hpp"

namespace alidade::experiments {
namespace {

constexpr char kSchema[] = "alidade.stage/1";

absl::Status Broken(const std::string& folder, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(folder, "/DONE: ", what, "; remove that folder to run the stage again"));
}

}  // namespace

absl::StatusOr<RunFolder> RunFolder::Open(const std::string& path) {
  ALIDADE_RETURN_IF_ERROR(MakeFolder(JoinPath(path, "stages")), "output folder ", path);
  ALIDADE_RETURN_IF_ERROR(MakeFolder(JoinPath(path, "manifests")), "output folder ", path);
  ALIDADE_ASSIGN_OR_RETURN(FolderLock lock, FolderLock::Take(path), "output folder ", path);
  // A folder that can be read only would otherwise be noticed after the first stage's work.
  const std::string probe = JoinPath(path, "manifests/.probe");
  ALIDADE_RETURN_IF_ERROR(WriteFile(probe, "writable\n"), "output folder ", path);
  ALIDADE_RETURN_IF_ERROR(RemoveTree(probe), "output folder ", path);
  return RunFolder(path, std::move(lock));
}

std::string FinishedFolder(const std::string& run_folder, const PlannedStage& call) {
  return JoinPath(run_folder, JoinPath("stages", call.folder_name));
}

std::string RunFolder::FinishedFolder(const PlannedStage& call) const {
  return ::alidade::experiments::FinishedFolder(path_, call);
}

std::string RunFolder::WorkingFolder(const PlannedStage& call) const {
  return absl::StrCat(FinishedFolder(call), ".tmp");
}

absl::StatusOr<std::string> RunFolder::NextManifest() const {
  const std::string folder = JoinPath(path_, "manifests");
  for (int number = 1;; ++number) {
    const std::string path = JoinPath(folder, absl::StrFormat("%04d.json", number));
    if (!PathExists(path)) return path;
  }
}

absl::StatusOr<bool> IsFinished(const std::string& folder, const PlannedStage& call) {
  if (!PathExists(folder)) return false;
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(JoinPath(folder, "DONE")), "stage ",
                           call.id);
  const nlohmann::json done = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!done.is_object() || !done.contains("key") || !done["key"].is_string() ||
      !done.contains("results") || !done["results"].is_object()) {
    return Broken(folder, "expected a JSON object with \"key\" and \"results\"");
  }
  const std::string key = done["key"].get<std::string>();
  if (key != call.key) {
    return Broken(folder, absl::StrCat("key: expected ", call.key, ", got ", key));
  }
  for (const auto& [path, digest] : done["results"].items()) {
    const absl::StatusOr<std::string> bytes = ReadFile(JoinPath(folder, path));
    if (!bytes.ok()) return Broken(folder, bytes.status().message());
    const std::string got = Sha256Hex(*bytes);
    if (!digest.is_string() || digest.get<std::string>() != got) {
      return Broken(folder, absl::StrCat(path, ": expected sha256 ", digest.dump(), ", got \"", got,
                                         "\": the file was altered"));
    }
  }
  return true;
}

absl::Status Finish(const std::string& working, const std::string& finished,
                    const PlannedStage& call, const std::vector<std::string>& results) {
  nlohmann::json digests = nlohmann::json::object();
  for (const std::string& path : results) {
    ALIDADE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(JoinPath(working, path)),
                             "result of stage ", call.id);
    digests[path] = Sha256Hex(bytes);
  }
  const nlohmann::json done = {{"schema", kSchema}, {"stage", call.id},    {"kind", call.kind},
                               {"key", call.key},   {"seeds", call.seeds}, {"results", digests}};
  ALIDADE_RETURN_IF_ERROR(WriteFile(JoinPath(working, "DONE"), absl::StrCat(done.dump(2), "\n")));
  return PublishFolder(working, finished);
}

}  // namespace alidade::experiments
