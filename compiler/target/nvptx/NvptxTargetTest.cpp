// The GPU row kernel as PTX, and what is made of ptxas. The scalar kernel is tested with the
// objectives it belongs to.

#include "compiler/target/nvptx/NvptxTarget.h"

#include <fstream>

#include "compiler/conversion/RowKernel.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "llvm/Support/FileSystem.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
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

using testing::HasSubstr;
using testing::Not;

class NvptxTest : public testing::Test {
 protected:
  NvptxTest() {
    context.loadDialect<arith::ArithDialect, cf::ControlFlowDialect, gpu::GPUDialect,
                        LLVM::LLVMDialect, NVVM::NVVMDialect, math::MathDialect,
                        memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect>();
    module = ModuleOp::create(UnknownLoc::get(&context));
  }

  std::string rowKernelPtx(StringRef chip) {
    OwningOpRef<ModuleOp> holder = ModuleOp::create(UnknownLoc::get(&context));
    OpBuilder builder = OpBuilder::atBlockEnd(holder->getBody());
    auto kernels = gpu::GPUModuleOp::create(builder, builder.getUnknownLoc(), "alidade");
    buildGpuRowKernel(kernels);
    EXPECT_TRUE(succeeded(lowerToNvvm(*holder)));
    FailureOr<std::string> ptx = emitPtx(kernels, chip);
    EXPECT_TRUE(succeeded(ptx));
    return succeeded(ptx) ? *ptx : "";
  }

  // Runs `assemble` and returns the error it emitted, or "".
  std::string errorOf(llvm::function_ref<LogicalResult()> assemble) {
    std::string message;
    ScopedDiagnosticHandler handler(&context,
                                    [&](Diagnostic& diagnostic) { message += diagnostic.str(); });
    EXPECT_TRUE(failed(assemble()));
    return message;
  }

  // A program in the temporary folder that says `output` and ends with `status`.
  std::string fakePtxas(StringRef name, StringRef output, int status) {
    std::string path = testing::TempDir() + name.str();
    std::ofstream(path) << "#!/bin/sh\ncat <<'END'\n"
                        << output.str() << "\nEND\nexit " << status << "\n";
    EXPECT_FALSE(llvm::sys::fs::setPermissions(path, llvm::sys::fs::owner_all));
    return path;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(NvptxTest, RowKernelIsLeanPtx) {
  for (StringRef chip : {"sm_80", "sm_90a"}) {
    const std::string ptx = rowKernelPtx(chip);
    EXPECT_THAT(ptx, HasSubstr(".target " + chip.str()));
    EXPECT_THAT(ptx, HasSubstr(".visible .entry alidade_rows"));
    EXPECT_THAT(ptx, HasSubstr("ex2.approx.ftz.f32"));
    EXPECT_THAT(ptx, HasSubstr("ld.global.v4"));
    EXPECT_THAT(ptx, HasSubstr("st.global.v4"));
    EXPECT_THAT(ptx, HasSubstr("shfl.sync.bfly"));
    EXPECT_THAT(ptx, Not(HasSubstr("call")));    // no device library
    EXPECT_THAT(ptx, Not(HasSubstr(".local")));  // no stack
  }
}

TEST_F(NvptxTest, PtxasAcceptsTheRowKernelWithoutSpills) {
  std::optional<std::string> ptxas = findPtxas();
  if (!ptxas) GTEST_SKIP() << "skipped: no ptxas on this machine";
  for (StringRef chip : {"sm_80", "sm_90a"}) {
    FailureOr<Cubin> cubin = assemblePtx(*module, *ptxas, rowKernelPtx(chip), chip);
    ASSERT_TRUE(succeeded(cubin));
    EXPECT_EQ(cubin->bytes.substr(0, 4),
              "\x7f"
              "ELF");
    ASSERT_EQ(cubin->resources.size(), 1u);
    EXPECT_EQ(cubin->resources[0].kernel, "alidade_rows");
    EXPECT_EQ(cubin->resources[0].spillBytes, 0u);
    EXPECT_GT(cubin->resources[0].sharedBytes, 0u);
    // So that three blocks of 512 threads share the 65536 registers of a multiprocessor.
    EXPECT_LE(cubin->resources[0].registers, 42u) << chip.str();
    EXPECT_GT(cubin->resources[0].registers, 0u);
  }
}

TEST_F(NvptxTest, PtxasErrorsAreReported) {
  std::string failing = fakePtxas("failing_ptxas", "line 3: nonsense", 255);
  EXPECT_THAT(errorOf([&] { return LogicalResult(assemblePtx(*module, failing, "x", "sm_90a")); }),
              testing::AllOf(HasSubstr("ptxas failed for sm_90a with status 255"),
                             HasSubstr("line 3: nonsense")));
  EXPECT_THAT(
      errorOf([&] { return LogicalResult(assemblePtx(*module, "/absent/ptxas", "x", "sm_90a")); }),
      HasSubstr("ptxas failed"));
}

constexpr char kSpillingReport[] =
    "ptxas info    : 0 bytes gmem\n"
    "ptxas info    : Compiling entry function 'alidade_rows' for 'sm_90a'\n"
    "ptxas info    : Function properties for alidade_rows\n"
    "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
    "ptxas info    : Used 30 registers, used 1 barriers, 128 bytes smem\n"
    "ptxas info    : Compiling entry function 'alidade_scalars' for 'sm_90a'\n"
    "ptxas info    : Function properties for alidade_scalars\n"
    "    96 bytes stack frame, 40 bytes spill stores, 56 bytes spill loads\n"
    "ptxas info    : Used 255 registers, used 1 barriers, 64 bytes smem";

TEST_F(NvptxTest, ReadsTheReport) {
  std::vector<GpuKernelResources> resources = parsePtxasReport(kSpillingReport);
  ASSERT_EQ(resources.size(), 2u);
  EXPECT_EQ(resources[0].kernel, "alidade_rows");
  EXPECT_EQ(resources[0].registers, 30u);
  EXPECT_EQ(resources[0].sharedBytes, 128u);
  EXPECT_EQ(resources[0].spillBytes, 0u);
  EXPECT_EQ(resources[1].registers, 255u);
  EXPECT_EQ(resources[1].spillBytes, 96u);
}

TEST_F(NvptxTest, ASpillIsAnError) {
  std::string spilling = fakePtxas("spilling_ptxas", kSpillingReport, 0);
  EXPECT_THAT(errorOf([&] { return LogicalResult(assemblePtx(*module, spilling, "x", "sm_90a")); }),
              HasSubstr("kernel alidade_scalars spills 96 bytes on sm_90a"));
}

}  // namespace
}  // namespace alidade::pref
