// The choices that are made when an objective is compiled.

#ifndef ALIDADE_COMPILER_TRANSFORMS_RESOLVEOPTIONS_RESOLVEOPTIONS_H_
#define ALIDADE_COMPILER_TRANSFORMS_RESOLVEOPTIONS_RESOLVEOPTIONS_H_

#include <map>
#include <string>

#include "mlir/Pass/Pass.h"

#include "compiler/dialect/pref/Pref.h"

namespace alidade::pref {

// Case by name of the option.
using OptionChoices = std::map<std::string, std::string>;

#define GEN_PASS_DECL_RESOLVEOPTIONS
#include "compiler/transforms/ResolveOptions/ResolveOptions.h.inc"

// What the pass does, as a function. Fails with a diagnostic.
mlir::LogicalResult resolveOptions(ObjectiveOp objective, const OptionChoices& choices);

// Erases what neither the results nor the update of a state that they need depends on.
void removeDeadCode(ObjectiveOp objective);

#define GEN_PASS_REGISTRATION
#include "compiler/transforms/ResolveOptions/ResolveOptions.h.inc"

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TRANSFORMS_RESOLVEOPTIONS_RESOLVEOPTIONS_H_
