#include "compiler/tools/prefc/Subject.h"

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"
#include "compiler/runtime/jit/objective_folder.h"

namespace alidade::pref {
namespace {

// Where --objectives points unless it is given: compiler/objectives of the workspace or of the
// working folder.
std::string defaultObjectivesFolder() {
  const char* workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  return JoinPath(workspace == nullptr ? "." : workspace, "compiler/objectives");
}

// What no name and no path of an objective's file needs.
bool looksLikeExpression(const std::string& word) {
  return word.find_first_of("+*([ ") != std::string::npos;
}

absl::StatusOr<std::string> pathOf(const std::string& word, const std::string& folder) {
  if (word.find('/') != std::string::npos || word.find('.') != std::string::npos) {
    const char* invokedFrom = std::getenv("BUILD_WORKING_DIRECTORY");
    const std::string file = invokedFrom == nullptr ? word : JoinPath(invokedFrom, word);
    return PathExists(word) ? word : file;
  }
  const std::string path = runtime::DefinitionPath(folder, word);
  if (PathExists(path)) return path;
  ALIDADE_ASSIGN_OR_RETURN(const std::vector<std::string> known, runtime::ObjectivesIn(folder),
                           "objective '", word, "'");
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
        absl::StrCat("expected one objective (a file, a name or an expression in quotes), got ",
                     line.words().size()));
  }
  const std::string& word = line.words()[0];
  const std::string folder = line.get("objectives", defaultObjectivesFolder());
  Subject subject;
  ALIDADE_ASSIGN_OR_RETURN(subject.options, line.getPairs("option"));
  subject.isExpression = looksLikeExpression(word) && !PathExists(word);
  if (subject.isExpression) {
    subject.text = word;
  } else {
    ALIDADE_ASSIGN_OR_RETURN(subject.text, pathOf(word, folder));
  }
  if (subject.isExpression || line.has("objectives")) subject.objectivesFolder = folder;
  return subject;
}

absl::StatusOr<DerivedObjective> derive(const Subject& subject, mlir::MLIRContext& context) {
  ObjectiveResolver resolver;
  if (!subject.objectivesFolder.empty()) {
    ALIDADE_ASSIGN_OR_RETURN(resolver, runtime::FolderResolver(subject.objectivesFolder));
  }
  if (subject.isExpression)
    return deriveExpression(subject.text, resolver, context, subject.options);
  return deriveObjectiveFile(subject.text, context, subject.options, resolver);
}

absl::StatusOr<const runtime::Objective*> compile(const Subject& subject, bool gpu) {
  const runtime::JitOptions options = {
      .options = subject.options, .objectives_folder = subject.objectivesFolder, .gpu = gpu};
  return subject.isExpression ? runtime::CompileObjectiveExpression(subject.text, options)
                              : runtime::CompileObjectiveFile(subject.text, options);
}

absl::StatusOr<std::string> definitionOf(const Subject& subject, const DerivedObjective& derived) {
  if (subject.isExpression) return printModule(*derived.definition);
  return ReadFile(subject.text);
}

}  // namespace alidade::pref
