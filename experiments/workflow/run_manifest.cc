#include "experiments/workflow/run_manifest.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/files.h"
#include "common/provenance/manifest.h"
#include "google/protobuf/stubs/common.h"
#include "nlohmann/json.hpp"

namespace alidade::experiments {
namespace {

nlohmann::ordered_json Object(const RunManifest::Facts& facts) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const auto& [name, value] : facts) object[name] = value;
  return object;
}

}  // namespace

RunManifest BeginManifest(const std::string& source_folder) {
  RunManifest manifest;
  manifest.start = UtcNow();
  manifest.commit = "unknown";
  if (!source_folder.empty()) {
    const CodeVersion version = ReadCodeVersion(source_folder);
    manifest.commit = version.commit;
    manifest.dirty = version.dirty;
  }
  manifest.versions = {
      {"build", BuildDescription()},
      {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)}};
  const Hardware hardware = ReadHardware();
  manifest.hardware = {{"processor", hardware.processor},
                       {"processors", absl::StrCat(hardware.num_processors)},
                       {"memory", absl::StrFormat("%.1f GiB", hardware.memory_gib)},
                       {"vector instructions", hardware.avx512 ? "AVX-512"
                                               : hardware.avx2 ? "AVX2"
                                                               : "baseline"}};
  return manifest;
}

void EndManifest(RunManifest& manifest, const absl::Status& status) {
  manifest.end = UtcNow();
  manifest.exit = status.ok() ? "ok" : std::string(status.message());
}

absl::Status WriteManifest(const RunManifest& manifest, const std::string& path) {
  nlohmann::ordered_json json;
  json["schema"] = "alidade.manifest/1";
  json["experiment"] = manifest.name;
  json["commit"] = manifest.commit;
  json["dirty"] = manifest.dirty;
  json["smoke"] = manifest.smoke;
  json["set"] = manifest.set;
  json["seeds"] = manifest.seeds;
  json["start"] = manifest.start;
  json["end"] = manifest.end;
  json["exit"] = manifest.exit;
  json["versions"] = Object(manifest.versions);
  json["hardware"] = Object(manifest.hardware);
  json["stages"] = Object(manifest.stages);
  json["config"] = manifest.config;
  return WriteFile(path, absl::StrCat(json.dump(2), "\n"));
}

}  // namespace alidade::experiments
