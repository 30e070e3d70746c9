// Which objective a command is about: a file or a name, with its compile-time options.

#ifndef ALIDADE_COMPILER_TOOLS_PREFC_SUBJECT_H_
#define ALIDADE_COMPILER_TOOLS_PREFC_SUBJECT_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "compiler/tools/prefc/CommandLine.h"
#include "compiler/transforms/Pipeline.h"
#include "mlir/IR/MLIRContext.h"

namespace alidade::pref {

struct Subject {
  std::string path;
  std::map<std::string, std::string> options;  // --option name=case
};

// Adds the flags that name a subject: --objectives, --option.
FlagSpec withSubjectFlags(FlagSpec spec);

// The one word of a command: a file, or the name of a folder under --objectives. Errors: no word or
// several; no such file or name (with the nearest).
absl::StatusOr<Subject> subjectOf(const CommandLine& line);

absl::StatusOr<DerivedObjective> derive(const Subject& subject, mlir::MLIRContext& context);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TOOLS_PREFC_SUBJECT_H_
