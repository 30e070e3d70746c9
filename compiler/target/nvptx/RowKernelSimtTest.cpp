// The GPU row kernels of all kinds of programs, f32 and bf16, run by the SIMT interpreter, against
// f64. The interpreter also refuses races, wrong alignment and accesses outside the arrays.

#include <bit>
#include <cmath>
#include <limits>

#include "common/status/status_matchers.h"
#include "compiler/conversion/RowKernel.h"
#include "compiler/runtime/abi.h"
#include "compiler/schedule/row_program.h"
#include "compiler/simt/Kernel.h"
#include "compiler/simt/Memory.h"
#include "compiler/target/RowReference.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

using namespace mlir;

namespace alidade::pref {
namespace {

// Absolute, and relative for values above 1: sums are f32 here.
constexpr double kReadTolerance = 2e-5;
constexpr double kReadSpacing = 1e-6;
// Relative to the norm of a gradient row plus a floor, which a row has that is nearly one-hot.
constexpr double kGradientTolerance = 1e-5;
constexpr double kGradientFloor = 0.05;
// Logits that a bias or a soft cap changes are rounded to f32 before anything else.
constexpr double kTransformedGradientTolerance = 3e-5;
// Half a unit in the last place of bf16, with which results are stored.
constexpr double kBf16Spacing = 0x1p-8;

// An array [rows, stride] of a kernel's element type.
class Elements {
 public:
  Elements(const std::vector<float>& values, bool isBf16) : floats(values), isBf16(isBf16) {
    for (float value : values)
      halves.push_back(static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16));
  }
  float* data() { return isBf16 ? reinterpret_cast<float*>(halves.data()) : floats.data(); }
  size_t bytes() const { return floats.size() * (isBf16 ? 2 : 4); }
  std::vector<float> values() const {
    if (!isBf16) return floats;
    std::vector<float> result;
    for (uint16_t half : halves)
      result.push_back(std::bit_cast<float>(static_cast<uint32_t>(half) << 16));
    return result;
  }

 private:
  std::vector<float> floats;
  std::vector<uint16_t> halves;
  const bool isBf16;
};

// Values that bf16 holds exactly.
void truncateToBf16(std::vector<float>& values) {
  for (float& value : values)
    value = std::bit_cast<float>(std::bit_cast<uint32_t>(value) & 0xffff0000);
}

class GpuRowKernelTest : public testing::TestWithParam<std::tuple<size_t, bool>> {
 protected:
  GpuRowKernelTest() {
    context.loadDialect<arith::ArithDialect, gpu::GPUDialect, LLVM::LLVMDialect, math::MathDialect,
                        memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect>();
    module = ModuleOp::create(UnknownLoc::get(&context));
    OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
    auto kernels = gpu::GPUModuleOp::create(builder, builder.getUnknownLoc(), "alidade");
    buildGpuRowKernel(kernels, "rows", program,
                      isBf16 ? RowElementType::kBf16 : RowElementType::kF32);
    function = *kernels.getOps<gpu::GPUFuncOp>().begin();
  }

  // One launch; the gradient is [rows, stride].
  absl::Status run(const RowCase& rows, int32_t mode, std::vector<std::vector<float>>& reads,
                   std::vector<float>& gradient) {
    absl::StatusOr<simt::Kernel> kernel = simt::Kernel::compile(function);
    if (!kernel.ok()) return kernel.status();
    Elements logits(rows.logits, isBf16), partner(rows.partner, isBf16);
    AlidadeRowArgs args = rows.arguments(logits.data(), reads, mode);
    if (args.partner != nullptr) args.partner = partner.data();
    simt::Memory memory;
    absl::Status status;
    auto add = [&](const char* name, const auto& array, size_t bytes, simt::Access access) {
      if (bytes > 0) status.Update(memory.add(name, array, bytes, access));
    };
    add("logits", logits.data(), logits.bytes(),
        mode == ALIDADE_ROWS_READ ? simt::Access::kRead : simt::Access::kReadWrite);
    add("partner", partner.data(), partner.bytes(), simt::Access::kRead);
    add("labels", rows.labels.data(), rows.labels.size() * sizeof(int64_t), simt::Access::kRead);
    add("bias", rows.bias.data(), rows.bias.size() * sizeof(float), simt::Access::kRead);
    add("partner bias", rows.partnerBias.data(), rows.partnerBias.size() * sizeof(float),
        simt::Access::kRead);
    for (const std::vector<float>& index : rows.indexes)
      add("index", index.data(), index.size() * sizeof(float), simt::Access::kRead);
    for (const std::vector<float>& cotangent : rows.cotangents)
      add("cotangent", cotangent.data(), cotangent.size() * sizeof(float), simt::Access::kRead);
    for (std::vector<float>& read : reads)
      add("read", read.data(), read.size() * sizeof(float), simt::Access::kWrite);
    simt::Launch launch;
    launch.grid.x = rows.rows;
    launch.block.x = kGpuRowThreads;
    status.Update(kernel->launch(launch, {simt::Argument::of(args)}, memory));
    gradient = logits.values();
    return status;
  }

  void check(RowCase rows) {
    if (isBf16) {
      truncateToBf16(rows.logits);
      truncateToBf16(rows.partner);
    }
    for (int32_t mode : {ALIDADE_ROWS_READ, ALIDADE_ROWS_UNSCALED, ALIDADE_ROWS_SCALED}) {
      if (mode != ALIDADE_ROWS_READ && program.num_gradients() == 0) continue;
      const RowExpectation expected = expect(rows, mode == ALIDADE_ROWS_UNSCALED);
      std::vector<std::vector<float>> reads;
      std::vector<float> gradient;
      ASSERT_THAT(run(rows, mode, reads, gradient), IsOk()) << rows.describe();
      for (int64_t row = 0; row < rows.rows; ++row) {
        for (size_t i = 0; i < reads.size(); ++i)
          ASSERT_NEAR(reads[i][row], expected.reads[i][row],
                      kReadTolerance + kReadSpacing * std::abs(expected.reads[i][row]))
              << rows.describe() << ' ' << program.reads[i].op << " row " << row;
        if (mode != ALIDADE_ROWS_READ)
          ASSERT_LE(gradientError(rows, expected, gradient, row,
                                  kGradientFloor * denseScale(rows, expected, row)),
                    (rows.isTransformed() ? kTransformedGradientTolerance : kGradientTolerance) +
                        (isBf16 ? kBf16Spacing : 0))
              << rows.describe() << " row " << row;
        for (int64_t k = rows.vocab; k < rows.stride; ++k)
          ASSERT_EQ(gradient[row * rows.stride + k], rows.logits[row * rows.stride + k]);
      }
    }
  }

  const schedule::RowProgram program = rowPrograms()[std::get<0>(GetParam())];
  const bool isBf16 = std::get<1>(GetParam());
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  gpu::GPUFuncOp function;
};

TEST_P(GpuRowKernelTest, AgreesWithF64AroundAccessBorders) {
  unsigned seed = 0;
  for (int64_t vocab : {1, 2, 7, 8, 9, 31, 33, 517, 2049, 4103}) {
    check(randomCase(program, vocab, 3, ++seed));
    if (HasFatalFailure()) return;
  }
}

TEST_P(GpuRowKernelTest, RowsMayBeAlignedAlikeOrNot) {
  for (int64_t gap = 0; gap < 8; ++gap) {
    RowCase rows = randomCase(program, 40, 2, 3);
    rows.stride = 40 + gap;
    rows.partnerStride = 48;
    rows.logits.resize(rows.rows * rows.stride, 1);
    rows.partner.resize(rows.partner.empty() ? 0 : rows.rows * rows.partnerStride, 1);
    check(rows);
    if (HasFatalFailure()) return;
  }
}

TEST_P(GpuRowKernelTest, AppliesBiasTemperatureAndSoftCap) {
  for (int64_t vocab : {5, 70}) {
    RowCase rows = randomCase(program, vocab, 6, 4);
    transform(rows, 5);
    check(rows);
    rows.softCap = rows.partnerSoftCap = 0;
    check(rows);
    if (HasFatalFailure()) return;
  }
}

TEST_P(GpuRowKernelTest, SurvivesExtremeLogits) {
  RowCase rows = randomCase(program, 100, 1, 3);
  for (size_t k = 0; k < rows.logits.size(); ++k) rows.logits[k] = k % 2 ? 80 : -80;
  for (size_t k = 0; k < rows.partner.size(); ++k) rows.partner[k] = k % 3 ? 80 : -80;
  check(rows);
  rows = randomCase(program, 41, 2, 8);
  rows.labels = {0, 20, 40};
  for (std::vector<float>& index : rows.indexes)
    if (!index.empty()) index = {10, 20, 30};
  for (int64_t row = 0; row < rows.rows; ++row)
    for (int64_t k : {1, 7, 15, 16, 31, 39}) {
      rows.logits[row * rows.stride + k] = -std::numeric_limits<float>::infinity();
      if (!rows.partner.empty())
        rows.partner[row * rows.partnerStride + k] = -std::numeric_limits<float>::infinity();
    }
  check(rows);
}

TEST_P(GpuRowKernelTest, NaNShows) {
  for (int64_t position : {0, 20, 36}) {
    RowCase rows = randomCase(program, 37, 1, 2);
    rows.logits[position] = std::numeric_limits<float>::quiet_NaN();  // of row 0
    std::vector<std::vector<float>> reads;
    std::vector<float> gradient;
    ASSERT_THAT(run(rows, ALIDADE_ROWS_READ, reads, gradient), IsOk());
    for (size_t i = 0; i < reads.size(); ++i) {
      const std::string& op = program.reads[i].op;
      if (op == "logit" || op == "logit_at") continue;  // see one entry
      EXPECT_TRUE(std::isnan(reads[i][0])) << op << " at " << position;
      EXPECT_FALSE(std::isnan(reads[i][1])) << op;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, GpuRowKernelTest,
                         testing::Combine(testing::Range<size_t>(0, rowPrograms().size()),
                                          testing::Bool()),
                         [](const auto& info) {
                           std::string name = rowPrograms()[std::get<0>(info.param)].ToString();
                           for (char& c : name) c = c == ' ' ? '_' : c == '*' ? 'G' : c;
                           return name + (std::get<1>(info.param) ? "_bf16" : "_f32");
                         });

}  // namespace
}  // namespace alidade::pref
