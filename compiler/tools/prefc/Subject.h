// Which objective a command is about: a file, a name or an expression, with its compile-time
// options.

#ifndef ALIDADE_COMPILER_TOOLS_PREFC_SUBJECT_H_
#define ALIDADE_COMPILER_TOOLS_PREFC_SUBJECT_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "compiler/runtime/jit/jit.h"
#include "compiler/tools/prefc/CommandLine.h"
#include "compiler/transforms/Pipeline.h"
#include "mlir/IR/MLIRContext.h"

namespace alidade::pref {

struct Subject {
  // A file, or an expression of names such as `0.8*dpo + 0.2*bco_pair(beta=0.05) + sft`.
  std::string text;
  bool isExpression = false;
  std::map<std::string, std::string> options;  // --option name=case
  // Where applied objectives are found, as DIR/NAME/NAME.mlir; empty: beside the file.
  std::string objectivesFolder;
};

// Adds the flags that name a subject: --objectives, --option.
FlagSpec withSubjectFlags(FlagSpec spec);

// The one word of a command. Errors: no word or several; no such file or name (with the nearest).
absl::StatusOr<Subject> subjectOf(const CommandLine& line);

absl::StatusOr<DerivedObjective> derive(const Subject& subject, mlir::MLIRContext& context);

// Compiled for this machine, with code for GPUs if asked for.
absl::StatusOr<const runtime::Objective*> compile(const Subject& subject, bool gpu);

// The text of the definition: of the file as it stands, of an expression with everything inlined.
absl::StatusOr<std::string> definitionOf(const Subject& subject, const DerivedObjective& derived);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TOOLS_PREFC_SUBJECT_H_
