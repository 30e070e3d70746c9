// The command line of a run. The list of flags is frozen by a test: settings belong into the
// experiment's file, where they are resolved, hashed and recorded, and --set reaches all of them.
#ifndef ALIDADE_EXPERIMENTS_WORKFLOW_FLAGS_H_
#define ALIDADE_EXPERIMENTS_WORKFLOW_FLAGS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alidade::experiments {

struct RunFlags {
  std::string config;
  std::string out;  // empty: ./runs/<experiment>
  std::vector<std::string> set;
  std::optional<int64_t> seeds;
  bool dry_run = false;
  bool smoke = false;
  bool help = false;
};

// Arguments without the program's name. Errors: an unknown flag (with the nearest known one), one
// without its value or with one that it does not take, one given twice (but --set), an argument
// that is no flag.
absl::StatusOr<RunFlags> ParseFlags(const std::vector<std::string>& arguments);

// Names of all flags, without the dashes, sorted.
std::vector<std::string> FlagNames();

// What --help prints.
std::string Usage();

}  // namespace alidade::experiments

#endif  // ALIDADE_EXPERIMENTS_WORKFLOW_FLAGS_H_
