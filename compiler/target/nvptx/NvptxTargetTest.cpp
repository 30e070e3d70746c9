// The GPU row kernel as PTX, and what is made of ptxas. The scalar kernel is tested with the
// objectives it belongs to.

#include "compiler/target/nvptx/NvptxTarget.h"

#include <fstream>

#include "compiler/conversion/RowKernel.h"
#include "compiler/runtime/abi.h"
#include "compiler/schedule/row_program.h"
#include "compiler/target/RowReference.h"
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

  // PTX of the kernels alidade_rows_<k> and alidade_rows_<k>_bf16 of `programs`.
  std::string rowKernelPtx(StringRef chip, ArrayRef<schedule::RowProgram> programs) {
    OwningOpRef<ModuleOp> holder = ModuleOp::create(UnknownLoc::get(&context));
    OpBuilder builder = OpBuilder::atBlockEnd(holder->getBody());
    auto kernels = gpu::GPUModuleOp::create(builder, builder.getUnknownLoc(), "alidade");
    for (auto [k, program] : llvm::enumerate(programs)) {
      const std::string name = ("alidade_rows_" + Twine(k)).str();
      buildGpuRowKernel(kernels, name, program, RowElementType::kF32);
      buildGpuRowKernel(kernels, name + "_bf16", program, RowElementType::kBf16);
    }
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

const schedule::RowProgram kLogProb = {{{"logprob", true}}};

TEST_F(NvptxTest, RowKernelIsLeanPtx) {
  for (StringRef chip : {"sm_80", "sm_90a"}) {
    const std::string ptx = rowKernelPtx(chip, kLogProb);
    EXPECT_THAT(ptx, HasSubstr(".target " + chip.str()));
    for (const char* name : {"alidade_rows_0", "alidade_rows_0_bf16"}) {
      EXPECT_THAT(ptx, HasSubstr(std::string(".visible .entry ") + name + "("));
      EXPECT_THAT(ptx, HasSubstr(".param .align 8 .b8 " + std::string(name) + "_param_0[" +
                                 std::to_string(sizeof(AlidadeRowArgs)) + "]"));
    }
    EXPECT_THAT(ptx, HasSubstr("ex2.approx.ftz.f32"));
    EXPECT_THAT(ptx, HasSubstr("ld.global.v4"));
    EXPECT_THAT(ptx, HasSubstr("st.global.v4"));
    EXPECT_THAT(ptx, HasSubstr("shfl.sync.bfly"));
    EXPECT_THAT(ptx, HasSubstr(".minnctapersm 1"));
  }
}

TEST_F(NvptxTest, RowKernelsCallNothingAndHaveNoStack) {
  for (const schedule::RowProgram& program : rowPrograms()) {
    const std::string ptx = rowKernelPtx("sm_80", program);
    EXPECT_THAT(ptx, Not(HasSubstr("call"))) << program.ToString();  // no device library
    EXPECT_THAT(ptx, Not(HasSubstr(".local"))) << program.ToString();
    // Generic accesses would be slower, and would mean that a pointer's space is not known.
    EXPECT_THAT(ptx, Not(testing::ContainsRegex("(ld|st)\\.(v4\\.)?[bfu](16|32|64)")))
        << program.ToString();
  }
}

TEST_F(NvptxTest, PtxasAcceptsTheRowKernelsWithoutSpills) {
  std::optional<std::string> ptxas = findPtxas();
  if (!ptxas) GTEST_SKIP() << "skipped: no ptxas on this machine";
  const std::vector<schedule::RowProgram> programs = rowPrograms();
  for (StringRef chip : {"sm_80", "sm_90a"}) {
    FailureOr<Cubin> cubin = assemblePtx(*module, *ptxas, rowKernelPtx(chip, programs), chip);
    ASSERT_TRUE(succeeded(cubin));
    EXPECT_EQ(cubin->bytes.substr(0, 4),
              "\x7f"
              "ELF");
    ASSERT_EQ(cubin->resources.size(), 2 * programs.size());
    for (const GpuKernelResources& kernel : cubin->resources) {
      EXPECT_EQ(kernel.spillBytes, 0u) << kernel.kernel;
      EXPECT_GT(kernel.registers, 0u) << kernel.kernel;
      // Blocks of 512 threads: the kernel must be able to start.
      EXPECT_LE(kernel.registers, 128u) << kernel.kernel;
      if (kernel.kernel == "alidade_rows_0" || kernel.kernel == "alidade_rows_0_bf16") {
        EXPECT_GT(kernel.sharedBytes, 0u);
        // So that two blocks share the 65536 registers of a multiprocessor.
        EXPECT_LE(kernel.registers, 64u) << chip.str() << ' ' << kernel.kernel;
      }
    }
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
