#include "compiler/tools/prefc/Subject.h"

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"

namespace alidade::pref {
namespace {

// Where --objectives points unless it is given: compiler/objectives of the workspace or of the
// working folder.
std::string defaultObjectivesFolder() {
  const char* workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  return JoinPath(workspace == nullptr ? "." : workspace, "compiler/objectives");
}

std::string definitionOf(const std::string& folder, const std::string& name) {
  return JoinPath(JoinPath(folder, name), name + ".mlir");
}

absl::StatusOr<std::string> pathOf(const std::string& word, const std::string& folder) {
  if (word.find('/') != std::string::npos || word.find('.') != std::string::npos) {
    const char* invokedFrom = std::getenv("BUILD_WORKING_DIRECTORY");
    const std::string file = invokedFrom == nullptr ? word : JoinPath(invokedFrom, word);
    return PathExists(word) ? word : file;
  }
  const std::string path = definitionOf(folder, word);
  if (PathExists(path)) return path;
  ALIDADE_ASSIGN_OR_RETURN(std::vector<std::string> names, ListFolder(folder), "objective '", word,
                           "'");
  std::vector<std::string> known;
  for (const std::string& name : names) {
    if (PathExists(definitionOf(folder, name))) known.push_back(name);
  }
  return UnknownNameError("objective", word, known);
}

}  // namespace

FlagSpec withSubjectFlags(FlagSpec spec) {
  spec["objectives"] = true;
  spec["option"] = true;
  return spec;
}

absl::StatusOr<Subject> subjectOf(const CommandLine& line) {
  if (line.words().size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected one objective (a file or a name), got ", line.words().size()));
  }
  Subject subject;
  ALIDADE_ASSIGN_OR_RETURN(
      subject.path, pathOf(line.words()[0], line.get("objectives", defaultObjectivesFolder())));
  ALIDADE_ASSIGN_OR_RETURN(subject.options, line.getPairs("option"));
  return subject;
}

absl::StatusOr<DerivedObjective> derive(const Subject& subject, mlir::MLIRContext& context) {
  return deriveObjectiveFile(subject.path, context, subject.options);
}

}  // namespace alidade::pref
