// The scalar kernels of the GPU, executed by the SIMT interpreter and compared with the meaning of
// the objective. The interpreter also finds races, divergent barriers and stray accesses.

#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "compiler/conversion/ScalarBlock.h"
#include "compiler/simt/Kernel.h"
#include "compiler/target/ScalarCases.h"
#include "gtest/gtest.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace alidade::pref {
namespace {

class GpuScalarBlockTest : public testing::TestWithParam<ScalarCase> {
 protected:
  GpuScalarBlockTest() {
    context.loadDialect<arith::ArithDialect, gpu::GPUDialect, LLVM::LLVMDialect, NVVM::NVVMDialect,
                        math::MathDialect, memref::MemRefDialect, scf::SCFDialect>();
  }

  MLIRContext context;
};

// Memory that kernels may write; the interpreter refuses to read what nobody wrote.
void addArray(simt::Memory& memory, const std::string& name, const std::vector<double>& array) {
  ALIDADE_EXPECT_OK(
      memory.add(name, array.data(), array.size() * sizeof(double), simt::Access::kWrite));
}

template <typename T>
void addArrays(simt::Memory& memory, const std::string& name,
               const std::vector<std::vector<T>>& arrays, simt::Access access) {
  for (size_t i = 0; i < arrays.size(); ++i)
    ALIDADE_EXPECT_OK(memory.add(absl::StrCat(name, " ", i), arrays[i].data(),
                                 arrays[i].size() * sizeof(T), access));
}

TEST_P(GpuScalarBlockTest, AgreesWithTheInterpreter) {
  const std::string file = absl::StrCat(GetParam().name, ".mlir");
  absl::StatusOr<DerivedObjective> derived = deriveObjectiveText(GetParam().text, file, context);
  ASSERT_THAT(derived, IsOk());
  const schedule::Signature& signature = derived->signature;
  OwningOpRef<ModuleOp> holder = ModuleOp::create(UnknownLoc::get(&context));
  OpBuilder builder = OpBuilder::atBlockEnd(holder->getBody());
  auto module = gpu::GPUModuleOp::create(builder, builder.getUnknownLoc(), "alidade");
  FailureOr<ScalarBlockSizes> sizes = buildGpuScalarBlock(module, derived->objective());
  ASSERT_TRUE(succeeded(sizes));
  ASSERT_TRUE(succeeded(verify(*holder)));
  std::vector<simt::Kernel> kernels;  // known first, which scalars need
  for (llvm::StringRef name : {"alidade_known", "alidade_scalars"}) {
    auto function = module.lookupSymbol<gpu::GPUFuncOp>(name);
    if (!function) continue;
    absl::StatusOr<simt::Kernel> kernel = simt::Kernel::compile(function);
    ASSERT_THAT(kernel, IsOk());
    kernels.push_back(*kernel);
  }
  ASSERT_EQ(kernels.size(), sizes->hasKnown ? 2u : 1u);

  for (int64_t rows : {1, 5, 19}) {
    const PackedBatch packed = randomBatch(signature, rows, 7 * rows);
    ScalarResults out;
    AlidadeScalarArgs args = argumentsFor(signature, packed, out);
    auto memoryOf = [&](const ScratchSize& size) {
      return std::vector<double>(
          doublesOf(size.fixed, size.perRow, size.perAxis, signature, packed, 0, rows), kUnwritten);
    };
    std::vector<double> scratch = memoryOf(sizes->scratch), known = memoryOf(sizes->known);
    args.scratch = scratch.data();
    args.known = known.data();
    simt::Memory memory;
    addArrays(memory, "read", packed.reads, simt::Access::kRead);
    addArrays(memory, "offsets", packed.offsets, simt::Access::kRead);
    addArrays(memory, "input", packed.inputs, simt::Access::kRead);
    addArrays(memory, "cotangent", out.cotangents, simt::Access::kWrite);
    ALIDADE_EXPECT_OK(memory.add("results", out.results.data(), out.results.size() * sizeof(float),
                                 simt::Access::kWrite));
    ALIDADE_EXPECT_OK(memory.add("states", packed.states.data(),
                                 packed.states.size() * sizeof(double), simt::Access::kRead));
    addArray(memory, "new states", out.states);
    addArray(memory, "scratch", scratch);
    addArray(memory, "known", known);
    simt::Launch launch;
    launch.block.x = kGpuScalarThreads;
    for (const simt::Kernel& kernel : kernels)
      ASSERT_THAT(kernel.launch(launch, {simt::Argument::of(args)}, memory), IsOk());
    expectAsInterpreted(*derived, packed, out, absl::StrCat(rows, " rows: "));
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, GpuScalarBlockTest, testing::ValuesIn(scalarCases().vec()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace alidade::pref
