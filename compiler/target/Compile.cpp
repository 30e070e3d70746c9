#include "compiler/target/Compile.h"

#include "compiler/conversion/RowKernel.h"
#include "compiler/conversion/ScalarBlock.h"
#include "compiler/schedule/signature.h"
#include "compiler/target/cpu/CpuTarget.h"
#include "compiler/target/nvptx/NvptxTarget.h"
#include "llvm/Config/llvm-config.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/OwningOpRef.h"

using namespace mlir;

namespace alidade::pref {
namespace {

FailureOr<ObjectiveOp> onlyObjective(ModuleOp module) {
  auto objectives = llvm::to_vector(module.getOps<ObjectiveOp>());
  if (objectives.size() != 1) {
    return module.emitError("expected one pref.objective to compile, got ") << objectives.size();
  }
  return objectives.front();
}

FailureOr<SmallVector<const CpuLevel*>> levelsOf(ModuleOp module, const CompileOptions& options) {
  SmallVector<const CpuLevel*> levels;
  for (const std::string& cpu : options.cpus) {
    const CpuLevel* level = findCpuLevel(cpu);
    if (!level) {
      return module.emitError("unknown CPU level '") << cpu << "', expected x86-64-v3 or x86-64-v4";
    }
    levels.push_back(level);
  }
  if (levels.empty()) return module.emitError("no CPU level to compile for");
  return levels;
}

// The row programs that the signature names: those of the objective's distributions.
FailureOr<std::vector<schedule::RowProgram>> rowProgramsOf(ModuleOp module,
                                                           StringRef signatureJson) {
  absl::StatusOr<schedule::Signature> signature =
      schedule::SignatureFromJson({signatureJson.data(), signatureJson.size()});
  if (!signature.ok())
    return module.emitError("unusable signature: ") << signature.status().ToString();
  return signature->row_programs;
}

template <typename Op>
std::string textOf(Op op) {
  std::string text;
  llvm::raw_string_ostream(text) << op << '\n';
  return text;
}

void loadDialects(MLIRContext& context) {
  context.loadDialect<arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect,
                      gpu::GPUDialect, LLVM::LLVMDialect, NVVM::NVVMDialect, math::MathDialect,
                      memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect>();
}

LogicalResult compileGpu(ObjectiveOp objective, StringRef signatureJson,
                         const CompileOptions& options, CompiledObjective& result) {
  FailureOr<OwningOpRef<ModuleOp>> holder =
      buildGpuKernels(objective->getParentOfType<ModuleOp>(), signatureJson);
  if (failed(holder)) return failure();
  auto module = *(*holder)->getOps<gpu::GPUModuleOp>().begin();
  if (options.keepTexts) result.loops += textOf(module);
  if (failed(lowerToNvvm(**holder))) return failure();
  FailureOr<std::string> sm80 = emitPtx(module, "sm_80");
  FailureOr<std::string> sm90a = emitPtx(module, "sm_90a");
  if (failed(sm80) || failed(sm90a)) return failure();
  result.ptxSm80 = *sm80;
  result.ptxSm90a = *sm90a;
  if (!options.ptxas) return success();
  FailureOr<Cubin> cubin = assemblePtx(objective, *options.ptxas, *sm90a, "sm_90a");
  if (failed(cubin)) return failure();
  result.cubinSm90a = cubin->bytes;
  result.resources = cubin->resources;
  return success();
}

LogicalResult compileCpu(ObjectiveOp objective, ArrayRef<const CpuLevel*> levels,
                         StringRef signatureJson, const CompileOptions& options,
                         CompiledObjective& result) {
  FailureOr<std::vector<schedule::RowProgram>> programs =
      rowProgramsOf(objective->getParentOfType<ModuleOp>(), signatureJson);
  if (failed(programs)) return failure();
  OwningOpRef<ModuleOp> kernels = ModuleOp::create(objective.getLoc());
  ScalarBlockSizes scalars;
  for (const CpuLevel* level : levels) {
    for (auto [k, program] : llvm::enumerate(*programs))
      buildRowKernel(*kernels, ("alidade_rows_" + Twine(k) + "_" + level->suffix).str(),
                     level->floatLanes, program);
    FailureOr<ScalarBlockSizes> sizes = buildScalarBlock(*kernels, level->suffix, objective);
    if (failed(sizes)) return failure();
    scalars = *sizes;
  }
  if (options.keepTexts) result.loops = textOf(*kernels) + result.loops;
  TableContents table;
  table.name = objective.getSymName().str();
  table.signatureJson = signatureJson.str();
  table.definition = options.definition;
  table.numRowPrograms = programs->size();
  table.hasKnown = scalars.hasKnown;
  table.scratch = scalars.scratch;
  table.known = scalars.known;
  table.ptxSm80 = result.ptxSm80;
  table.ptxSm90a = result.ptxSm90a;
  table.cubinSm90a = result.cubinSm90a;
  table.registerAtLoad = options.registerAtLoad;
  FailureOr<CpuCode> code = emitCpuObject(*kernels, levels, table, options.keepTexts);
  if (failed(code)) return failure();
  result.object = std::move(code->object);
  result.llvm = std::move(code->llvm);
  result.assembly = std::move(code->assembly);
  return success();
}

}  // namespace

FailureOr<OwningOpRef<ModuleOp>> buildGpuKernels(ModuleOp derived, StringRef signatureJson) {
  FailureOr<ObjectiveOp> objective = onlyObjective(derived);
  FailureOr<std::vector<schedule::RowProgram>> programs = rowProgramsOf(derived, signatureJson);
  if (failed(objective) || failed(programs)) return failure();
  loadDialects(*derived.getContext());
  OpBuilder builder(derived.getContext());
  OwningOpRef<ModuleOp> holder = ModuleOp::create(objective->getLoc());
  builder.setInsertionPointToEnd(holder->getBody());
  auto module = gpu::GPUModuleOp::create(builder, objective->getLoc(), "alidade");
  for (auto [k, program] : llvm::enumerate(*programs)) {
    const std::string name = ("alidade_rows_" + Twine(k)).str();
    buildGpuRowKernel(module, name, program, RowElementType::kF32);
    buildGpuRowKernel(module, name + "_bf16", program, RowElementType::kBf16);
  }
  if (failed(buildGpuScalarBlock(module, *objective))) return failure();
  return holder;
}

FailureOr<CompiledObjective> compileObjective(ModuleOp derived, StringRef signatureJson,
                                              const CompileOptions& options) {
  FailureOr<ObjectiveOp> objective = onlyObjective(derived);
  FailureOr<SmallVector<const CpuLevel*>> levels = levelsOf(derived, options);
  if (failed(objective) || failed(levels)) return failure();
  loadDialects(*derived.getContext());
  CompiledObjective result;
  // First the GPU: its code is data of the object.
  if (options.gpu && failed(compileGpu(*objective, signatureJson, options, result)))
    return failure();
  if (failed(compileCpu(*objective, *levels, signatureJson, options, result))) return failure();
  return result;
}

std::string toolchainVersion() { return "LLVM " LLVM_VERSION_STRING; }

}  // namespace alidade::pref
