#include "compiler/target/nvptx/NvptxTarget.h"

#include "compiler/conversion/ExpandMath.h"
#include "compiler/target/LlvmBackend.h"
#include "llvm/Support/TargetSelect.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
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

// Becomes an LLVM intrinsic that the back end selects as one instruction. convert-gpu-to-nvvm would
// call a device library that only the CUDA toolkit has, and refuses the intrinsic ops of the LLVM
// dialect.
template <typename Op>
struct ToIntrinsic : OpRewritePattern<Op> {
  ToIntrinsic(MLIRContext* context, StringRef intrinsic)
      : OpRewritePattern<Op>(context), intrinsic(intrinsic) {}

  LogicalResult matchAndRewrite(Op op, PatternRewriter& rewriter) const override {
    if (!op.getType().isF64()) return rewriter.notifyMatchFailure(op, "not f64");
    auto call = LLVM::CallIntrinsicOp::create(rewriter, op.getLoc(), op.getType(),
                                              rewriter.getStringAttr(intrinsic),
                                              ValueRange{op.getOperand()});
    rewriter.replaceOp(op, call->getResult(0));
    return success();
  }

  StringRef intrinsic;
};

struct MathToIntrinsicsPass : PassWrapper<MathToIntrinsicsPass, OperationPass<>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(MathToIntrinsicsPass)

  void getDependentDialects(DialectRegistry& registry) const final {
    registry.insert<LLVM::LLVMDialect>();
  }

  void runOnOperation() final {
    RewritePatternSet patterns(&getContext());
    patterns.add<ToIntrinsic<math::AbsFOp>>(&getContext(), "llvm.fabs.f64");
    patterns.add<ToIntrinsic<math::FloorOp>>(&getContext(), "llvm.floor.f64");
    patterns.add<ToIntrinsic<math::SqrtOp>>(&getContext(), "llvm.sqrt.f64");
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) signalPassFailure();
  }
};

// Parameters that kernels take by value: kernel, number of the parameter, type of the bytes.
struct ByValue {
  gpu::GPUModuleOp module;
  std::string kernel;
  unsigned parameter;
  Attribute type;
};

SmallVector<ByValue> byValueParametersOf(ModuleOp module) {
  SmallVector<ByValue> found;
  module.walk([&](gpu::GPUFuncOp kernel) {
    for (unsigned i = 0; i < kernel.getNumArguments(); ++i)
      if (Attribute type = kernel.getArgAttr(i, LLVM::LLVMDialect::getByValAttrName()))
        found.push_back(
            {kernel->getParentOfType<gpu::GPUModuleOp>(), kernel.getName().str(), i, type});
  });
  return found;
}

}  // namespace

LogicalResult lowerToNvvm(ModuleOp module) {
  // convert-gpu-to-nvvm drops llvm.byval.
  SmallVector<ByValue> byValue = byValueParametersOf(module);
  DialectRegistry registry;
  registerConvertMemRefToLLVMInterface(
      registry);  // convert-gpu-to-nvvm lowers shared memory through it
  module.getContext()->appendDialectRegistry(registry);
  PassManager passes(module.getContext());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  passes.addPass(createExpandMathPass());
  passes.addPass(createConvertVectorToLLVMPass());
  passes.addPass(createSCFToControlFlowPass());
  passes.addPass(std::make_unique<MathToIntrinsicsPass>());
  passes.addPass(createConvertMathToLLVMPass());
  passes.addNestedPass<gpu::GPUModuleOp>(createConvertGpuOpsToNVVMOps());
  passes.addPass(createArithToLLVMConversionPass());
  passes.addPass(createConvertIndexToLLVMPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  if (failed(passes.run(module))) return failure();
  for (ByValue& parameter : byValue)
    parameter.module.lookupSymbol<LLVM::LLVMFuncOp>(parameter.kernel)
        .setArgAttr(parameter.parameter, LLVM::LLVMDialect::getByValAttrName(), parameter.type);
  // One block per multiprocessor is enough: without a word ptxas spills registers of large kernels
  // to fit more.
  module.walk([](LLVM::LLVMFuncOp kernel) {
    if (kernel->hasAttr(NVVM::NVVMDialect::getKernelFuncAttrName()))
      kernel->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                      IntegerAttr::get(IntegerType::get(kernel.getContext(), 32), 1));
  });
  return success();
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
  for (llvm::Function& function : *translated)
    if (!function.isDeclaration())
      function.addFnAttr("denormal-fp-math-f32", "preserve-sign,preserve-sign");
  optimize(*translated, *machine);

  return emitCode(module, *translated, *machine, llvm::CodeGenFileType::AssemblyFile);
}

}  // namespace alidade::pref
