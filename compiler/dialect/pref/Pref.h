// The `pref` dialect: types, attributes, interfaces and operations. README.md in the folder above
// shows the language.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_PREF_H_
#define ALIDADE_COMPILER_DIALECT_PREF_PREF_H_

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "compiler/dialect/pref/Axes.h"
#include "compiler/dialect/pref/Evaluation.h"

#include "compiler/dialect/pref/PrefDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "compiler/dialect/pref/PrefAttributes.h.inc"

#define GET_TYPEDEF_CLASSES
#include "compiler/dialect/pref/PrefTypes.h.inc"

#include "compiler/dialect/pref/PrefInterfaces.h.inc"

#define GET_OP_CLASSES
#include "compiler/dialect/pref/PrefOps.h.inc"

namespace alidade::pref {

// Shortest decimal text that reads back as the same number and that MLIR's lexer accepts: "0.1",
// "2", "1.0e-05", "inf".
std::string formatNumber(double value);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_DIALECT_PREF_PREF_H_
