// What a run was: enough to walk back from any number to a commit, a config and a seed.
#ifndef ALIDADE_EXPERIMENTS_WORKFLOW_RUN_MANIFEST_H_
#define ALIDADE_EXPERIMENTS_WORKFLOW_RUN_MANIFEST_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace alidade::experiments {

struct RunManifest {
  using Facts = std::vector<std::pair<std::string, std::string>>;  // name, value

  std::string name;              // of the experiment
  std::string config;            // resolved, canonical text
  std::vector<std::string> set;  // overrides of the command line
  bool smoke = false;
  std::vector<int64_t> seeds;
  std::string commit;  // "unknown" outside a git checkout
  bool dirty = false;
  Facts versions;  // libraries and build
  Facts hardware;
  Facts stages;            // folder name of every stage, key
  std::string start, end;  // UTC; end is empty while the run lasts, and after it was killed
  std::string exit;        // "ok", or the error
};

// Start time, hardware, build; commit and dirty flag of the checkout that holds `source_folder`
// (empty: unknown).
RunManifest BeginManifest(const std::string& source_folder);

// End time and exit.
void EndManifest(RunManifest& manifest, const absl::Status& status);

// JSON, replaced as a whole.
absl::Status WriteManifest(const RunManifest& manifest, const std::string& path);

}  // namespace alidade::experiments

#endif  // ALIDADE_EXPERIMENTS_WORKFLOW_RUN_MANIFEST_H_
