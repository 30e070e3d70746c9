// MLIR to x86-64 object code.

#ifndef ALIDADE_COMPILER_TARGET_CPU_CPUTARGET_H_
#define ALIDADE_COMPILER_TARGET_CPU_CPUTARGET_H_

#include <string>

#include "compiler/conversion/ScalarBlock.h"
#include "mlir/IR/BuiltinOps.h"

namespace alidade::pref {

// One level of the x86-64 psABI.
struct CpuLevel {
  llvm::StringRef cpu;          // "x86-64-v4"
  llvm::StringRef suffix;       // of its functions: "v4"
  int64_t floatLanes;           // floats of its widest vector
  llvm::StringRef vectorWidth;  // bits, the function attribute prefer-vector-width
};

// Least demanding first.
llvm::ArrayRef<CpuLevel> cpuLevels();
// The level called `cpu`, or null.
const CpuLevel* findCpuLevel(llvm::StringRef cpu);

// What the AlidadeObjectiveTable of the object says, beside the variants.
struct TableContents {
  std::string name, signatureJson, definition;
  unsigned numRowPrograms = 1;
  bool hasKnown = false;  // the module holds alidade_known_<suffix>
  ScratchSize scratch, known;
  std::string ptxSm80, ptxSm90a, cubinSm90a;  // empty: null in the table
  bool registerAtLoad = false;
};

struct CpuCode {
  std::string object;
  std::string llvm, assembly;  // texts, if asked for
};

// `kernels` holds, per level of `levels`, func.func alidade_rows_<program>_<suffix>,
// alidade_scalars_<suffix> and, with table.hasKnown, alidade_known_<suffix> in upstream dialects;
// it is consumed.
mlir::FailureOr<CpuCode> emitCpuObject(mlir::ModuleOp kernels,
                                       llvm::ArrayRef<const CpuLevel*> levels,
                                       const TableContents& table, bool keepTexts);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TARGET_CPU_CPUTARGET_H_
