// From the text of an objective to everything that is derived from it before any code is generated:
// parse, verify, resolve options, canonicalise, differentiate, analyse. What prefc, the in-process
// compiler and tests call.
//
//   MLIRContext context;
//   absl::StatusOr<DerivedObjective> derived = deriveObjectiveFile("dpo.mlir", context);
//   derived->objective();            // with cotangents
//   derived->signature.distributions;

#ifndef ALIDADE_COMPILER_TRANSFORMS_PIPELINE_H_
#define ALIDADE_COMPILER_TRANSFORMS_PIPELINE_H_

#include <string>

#include "absl/status/statusor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include "compiler/dialect/pref/Pref.h"
#include "compiler/schedule/signature.h"
#include "compiler/transforms/ResolveOptions/ResolveOptions.h"

namespace alidade::pref {

struct DerivedObjective {
  // As written, verified.
  mlir::OwningOpRef<mlir::ModuleOp> definition;
  // Options resolved, canonical, before differentiation.
  mlir::OwningOpRef<mlir::ModuleOp> canonical;
  // Canonical, with cotangents: what a back end lowers.
  mlir::OwningOpRef<mlir::ModuleOp> differentiated;
  schedule::Signature signature;

  // The one objective of the last module.
  ObjectiveOp objective();
};

// The first objective of a module; null when it has none.
ObjectiveOp objectiveOf(mlir::ModuleOp module);

// Reads a file that holds one objective, named as the file is; `options` are the choices that
// differ from its defaults. The dialect is loaded into the context. Errors (not found, invalid
// argument) carry the diagnostics of MLIR: file:line:column, message, source line, notes.
absl::StatusOr<DerivedObjective> deriveObjectiveFile(const std::string& path,
                                                     mlir::MLIRContext& context,
                                                     const OptionChoices& options = {});

// The same for text that came from somewhere else; `fileName` stands for its file in messages and
// names the objective.
absl::StatusOr<DerivedObjective> deriveObjectiveText(const std::string& text,
                                                     const std::string& fileName,
                                                     mlir::MLIRContext& context,
                                                     const OptionChoices& options = {});

// What run-time library, planner and trainers know of a differentiated objective. Fails with a
// diagnostic.
mlir::FailureOr<schedule::Signature> deriveSignature(ObjectiveOp objective);

// Text of a module as an author would write it.
std::string printModule(mlir::ModuleOp module);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TRANSFORMS_PIPELINE_H_
