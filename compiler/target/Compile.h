// From a differentiated objective to code: one relocatable x86-64 object with a variant per CPU
// level and the AlidadeObjectiveTable of compiler/runtime/abi.h, holding PTX and, where ptxas is at
// hand, a cubin.
//
//   CompileOptions options;
//   options.registerAtLoad = true;
//   FailureOr<CompiledObjective> code = compileObjective(module, signatureJson, options);
//   writeFile("dpo.o", code->object);

#ifndef ALIDADE_COMPILER_TARGET_COMPILE_H_
#define ALIDADE_COMPILER_TARGET_COMPILE_H_

#include <optional>
#include <string>
#include <vector>

#include "compiler/target/nvptx/NvptxTarget.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace alidade::pref {

struct CompileOptions {
  // Levels of the x86-64 psABI, least demanding first: "x86-64-v3" (AVX2) and "x86-64-v4"
  // (AVX-512).
  std::vector<std::string> cpus = {"x86-64-v3", "x86-64-v4"};
  // PTX for sm_80 and sm_90a.
  bool gpu = true;
  // With it also a cubin for sm_90a.
  std::optional<std::string> ptxas = findPtxas();
  // True: a constructor of the object calls alidade_register_objective, and no symbol of the object
  // is global, so that objects of several objectives link together. False: the table is the global
  // symbol `alidade_objective_table`.
  bool registerAtLoad = false;
  // Text of the definition, which the table hands on.
  std::string definition;
  // Fill CompiledObjective's texts.
  bool keepTexts = false;
};

struct CompiledObjective {
  std::string object;  // bytes of an ELF relocatable
  std::string ptxSm80, ptxSm90a;
  std::string cubinSm90a;                     // empty without ptxas
  std::vector<GpuKernelResources> resources;  // of the cubin

  // With keepTexts: the loops in upstream dialects, the optimised LLVM IR, the assembly.
  std::string loops, llvm, assembly;
};

// `derived` holds exactly one pref.objective, after pref-differentiate; it is not changed.
// `signatureJson` is its signature (schedule::SignatureToJson), whose row programs say which row
// kernels there are. Thread safe. Errors are diagnostics at the objective or at the operation
// concerned.
mlir::FailureOr<CompiledObjective> compileObjective(mlir::ModuleOp derived,
                                                    llvm::StringRef signatureJson,
                                                    const CompileOptions& options = {});

// The GPU kernels before they are lowered: a module that holds one gpu.module, `alidade`, in
// upstream dialects. Errors as above.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> buildGpuKernels(mlir::ModuleOp derived,
                                                                   llvm::StringRef signatureJson);

// "LLVM 22.1.8": part of every cache key.
std::string toolchainVersion();

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TARGET_COMPILE_H_
