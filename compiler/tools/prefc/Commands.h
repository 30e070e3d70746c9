// The commands of prefc. Each prints its result to standard output and returns what went wrong.

#ifndef ALIDADE_COMPILER_TOOLS_PREFC_COMMANDS_H_
#define ALIDADE_COMPILER_TOOLS_PREFC_COMMANDS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace alidade::pref {

absl::Status runCommand(const std::vector<std::string>& args);
absl::Status explainCommand(const std::vector<std::string>& args);
absl::Status costCommand(const std::vector<std::string>& args);
absl::Status emitCommand(const std::vector<std::string>& args);
absl::Status docCommand(const std::vector<std::string>& args);
absl::Status checkCommand(const std::vector<std::string>& args);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TOOLS_PREFC_COMMANDS_H_
