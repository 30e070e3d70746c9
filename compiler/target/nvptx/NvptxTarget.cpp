#include "compiler/target/nvptx/NvptxTarget.h"

#include "compiler/conversion/ExpandMath.h"
#include "compiler/target/LlvmBackend.h"
#include "llvm/Support/TargetSelect.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace alidade::pref {
namespace {

constexpr char kTriple[] = "nvptx64-nvidia-cuda";
// Below ptx80 the back end refuses sm_90a; a driver of CUDA 12 reads it.
constexpr char kFeatures[] = "+ptx80";

void initializeBackend() {
  static const bool initialized = [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    return true;
  }();
  (void)initialized;
}

}  // namespace

LogicalResult lowerToNvvm(gpu::GPUModuleOp module) {
  PassManager passes(module.getContext(), gpu::GPUModuleOp::getOperationName());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  passes.addPass(createExpandMathPass());
  passes.addPass(createConvertVectorToLLVMPass());
  passes.addPass(createSCFToControlFlowPass());
  // Before convert-gpu-to-nvvm, which would turn math operations into calls of a device library.
  passes.addPass(createConvertMathToLLVMPass());
  passes.addPass(createConvertGpuOpsToNVVMOps());
  passes.addPass(createArithToLLVMConversionPass());
  passes.addPass(createConvertIndexToLLVMPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  return passes.run(module);
}

FailureOr<std::string> emitPtx(gpu::GPUModuleOp module, StringRef chip) {
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerGPUDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
  module.getContext()->appendDialectRegistry(registry);
  initializeBackend();
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(module, kTriple, chip, kFeatures);
  if (!machine) return failure();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> translated = translateModuleToLLVMIR(module, context, "alidade");
  if (!translated) return module.emitError("lowering to LLVM IR failed");
  translated->setTargetTriple(llvm::Triple(kTriple));
  translated->setDataLayout(machine->createDataLayout());
  // Lets exp2 become ex2.approx.ftz: without it every call is wrapped in a scaling for denormals.
  for (llvm::Function &function : *translated)
    if (!function.isDeclaration()) function.addFnAttr("denormal-fp-math-f32", "preserve-sign,preserve-sign");
  optimize(*translated, *machine);

  return emitCode(module, *translated, *machine, llvm::CodeGenFileType::AssemblyFile);
}

}  // namespace alidade::pref
