// Objectives made of objectives: inlining of pref.apply, and expressions such as
// `0.8*dpo + 0.2*bco_pair(beta=0.05) + sft`.
//
//   expression := [-] term { (+ | -) term }
//   term       := [number *] name [ ( binding {, binding} ) ] [ [ choice {, choice} ] ]
//   binding    := hyperparameter = number | hyperparameter = new_name
//   choice     := option = case
//
// A binding to a name gives the hyperparameter that name in the composed objective, with its
// default and its range.

#ifndef ALIDADE_COMPILER_TRANSFORMS_COMPOSE_COMPOSE_H_
#define ALIDADE_COMPILER_TRANSFORMS_COMPOSE_COMPOSE_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "llvm/ADT/StringMap.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/Pass.h"

#include "compiler/dialect/pref/Pref.h"

namespace alidade::pref {

#define GEN_PASS_DECL_INLINE
#include "compiler/transforms/Compose/Compose.h.inc"

// Where definitions of objectives come from.
struct ObjectiveResolver {
  // The text of the definition of an objective; none when there is no such objective.
  std::function<std::optional<std::string>(llvm::StringRef name)> definition;
  // What there is, for messages.
  std::vector<std::string> names;
};

// The definitions that lie as objectives do: `<name>.mlir` beside a file, or `<name>/<name>.mlir`
// beside its folder.
ObjectiveResolver neighboursOf(const std::string& path);

// Finds an objective by its name, or fails with an error at `where`. The objective stays alive as
// long as the finder.
using ObjectiveFinder =
    llvm::function_ref<mlir::FailureOr<ObjectiveOp>(llvm::StringRef name, mlir::Location where)>;

// Fails with an error that gives the nearest of the names.
mlir::LogicalResult refuseUnknownObjective(llvm::StringRef name,
                                           llvm::ArrayRef<llvm::StringRef> names,
                                           mlir::Location where);

// What must hold of a file that an author wrote, beyond the verifier: one objective, of the file's
// name, in which nothing is without effect. Fails with a diagnostic.
mlir::LogicalResult checkDefinition(mlir::ModuleOp module, llvm::StringRef fileName);

// The definitions that a resolver has given so far, parsed and verified; owns them.
class ObjectiveLibrary {
 public:
  ObjectiveLibrary(mlir::MLIRContext& context, ObjectiveResolver resolver)
      : context(context), resolver(std::move(resolver)) {}

  mlir::FailureOr<ObjectiveOp> find(llvm::StringRef name, mlir::Location where);

 private:
  mlir::MLIRContext& context;
  ObjectiveResolver resolver;
  llvm::StringMap<mlir::OwningOpRef<mlir::ModuleOp>> modules;
};

// Replaces every pref.apply of the objective. Fails with a diagnostic.
mlir::LogicalResult inlineApplies(ObjectiveOp objective, ObjectiveFinder find);

// One summand of an expression.
struct ExpressionTerm {
  struct Binding {
    std::string name;
    double number = 0;
    std::string newName;  // instead of the number, unless empty
    mlir::Location location;
  };
  struct Choice {
    std::string option, chosen;
  };
  double weight = 1;
  std::string objective;
  std::vector<Binding> bindings;
  std::vector<Choice> choices;
  mlir::Location location;
};

// Parses one line of text; locations are columns of the file `fileName`. Fails with a diagnostic.
mlir::FailureOr<std::vector<ExpressionTerm>> parseExpression(llvm::StringRef text,
                                                             llvm::StringRef fileName,
                                                             mlir::MLIRContext& context);

// The one spelling of an expression: `0.8*dpo + 0.2*bco_pair(beta=0.05) - sft`, bindings and
// choices in order of their names. It is the name of the composed objective.
std::string canonicalText(llvm::ArrayRef<ExpressionTerm> terms);

// A module with one objective of pref.apply ops, not inlined; an expression that is a name alone is
// a copy of that objective. Fails with a diagnostic.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> composeObjective(
    llvm::ArrayRef<ExpressionTerm> terms, ObjectiveFinder find, mlir::MLIRContext& context);

#define GEN_PASS_REGISTRATION
#include "compiler/transforms/Compose/Compose.h.inc"

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TRANSFORMS_COMPOSE_COMPOSE_H_
