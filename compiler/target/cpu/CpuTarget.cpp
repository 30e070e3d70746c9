#include "compiler/target/cpu/CpuTarget.h"

#include "compiler/conversion/ExpandMath.h"
#include "compiler/target/LlvmBackend.h"
#include "compiler/target/cpu/ObjectiveTable.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace alidade::pref {
namespace {

constexpr char kTriple[] = "x86_64-unknown-linux-gnu";

LogicalResult lowerToLlvmDialect(ModuleOp module) {
  PassManager passes(module.getContext());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  passes.addPass(createExpandMathPass());
  passes.addPass(createConvertVectorToLLVMPass());
  passes.addPass(createSCFToControlFlowPass());
  passes.addPass(createConvertMathToLLVMPass());
  passes.addPass(createArithToLLVMConversionPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createConvertFuncToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  return passes.run(module);
}

void initializeBackend() {
  static const bool initialized = [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    return true;
  }();
  (void)initialized;
}

// Each function is compiled for its own level; callers choose at load time.
void setFunctionTargets(llvm::Module& module, ArrayRef<const CpuLevel*> levels) {
  for (llvm::Function& function : module) {
    if (function.isDeclaration()) continue;
    function.setLinkage(llvm::GlobalValue::InternalLinkage);
    function.addFnAttr(llvm::Attribute::NoUnwind);
    function.addFnAttr("no-builtins");  // a loop stays one: no call of memset
    for (const CpuLevel* level : levels) {
      if (!function.getName().ends_with(level->suffix)) continue;
      function.addFnAttr("target-cpu", level->cpu);
      function.addFnAttr("prefer-vector-width", level->vectorWidth);
    }
  }
}

}  // namespace

ArrayRef<CpuLevel> cpuLevels() {
  static constexpr CpuLevel kLevels[] = {{"x86-64-v3", "v3", 8, "256"},
                                         {"x86-64-v4", "v4", 16, "512"}};
  return kLevels;
}

const CpuLevel* findCpuLevel(StringRef cpu) {
  for (const CpuLevel& level : cpuLevels())
    if (level.cpu == cpu) return &level;
  return nullptr;
}

FailureOr<CpuCode> emitCpuObject(ModuleOp kernels, ArrayRef<const CpuLevel*> levels,
                                 const TableContents& table, bool keepTexts) {
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  kernels.getContext()->appendDialectRegistry(registry);
  if (failed(lowerToLlvmDialect(kernels))) return failure();
  initializeBackend();
  std::unique_ptr<llvm::TargetMachine> machine =
      createMachine(kernels, kTriple, levels.front()->cpu, /*features=*/"");
  if (!machine) return failure();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module = translateModuleToLLVMIR(kernels, context, table.name);
  if (!module) return kernels.emitError("lowering to LLVM IR failed");
  module->setTargetTriple(llvm::Triple(kTriple));
  module->setDataLayout(machine->createDataLayout());
  setFunctionTargets(*module, levels);
  addObjectiveTable(*module, levels, table);
  optimize(*module, *machine);

  CpuCode code;
  if (keepTexts) {
    llvm::raw_string_ostream(code.llvm) << *module;
    std::unique_ptr<llvm::Module> copy =
        llvm::CloneModule(*module);  // printing code changes the module
    FailureOr<std::string> assembly =
        emitCode(kernels, *copy, *machine, llvm::CodeGenFileType::AssemblyFile);
    if (failed(assembly)) return failure();
    code.assembly = *assembly;
  }
  FailureOr<std::string> object =
      emitCode(kernels, *module, *machine, llvm::CodeGenFileType::ObjectFile);
  if (failed(object)) return failure();
  code.object = *object;
  return code;
}

}  // namespace alidade::pref
