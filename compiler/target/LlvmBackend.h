// What the CPU and the GPU target share of LLVM: the optimiser and the code emitter.

#ifndef ALIDADE_COMPILER_TARGET_LLVMBACKEND_H_
#define ALIDADE_COMPILER_TARGET_LLVMBACKEND_H_

#include <string>

#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"
#include "mlir/IR/Operation.h"

namespace alidade::pref {

// Code for `triple`, position independent. Null after an error at `source` when this LLVM lacks the
// back end, which the caller has initialised.
std::unique_ptr<llvm::TargetMachine> createMachine(mlir::Operation* source, llvm::StringRef triple,
                                                   llvm::StringRef cpu, llvm::StringRef features);

// The default pipeline of -O2 for `machine`.
void optimize(llvm::Module& module, llvm::TargetMachine& machine);

// Bytes of an object or assembly file. Changes `module` as code generation needs.
mlir::FailureOr<std::string> emitCode(mlir::Operation* source, llvm::Module& module,
                                      llvm::TargetMachine& machine, llvm::CodeGenFileType kind);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TARGET_LLVMBACKEND_H_
