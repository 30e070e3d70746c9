// The commands of prefc. Each prints its result to standard output and returns what went wrong.

#ifndef ALIDADE_COMPILER_TOOLS_PREFC_COMMANDS_H_
#define ALIDADE_COMPILER_TOOLS_PREFC_COMMANDS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace alidade::pref {

absl::Status runCommand(const std::vector<std::string>& args);
absl::Status explainCommand(const std::vector<std::string>& args);
absl::Status emitCommand(const std::vector<std::string>& args);
absl::Status checkCommand(const std::vector<std::string>& args);

// The one word of a command that names an objective: a file, or the name of a folder under
// --objectives. Errors: no word or several; no such file or name (with the nearest).
absl::StatusOr<std::string> objectivePath(const std::vector<std::string>& words,
                                          const std::string& folder);

// Where --objectives points unless it is given: compiler/objectives of the workspace or of the
// working folder.
std::string defaultObjectivesFolder();

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TOOLS_PREFC_COMMANDS_H_
