#include "compiler/target/LlvmBackend.h"

#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;

namespace alidade::pref {

std::unique_ptr<llvm::TargetMachine> createMachine(Operation* source, StringRef triple,
                                                   StringRef cpu, StringRef features) {
  llvm::Triple parsed(triple);
  std::string error;
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(parsed, error);
  if (!target) {
    source->emitError("this LLVM cannot generate code for ") << triple << ": " << error;
    return nullptr;
  }
  llvm::TargetOptions options;
  // Linkers keep and run .init_array; the .ctors section of the other convention is dropped without
  // a word.
  options.UseInitArray = true;
  return std::unique_ptr<llvm::TargetMachine>(
      target->createTargetMachine(parsed, cpu, features, options, llvm::Reloc::PIC_, std::nullopt,
                                  llvm::CodeGenOptLevel::Default));
}

void optimize(llvm::Module& module, llvm::TargetMachine& machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

FailureOr<std::string> emitCode(Operation* source, llvm::Module& module,
                                llvm::TargetMachine& machine, llvm::CodeGenFileType kind) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, kind)) {
    source->emitError("this LLVM cannot write code for ") << machine.getTargetTriple().str();
    return failure();
  }
  passes.run(module);
  return std::string(bytes.begin(), bytes.end());
}

}  // namespace alidade::pref
