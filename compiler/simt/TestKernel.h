// What the tests share: kernels from text.

#ifndef ALIDADE_COMPILER_SIMT_TESTKERNEL_H_
#define ALIDADE_COMPILER_SIMT_TESTKERNEL_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "compiler/simt/Kernel.h"
#include "gtest/gtest.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"

namespace alidade::pref::simt {

class KernelTest : public testing::Test {
 protected:
  KernelTest() {
    context_
        .loadDialect<mlir::arith::ArithDialect, mlir::gpu::GPUDialect, mlir::LLVM::LLVMDialect,
                     mlir::NVVM::NVVMDialect, mlir::math::MathDialect, mlir::memref::MemRefDialect,
                     mlir::scf::SCFDialect, mlir::vector::VectorDialect>();
  }

  // gpu.func @k(`parameters`) `attributions` of `body`, in which %t is the number of the thread
  // along x as an i64. The first line of the body is line 5 of test.mlir.
  absl::StatusOr<Kernel> compile(const std::string& parameters, const std::string& body,
                                 const std::string& attributions = "",
                                 const std::string& attributes = "") {
    const std::string text = absl::StrCat(
        "gpu.module @m {\ngpu.func @k(", parameters, ") ", attributions, " kernel ", attributes,
        " {\n%thread = gpu.thread_id x\n%t = arith.index_cast %thread : index to i64\n", body,
        "\ngpu.return\n}\n}\n");
    modules_.push_back(mlir::parseSourceString<mlir::ModuleOp>(text, &context_, "test.mlir"));
    if (!modules_.back()) return absl::InvalidArgumentError("the text does not parse: " + text);
    absl::StatusOr<Kernel> kernel = absl::NotFoundError("no kernel");
    modules_.back()->walk(
        [&](mlir::gpu::GPUFuncOp function) { kernel = Kernel::compile(function); });
    return kernel;
  }

  static Launch oneBlock(int64_t threads) {
    Launch launch;
    launch.block.x = threads;
    return launch;
  }

 private:
  mlir::MLIRContext context_;
  std::vector<mlir::OwningOpRef<mlir::ModuleOp>> modules_;
};

}  // namespace alidade::pref::simt

#endif  // ALIDADE_COMPILER_SIMT_TESTKERNEL_H_
