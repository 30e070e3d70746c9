// Row kernels of all kinds of programs, compiled for every CPU level and run on those that this
// machine has, against f64.

#include "compiler/conversion/RowKernel.h"

#include <cmath>
#include <limits>

#include "compiler/runtime/jit/object_loader.h"
#include "compiler/target/RowReference.h"
#include "compiler/target/cpu/CpuTarget.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/OwningOpRef.h"

using namespace mlir;

namespace alidade::pref {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Of a read: absolute for log-probabilities below 80, and f32 spacing relative to the value (twice:
// logits that are transformed or mixed are rounded before).
constexpr double kReadTolerance = 2e-5;
constexpr double kReadSpacing = 2.4e-7;
// Of a gradient row: relative to its norm plus a floor, which a row has that is nearly one-hot.
constexpr double kGradientTolerance = 1e-5;
constexpr double kGradientFloor = 0.05;
// Logits that a bias or a soft cap changes are rounded to f32 before anything else.
constexpr double kTransformedGradientTolerance = 3e-5;

constexpr int32_t kModes[] = {ALIDADE_ROWS_READ, ALIDADE_ROWS_UNSCALED, ALIDADE_ROWS_SCALED};

CpuCode compilePrograms() {
  MLIRContext context;
  context.loadDialect<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect,
                      scf::SCFDialect, vector::VectorDialect>();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  SmallVector<const CpuLevel*> levels;
  for (const CpuLevel& level : cpuLevels()) {
    levels.push_back(&level);
    for (auto [k, program] : llvm::enumerate(rowPrograms()))
      buildRowKernel(*module, ("alidade_rows_" + Twine(k) + "_" + level.suffix).str(),
                     level.floatLanes, program);
    // The table wants a scalar block.
    builder.setInsertionPointToEnd(module->getBody());
    auto scalars = func::FuncOp::create(
        builder, builder.getUnknownLoc(), ("alidade_scalars_" + level.suffix).str(),
        builder.getFunctionType({LLVM::LLVMPointerType::get(&context)}, {}));
    builder.setInsertionPointToEnd(scalars.addEntryBlock());
    func::ReturnOp::create(builder, builder.getUnknownLoc());
  }
  TableContents table;
  table.name = "rows";
  table.signatureJson = "{}";
  table.numRowPrograms = rowPrograms().size();
  FailureOr<CpuCode> code = emitCpuObject(*module, levels, table, /*keepTexts=*/true);
  EXPECT_TRUE(succeeded(code));
  return succeeded(code) ? *code : CpuCode();
}

const CpuCode& compiled() {
  static const auto* const code = new CpuCode(compilePrograms());
  return *code;
}

std::vector<AlidadeVariant> variants() {
  static const AlidadeObjectiveTable* const table = [] {
    auto loaded = runtime::LoadObject(compiled().object, "rows");
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return *loaded;
  }();
  std::vector<AlidadeVariant> found;
  for (const std::string& level : runtime::HostCpuLevels())
    for (uint32_t i = 0; i < table->num_variants; ++i)
      if (table->variants[i].cpu == level) found.push_back(table->variants[i]);
  return found;
}

// The value that read `i` of row `row` must have, NaN for an index outside the vocabulary.
void checkRead(const RowCase& rows, const RowExpectation& expected,
               const std::vector<std::vector<float>>& reads, size_t i, int64_t row) {
  const double wanted = expected.reads[i][row];
  ASSERT_NEAR(reads[i][row], wanted, kReadTolerance + kReadSpacing * std::abs(wanted))
      << rows.describe() << " read " << rows.program.reads[i].op << " row " << row;
}

void check(const AlidadeVariant& variant, size_t program, const RowCase& rows) {
  SCOPED_TRACE(variant.cpu);
  const bool hasGradient = rows.program.num_gradients() > 0;
  for (int32_t mode : kModes) {
    if (mode != ALIDADE_ROWS_READ && !hasGradient) continue;
    SCOPED_TRACE(mode);
    const RowExpectation expected = expect(rows, mode == ALIDADE_ROWS_UNSCALED);
    std::vector<float> data = rows.logits;
    std::vector<std::vector<float>> reads;
    const AlidadeRowArgs args = rows.arguments(data.data(), reads, mode);
    variant.rows[program](&args);
    for (int64_t row = 0; row < rows.rows; ++row) {
      for (size_t i = 0; i < reads.size(); ++i) {
        checkRead(rows, expected, reads, i, row);
        if (testing::Test::HasFatalFailure()) return;
      }
      if (mode != ALIDADE_ROWS_READ)
        ASSERT_LE(gradientError(rows, expected, data, row,
                                kGradientFloor * denseScale(rows, expected, row)),
                  rows.isTransformed() ? kTransformedGradientTolerance : kGradientTolerance)
            << rows.describe() << " row " << row;
      for (int64_t k = mode == ALIDADE_ROWS_READ ? 0 : rows.vocab; k < rows.stride; ++k)
        ASSERT_EQ(data[row * rows.stride + k], rows.logits[row * rows.stride + k])
            << rows.describe() << ": wrote row " << row << " entry " << k;
    }
  }
}

class RowProgramTest : public testing::TestWithParam<size_t> {
 protected:
  const schedule::RowProgram program = rowPrograms()[GetParam()];
};

TEST_P(RowProgramTest, AgreesWithF64AroundVectorBorders) {
  ASSERT_FALSE(variants().empty()) << "this machine lacks AVX2";
  std::vector<int64_t> vocabularies;
  for (int64_t vocab = 1; vocab <= 70; ++vocab) vocabularies.push_back(vocab);
  for (int64_t vocab : {127, 128, 129, 1023, 2047, 2049, 4096 + 17, 32003})
    vocabularies.push_back(vocab);
  unsigned seed = 0;
  for (const AlidadeVariant& variant : variants())
    for (int64_t vocab : vocabularies) {
      check(variant, GetParam(), randomCase(program, vocab, 3, ++seed));
      if (HasFatalFailure()) return;
    }
}

TEST_P(RowProgramTest, AppliesBiasTemperatureAndSoftCap) {
  for (const AlidadeVariant& variant : variants()) {
    for (int64_t vocab : {1, 5, 8, 15, 17, 33, 64, 1000}) {
      RowCase all = randomCase(program, vocab, 6, static_cast<unsigned>(vocab));
      transform(all, 5);
      check(variant, GetParam(), all);
      RowCase biased = all, hot = all, gentle = all;
      biased.softCap = biased.partnerSoftCap = 0;
      biased.inverseTemperature = biased.partnerInverseTemperature = 1;
      check(variant, GetParam(), biased);
      hot.softCap = hot.partnerSoftCap = 0;
      hot.bias.clear();
      hot.partnerBias.clear();
      check(variant, GetParam(), hot);
      gentle.softCap = gentle.partnerSoftCap = 1000;  // nearly linear
      check(variant, GetParam(), gentle);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(RowProgramTest, SurvivesExtremeLogits) {
  for (const AlidadeVariant& variant : variants()) {
    for (int64_t vocab : {2, 19, 100, 1000}) {
      for (float magnitude : {0.0f, 80.0f}) {
        RowCase rows = randomCase(program, vocab, 1, 3);
        for (size_t k = 0; k < rows.logits.size(); ++k)
          rows.logits[k] = k % 2 ? magnitude : -magnitude;  // equal maxima
        for (size_t k = 0; k < rows.partner.size(); ++k)
          rows.partner[k] = k % 3 ? magnitude : -magnitude;
        check(variant, GetParam(), rows);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(RowProgramTest, MaskedEntriesHaveNoProbability) {
  for (const AlidadeVariant& variant : variants()) {
    RowCase rows = randomCase(program, 41, 2, 8);
    rows.labels = {0, 20, 40};
    for (std::vector<float>& index : rows.indexes)
      if (!index.empty()) index = {10, 20, 30};
    for (int64_t row = 0; row < rows.rows; ++row)
      for (int64_t k : {1, 7, 15, 16, 31, 39}) {
        rows.logits[row * rows.stride + k] = -kInfinity;
        if (!rows.partner.empty()) rows.partner[row * rows.partnerStride + k] = -kInfinity;
      }
    check(variant, GetParam(), rows);
  }
}

TEST_P(RowProgramTest, NaNShows) {
  for (const AlidadeVariant& variant : variants()) {
    for (int64_t position : {0, 20, 36}) {
      RowCase rows = randomCase(program, 37, 1, 2);
      rows.logits[position] = std::numeric_limits<float>::quiet_NaN();  // of row 0
      std::vector<float> data = rows.logits;
      std::vector<std::vector<float>> reads;
      const AlidadeRowArgs args = rows.arguments(data.data(), reads, ALIDADE_ROWS_READ);
      variant.rows[GetParam()](&args);
      for (size_t i = 0; i < reads.size(); ++i) {
        const std::string& op = program.reads[i].op;
        if (op == "logit" || op == "logit_at") continue;  // see one entry
        EXPECT_TRUE(std::isnan(reads[i][0])) << variant.cpu << ' ' << op << " at " << position;
        EXPECT_FALSE(std::isnan(reads[i][1])) << variant.cpu << ' ' << op;
      }
    }
  }
}

TEST_P(RowProgramTest, WantsNoReadsAndLeavesNoDenormals) {
  if (program.num_gradients() == 0) return;
  for (const AlidadeVariant& variant : variants()) {
    RowCase rows = randomCase(program, 300, 30, 4);
    for (std::vector<float>& cotangent : rows.cotangents)
      for (float& weight : cotangent) weight = 1e-6f;
    std::vector<float> data = rows.logits, again = rows.logits;
    std::vector<std::vector<float>> reads;
    AlidadeRowArgs args = rows.arguments(again.data(), reads, ALIDADE_ROWS_SCALED);
    variant.rows[GetParam()](&args);
    args = rows.arguments(data.data(), reads, ALIDADE_ROWS_SCALED);
    for (float*& read : args.reads) read = nullptr;
    variant.rows[GetParam()](&args);
    EXPECT_EQ(data, again);
    for (float value : data) EXPECT_NE(std::fpclassify(value), FP_SUBNORMAL) << value;
  }
}

TEST_P(RowProgramTest, AnIndexOutsideTheVocabularyGivesNaNAndNoGradient) {
  for (const AlidadeVariant& variant : variants()) {
    RowCase rows = randomCase(program, 20, 1, 6);
    bool hasIndex = false;
    for (std::vector<float>& index : rows.indexes) {
      if (index.empty()) continue;
      hasIndex = true;
      index = {-1, 20, std::numeric_limits<float>::quiet_NaN()};
    }
    if (!hasIndex) return;
    std::vector<float> data = rows.logits;
    std::vector<std::vector<float>> reads;
    const AlidadeRowArgs args = rows.arguments(data.data(), reads, ALIDADE_ROWS_SCALED);
    variant.rows[GetParam()](&args);
    for (size_t i = 0; i < reads.size(); ++i)
      for (int64_t row = 0; row < rows.rows; ++row)
        EXPECT_EQ(std::isnan(reads[i][row]), !rows.indexes[i].empty()) << program.reads[i].op;
    for (float value : data) EXPECT_TRUE(std::isfinite(value));
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, RowProgramTest, testing::Range<size_t>(0, rowPrograms().size()),
                         [](const auto& info) {
                           std::string name = rowPrograms()[info.param].ToString();
                           for (char& c : name) c = c == ' ' ? '_' : c == '*' ? 'G' : c;
                           return name;
                         });

TEST(RowKernel, ArgmaxIsTheFirstOfEquals) {
  const std::vector<schedule::RowProgram> programs = rowPrograms();
  for (const AlidadeVariant& variant : variants()) {
    for (size_t p = 0; p < programs.size(); ++p) {
      for (int64_t vocab : {9, 40, 500}) {
        RowCase rows = randomCase(programs[p], vocab, 1, 1);
        for (int64_t row = 0; row < rows.rows; ++row)
          for (int64_t k = vocab / 3; k < vocab; k += 4) rows.logits[row * rows.stride + k] = 9;
        std::vector<float> data = rows.logits;
        std::vector<std::vector<float>> reads;
        const AlidadeRowArgs args = rows.arguments(data.data(), reads, ALIDADE_ROWS_READ);
        variant.rows[p](&args);
        for (size_t i = 0; i < reads.size(); ++i)
          if (programs[p].reads[i].op == "argmax")
            EXPECT_EQ(reads[i], std::vector<float>(3, static_cast<float>(vocab / 3)));
      }
    }
  }
}

// The gradients of the reference are formulas too: they are the derivatives of its reads.
TEST(RowReference, GradientsAreDerivatives) {
  for (const schedule::RowProgram& program : rowPrograms()) {
    RowCase rows = randomCase(program, 6, 2, 11);
    transform(rows, 12);
    const RowExpectation expected = expect(rows, /*unscaled=*/false);
    auto loss = [&](const RowCase& at) {
      const RowExpectation found = expect(at, false);
      double sum = 0;
      size_t next = 0;
      for (size_t i = 0; i < program.reads.size(); ++i) {
        if (!program.reads[i].gradient) continue;
        for (int64_t row = 0; row < at.rows; ++row)
          sum += at.cotangents[next][row] * found.reads[i][row];
        ++next;
      }
      return sum;
    };
    for (int64_t row = 0; row < rows.rows; ++row) {
      for (int64_t k = 0; k < rows.vocab; ++k) {
        RowCase above = rows, below = rows;
        above.logits[row * rows.stride + k] += 0x1p-8f;
        below.logits[row * rows.stride + k] -= 0x1p-8f;
        const double step = static_cast<double>(above.logits[row * rows.stride + k]) -
                            below.logits[row * rows.stride + k];
        EXPECT_NEAR((loss(above) - loss(below)) / step, expected.gradient[row * rows.vocab + k],
                    1e-4)
            << program.ToString();
      }
    }
  }
}

// The text of one function in an assembly listing.
std::string bodyOf(StringRef assembly, StringRef function) {
  size_t begin = assembly.find((function + ":\n").str());
  EXPECT_NE(begin, StringRef::npos) << function.str();
  size_t end = assembly.find((".size\t" + function + ",").str(), begin);
  EXPECT_NE(end, StringRef::npos) << function.str();
  return assembly.slice(begin, end).str();
}

TEST(RowKernel, AssemblyUsesWholeVectorsAndCallsNothing) {
  const std::string& assembly = compiled().assembly;
  for (const CpuLevel& level : cpuLevels()) {
    for (size_t k = 0; k < rowPrograms().size(); ++k) {
      const std::string name = ("alidade_rows_" + Twine(k) + "_" + level.suffix).str();
      const std::string body = bodyOf(assembly, name);
      EXPECT_EQ(body.find("call"), std::string::npos) << name;
      EXPECT_NE(body.find("vfmadd"), std::string::npos) << name;
      EXPECT_EQ(body.find("zmm") != std::string::npos, level.suffix == "v4") << name;
    }
  }
}

}  // namespace
}  // namespace alidade::pref
