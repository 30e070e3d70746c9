// From the text of an objective to everything that is derived from it before any code is generated:
// parse, verify, inline, resolve options, expand, canonicalise, differentiate, analyse. What prefc,
// the in-process compiler and tests call.
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
#include "compiler/transforms/Compose/Compose.h"
#include "compiler/transforms/ResolveOptions/ResolveOptions.h"

namespace alidade::pref {

struct DerivedObjective {
  // As written, verified; objectives that it applies are inlined.
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
// Objectives that it applies come from the resolver, or from the neighbours of the file when there
// is none; the definition that is returned has them inlined.
absl::StatusOr<DerivedObjective> deriveObjectiveFile(const std::string& path,
                                                     mlir::MLIRContext& context,
                                                     const OptionChoices& options = {},
                                                     const ObjectiveResolver& resolver = {});

// The same for text that came from somewhere else; `fileName` stands for its file in messages and
// names the objective.
absl::StatusOr<DerivedObjective> deriveObjectiveText(const std::string& text,
                                                     const std::string& fileName,
                                                     mlir::MLIRContext& context,
                                                     const OptionChoices& options = {},
                                                     const ObjectiveResolver& resolver = {});

// The same for an expression of objectives (Compose.h): `0.8*dpo + 0.2*bco_pair(beta=0.05) + sft`.
// The objective's name is the canonical text of the expression; locations in messages are columns
// of `expression`.
absl::StatusOr<DerivedObjective> deriveExpression(const std::string& text,
                                                  const ObjectiveResolver& resolver,
                                                  mlir::MLIRContext& context,
                                                  const OptionChoices& options = {});

// What run-time library, planner and trainers know of a differentiated objective. Fails with a
// diagnostic.
mlir::FailureOr<schedule::Signature> deriveSignature(ObjectiveOp objective);

// Text of a module as an author would write it.
std::string printModule(mlir::ModuleOp module);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TRANSFORMS_PIPELINE_H_
