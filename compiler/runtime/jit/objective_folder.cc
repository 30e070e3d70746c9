#include "compiler/runtime/jit/objective_folder.h"

#include <algorithm>
#include <optional>

#include "common/files/files.h"
#include "common/status/status.h"
#include "compiler/runtime/objective.h"

namespace alidade::runtime {

std::string DefinitionPath(const std::string& folder, const std::string& name) {
  return JoinPath(JoinPath(folder, name), name + ".mlir");
}

absl::StatusOr<std::vector<std::string>> ObjectivesIn(const std::string& folder) {
  ALIDADE_ASSIGN_OR_RETURN(const std::vector<std::string> entries, ListFolder(folder));
  std::vector<std::string> names;
  for (const std::string& name : entries)
    if (PathExists(DefinitionPath(folder, name))) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<pref::ObjectiveResolver> FolderResolver(const std::string& folder) {
  pref::ObjectiveResolver resolver;
  if (!folder.empty() && PathExists(folder)) {
    ALIDADE_ASSIGN_OR_RETURN(resolver.names, ObjectivesIn(folder));
  }
  for (const std::string& name : ObjectiveNames()) {
    if (std::find(resolver.names.begin(), resolver.names.end(), name) == resolver.names.end())
      resolver.names.push_back(name);
  }
  resolver.definition = [folder](llvm::StringRef name) -> std::optional<std::string> {
    if (!folder.empty()) {
      const absl::StatusOr<std::string> text = ReadFile(DefinitionPath(folder, name.str()));
      if (text.ok()) return *text;
    }
    const absl::StatusOr<const Objective*> linked = FindObjective(name.str());
    if (!linked.ok() || (*linked)->table().definition == nullptr) return std::nullopt;
    return (*linked)->table().definition;
  };
  return resolver;
}

}  // namespace alidade::runtime
