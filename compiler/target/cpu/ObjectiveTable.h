// Writes the AlidadeObjectiveTable of compiler/runtime/abi.h into an LLVM module.

#ifndef ALIDADE_COMPILER_TARGET_CPU_OBJECTIVETABLE_H_
#define ALIDADE_COMPILER_TARGET_CPU_OBJECTIVETABLE_H_

#include "compiler/target/cpu/CpuTarget.h"
#include "llvm/IR/Module.h"

namespace alidade::pref {

// Adds the table, its variants (functions alidade_rows_<program>_<suffix>, alidade_known_<suffix>
// and alidade_scalars_<suffix> of the module) and, if asked for, the constructor that registers it.
void addObjectiveTable(llvm::Module& module, llvm::ArrayRef<const CpuLevel*> levels,
                       const TableContents& contents);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TARGET_CPU_OBJECTIVETABLE_H_
