#ifndef ALIDADE_COMPILER_RUNTIME_JIT_OBJECTIVE_FOLDER_H_
#define ALIDADE_COMPILER_RUNTIME_JIT_OBJECTIVE_FOLDER_H_

// Definitions of objectives by name: in a folder as <name>/<name>.mlir, and those linked into the
// program.

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/transforms/Compose/Compose.h"

namespace alidade::runtime {

std::string DefinitionPath(const std::string& folder, const std::string& name);

// Names that have a definition in `folder`, sorted. Errors: the folder cannot be read.
absl::StatusOr<std::vector<std::string>> ObjectivesIn(const std::string& folder);

// Finds definitions in `folder` ("": none) first, then among the objectives linked into this
// program. A folder that does not exist holds none.
absl::StatusOr<pref::ObjectiveResolver> FolderResolver(const std::string& folder);

}  // namespace alidade::runtime

#endif  // ALIDADE_COMPILER_RUNTIME_JIT_OBJECTIVE_FOLDER_H_
