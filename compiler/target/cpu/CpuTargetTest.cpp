// The row kernel and the math expansions, compiled for every CPU level and run on those that this
// machine has, against plain f64 loops.

#include "compiler/target/cpu/CpuTarget.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "compiler/conversion/Emitter.h"
#include "compiler/conversion/RowKernel.h"
#include "compiler/runtime/jit/object_loader.h"
#include "compiler/schedule/row_program.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/OwningOpRef.h"

using namespace mlir;

namespace alidade::pref {
namespace {

// Of a token's log-probability: f32 sums of at most 128 exponentials per lane, one rounding to f32.
constexpr double kLogProbTolerance = 2e-5;
// f32 spacing relative to a value, for log-probabilities of large magnitude.
constexpr double kFloatSpacing = 1.2e-7;
// Of onehot - softmax: relative error of the exponential and of one division, of entries at most 1.
constexpr double kGradientTolerance = 5e-7;
// Of the polynomials: units in the last place of f64.
constexpr double kMathUlps = 4;

// Arguments of the function under the name of the scalar block in these modules.
struct MathArguments {
  const double* inputs;
  double* outputs;  // [function][count]: exp, expm1, log, log1p
  int64_t count;
};
constexpr int kMathFunctions = 4;

void buildMathLoop(ModuleOp module, StringRef name) {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  Emitter e(builder, builder.getUnknownLoc());
  auto function =
      func::FuncOp::create(builder, e.loc, name, builder.getFunctionType({e.pointer()}, {}));
  builder.setInsertionPointToEnd(function.addEntryBlock());
  Value arguments = function.getArgument(0);
  Value inputs = e.load(e.pointer(), e.address(arguments, e.index(0), e.i64()), 8);
  Value outputs = e.load(e.pointer(), e.address(arguments, e.index(1), e.i64()), 8);
  Value count = e.load(e.i64(), e.address(arguments, e.index(2), e.i64()), 8);
  e.loop(e.index(0), count, e.index(1), {}, [&](Value i, ValueRange) -> SmallVector<Value> {
    Value x = e.load(e.f64(), e.address(inputs, i, e.f64()), 8);
    Value results[kMathFunctions] = {
        math::ExpOp::create(builder, e.loc, x), math::ExpM1Op::create(builder, e.loc, x),
        math::LogOp::create(builder, e.loc, x), math::Log1pOp::create(builder, e.loc, x)};
    for (int64_t f = 0; f < kMathFunctions; ++f)
      e.store(results[f], e.address(outputs, e.add(i, e.mul(e.index(f), count)), e.f64()), 8);
    return {};
  });
  func::ReturnOp::create(builder, e.loc);
}

const schedule::RowProgram kLogProb = {{{"logprob", true}}};

// Code of the row kernel and of the math loop for all levels.
CpuCode compileKernels(bool keepTexts) {
  MLIRContext context;
  context.loadDialect<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect,
                      scf::SCFDialect, vector::VectorDialect>();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  SmallVector<const CpuLevel*> levels;
  for (const CpuLevel& level : cpuLevels()) {
    levels.push_back(&level);
    buildRowKernel(*module, ("alidade_rows_0_" + level.suffix).str(), level.floatLanes, kLogProb);
    buildMathLoop(*module, ("alidade_scalars_" + level.suffix).str());
  }
  TableContents table;
  table.name = "kernels";
  table.signatureJson = "{}";
  table.definition = "// text";
  table.scratch = {.fixed = 3, .perRow = 6, .perAxis = {0, 2}};
  table.ptxSm80 = "// ptx";
  table.cubinSm90a = std::string("\x7f\0ELF", 5);
  FailureOr<CpuCode> code = emitCpuObject(*module, levels, table, keepTexts);
  EXPECT_TRUE(succeeded(code));
  return succeeded(code) ? *code : CpuCode();
}

const AlidadeObjectiveTable& kernels() {
  static const AlidadeObjectiveTable* const table = [] {
    auto loaded = runtime::LoadObject(compileKernels(/*keepTexts=*/false).object, "kernels");
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return *loaded;
  }();
  return *table;
}

std::vector<AlidadeVariant> runnableVariants() {
  std::vector<AlidadeVariant> variants;
  for (const std::string& level : runtime::HostCpuLevels())
    for (uint32_t i = 0; i < kernels().num_variants; ++i)
      if (kernels().variants[i].cpu == level) variants.push_back(kernels().variants[i]);
  return variants;
}

// The one row program: reads, and with `gradient` the unscaled gradient in place.
void runRows(const AlidadeVariant& variant, float* logits, int64_t rows, int64_t vocab,
             int64_t stride, const int64_t* labels, float* logp, bool gradient) {
  AlidadeRowArgs args = {};
  args.logits = logits;
  args.rows = rows;
  args.vocab = vocab;
  args.stride = stride;
  args.labels = labels;
  args.reads[0] = logp;
  args.inverse_temperature = 1;
  args.mode = gradient ? ALIDADE_ROWS_UNSCALED : ALIDADE_ROWS_READ;
  variant.rows[0](&args);
}

// The largest logit and the logarithm of the sum of exp(logit - largest). Not added up: at 1e38 the
// second would vanish.
std::pair<double, double> referenceStatistics(const float* row, int64_t vocab) {
  double maximum = *std::max_element(row, row + vocab), sum = 0;
  for (int64_t k = 0; k < vocab; ++k) sum += std::exp(row[k] - maximum);
  return {maximum, std::log(sum)};
}

// Runs the kernel on rows of `stride` floats, the gap filled with a mark, and compares everything
// it wrote.
void checkRows(const AlidadeVariant& variant, const std::vector<float>& logits, int64_t rows,
               int64_t vocab, int64_t stride, const std::vector<int64_t>& labels) {
  std::vector<float> kept = logits, logp(rows, -1), logpAgain(rows, -1);
  runRows(variant, kept.data(), rows, vocab, stride, labels.data(), logp.data(), false);
  ASSERT_EQ(kept, logits) << "logits changed without a gradient";
  runRows(variant, kept.data(), rows, vocab, stride, labels.data(), logpAgain.data(), true);
  ASSERT_EQ(logp, logpAgain) << "the gradient changes the log-probability";
  for (int64_t row = 0; row < rows; ++row) {
    const float* before = logits.data() + row * stride;
    const float* after = kept.data() + row * stride;
    const auto [maximum, logSum] = referenceStatistics(before, vocab);
    const double expected = (before[labels[row]] - maximum) - logSum;
    ASSERT_NEAR(logp[row], expected, kLogProbTolerance + kFloatSpacing * std::abs(expected))
        << variant.cpu << " vocab " << vocab << " row " << row;
    for (int64_t k = 0; k < vocab; ++k) {
      const double gradient = (k == labels[row]) - std::exp((before[k] - maximum) - logSum);
      ASSERT_NEAR(after[k], gradient, kGradientTolerance)
          << variant.cpu << " vocab " << vocab << " row " << row << " entry " << k;
    }
    for (int64_t k = vocab; k < stride && row * stride + k < static_cast<int64_t>(logits.size());
         ++k)
      ASSERT_EQ(after[k], before[k])
          << variant.cpu << ": wrote behind row " << row << " of vocab " << vocab;
  }
}

TEST(RowKernel, AgreesWithF64AroundVectorBorders) {
  ASSERT_FALSE(runnableVariants().empty()) << "this machine lacks AVX2";
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0, 3);
  std::vector<int64_t> vocabularies;
  for (int64_t vocab = 1; vocab <= 140; ++vocab) vocabularies.push_back(vocab);
  for (int64_t vocab : {1000, 2047, 2048, 2049, 4096 + 17, 32000, 32003})
    vocabularies.push_back(vocab);
  for (const AlidadeVariant& variant : runnableVariants()) {
    for (int64_t vocab : vocabularies) {
      const int64_t rows = 3, stride = vocab + 5;
      std::vector<float> logits(rows * stride);
      for (float& logit : logits) logit = normal(random);
      checkRows(variant, logits, rows, vocab, stride, {0, vocab - 1, vocab / 2});
    }
  }
}

TEST(RowKernel, SurvivesExtremeLogits) {
  for (const AlidadeVariant& variant : runnableVariants()) {
    for (int64_t vocab : {3, 19, 100, 1000}) {
      for (float magnitude : {0.0f, 80.0f, 1e4f, 1e38f}) {
        std::vector<float> logits(2 * vocab);
        for (int64_t k = 0; k < 2 * vocab; ++k) logits[k] = k % 2 ? magnitude : -magnitude;
        checkRows(variant, logits, 2, vocab, vocab, {1, vocab - 1});
        for (float& logit : logits) logit = magnitude;  // equal logits: -log(vocab)
        checkRows(variant, logits, 2, vocab, vocab, {0, vocab - 1});
      }
      std::vector<float> masked(vocab, -std::numeric_limits<float>::infinity());
      masked[1] = 2;  // the only entry with probability
      checkRows(variant, masked, 1, vocab, vocab, {1});
    }
  }
}

TEST(RowKernel, CertaintyIsExactAndNaNShows) {
  for (const AlidadeVariant& variant : runnableVariants()) {
    std::vector<float> logits(50, -200.0f);
    logits[33] = 100;
    int64_t label = 33;
    float logp = -1;
    runRows(variant, logits.data(), 1, 50, 50, &label, &logp, true);
    EXPECT_EQ(logp, 0.0f);
    for (float gradient : logits) EXPECT_EQ(gradient, 0.0f);
    for (int64_t position : {0, 20, 49}) {
      std::vector<float> broken(50, 1.0f);
      broken[position] = std::numeric_limits<float>::quiet_NaN();
      runRows(variant, broken.data(), 1, 50, 50, &label, &logp, false);
      EXPECT_TRUE(std::isnan(logp)) << variant.cpu << " position " << position;
    }
  }
}

TEST(RowKernel, RowsOfAVocabularyShareNothing) {
  std::mt19937 random(11);
  std::normal_distribution<float> normal(0, 3);
  const int64_t rows = 5, vocab = 777;
  std::vector<float> logits(rows * vocab);
  for (float& logit : logits) logit = normal(random);
  const std::vector<int64_t> labels = {1, 2, 3, 4, 5};
  for (const AlidadeVariant& variant : runnableVariants()) {
    std::vector<float> together = logits, apart = logits, logpTogether(rows), logpApart(rows);
    runRows(variant, together.data(), rows, vocab, vocab, labels.data(), logpTogether.data(), true);
    for (int64_t row = rows - 1; row >= 0; --row)
      runRows(variant, apart.data() + row * vocab, 1, vocab, vocab, labels.data() + row,
              logpApart.data() + row, true);
    EXPECT_EQ(together, apart);
    EXPECT_EQ(logpTogether, logpApart);
  }
}

// The text of one function in an assembly listing.
std::string bodyOf(StringRef assembly, StringRef function) {
  size_t begin = assembly.find((function + ":\n").str());
  EXPECT_NE(begin, StringRef::npos) << function.str();
  size_t end = assembly.find(".cfi_endproc", begin);
  size_t marker = assembly.find((".size\t" + function).str(), begin);
  return assembly.slice(begin, std::min(end, marker)).str();
}

TEST(RowKernel, AssemblyUsesWholeVectorsAndCallsNothing) {
  const std::string assembly = compileKernels(/*keepTexts=*/true).assembly;
  for (const CpuLevel& level : cpuLevels()) {
    const std::string body = bodyOf(assembly, ("alidade_rows_0_" + level.suffix).str());
    EXPECT_EQ(body.find("call"), std::string::npos) << level.cpu.str();
    EXPECT_NE(body.find("vfmadd"), std::string::npos) << level.cpu.str();
    EXPECT_EQ(body.find("zmm") != std::string::npos, level.suffix == "v4") << level.cpu.str();
  }
}

TEST(CpuTarget, TableSaysWhatItWasGiven) {
  const AlidadeObjectiveTable& table = kernels();
  EXPECT_EQ(table.abi_version, ALIDADE_ABI_VERSION);
  EXPECT_STREQ(table.name, "kernels");
  EXPECT_STREQ(table.signature_json, "{}");
  EXPECT_STREQ(table.definition, "// text");
  EXPECT_EQ(table.scratch_fixed, 3u);
  EXPECT_EQ(table.scratch_per_row, 6u);
  EXPECT_EQ(table.scratch_per_axis[0], 0u);
  EXPECT_EQ(table.scratch_per_axis[1], 2u);
  EXPECT_EQ(table.scratch_per_axis[2], 0u);
  EXPECT_EQ(table.known_fixed, 0u);
  EXPECT_EQ(table.variants[0].known, nullptr);
  ASSERT_EQ(table.num_variants, 2u);
  EXPECT_STREQ(table.variants[0].cpu, "x86-64-v3");
  EXPECT_STREQ(table.variants[1].cpu, "x86-64-v4");
  EXPECT_STREQ(table.ptx_sm80, "// ptx");
  EXPECT_EQ(table.ptx_sm90a, nullptr);
  ASSERT_EQ(table.cubin_bytes, 5u);
  EXPECT_EQ(std::string(static_cast<const char*>(table.cubin_sm90a), 5),
            std::string("\x7f\0ELF", 5));
}

// Distance in units in the last place of `expected`; 0 for two NaNs or equal infinities.
double ulps(double value, double expected) {
  if (std::isnan(value) && std::isnan(expected)) return 0;
  if (value == expected) return 0;
  if (!std::isfinite(value) || !std::isfinite(expected))
    return std::numeric_limits<double>::infinity();
  const double spacing = std::max(std::abs(expected) * std::numeric_limits<double>::epsilon() / 2,
                                  std::numeric_limits<double>::denorm_min());
  return std::abs(value - expected) / spacing;
}

std::vector<double> mathInputs() {
  const double infinity = std::numeric_limits<double>::infinity();
  std::vector<double> inputs = {0.0,
                                -0.0,
                                1.0,
                                -1.0,
                                infinity,
                                -infinity,
                                std::nan(""),
                                5e-324,
                                1e-310,
                                2.3e-308,
                                1e-20,
                                -1e-20,
                                0.5,
                                -0.5,
                                709.7,
                                709.9,
                                -745.1,
                                -746.5,
                                1e308,
                                -1e308,
                                0.70710678118654757,
                                1.4142135623730951};
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (double magnitude : {1e-9, 1e-3, 0.3, 1.0, 3.0, 40.0, 700.0, 1e6})
    for (int i = 0; i < 400; ++i) inputs.push_back(magnitude * uniform(random));
  return inputs;
}

TEST(ExpandMath, AgreesWithTheMathLibrary) {
  const std::vector<double> inputs = mathInputs();
  double (*const functions[kMathFunctions])(double) = {std::exp, std::expm1, std::log, std::log1p};
  const char* const names[kMathFunctions] = {"exp", "expm1", "log", "log1p"};
  for (const AlidadeVariant& variant : runnableVariants()) {
    std::vector<double> outputs(inputs.size() * kMathFunctions);
    MathArguments arguments = {inputs.data(), outputs.data(), static_cast<int64_t>(inputs.size())};
    reinterpret_cast<void (*)(const MathArguments*)>(variant.scalars)(&arguments);
    for (int f = 0; f < kMathFunctions; ++f) {
      for (size_t i = 0; i < inputs.size(); ++i) {
        const double expected = functions[f](inputs[i]);
        EXPECT_LE(ulps(outputs[f * inputs.size() + i], expected), kMathUlps)
            << variant.cpu << ' ' << names[f] << '(' << inputs[i]
            << ") = " << outputs[f * inputs.size() + i] << ", expected " << expected;
      }
    }
  }
}

}  // namespace
}  // namespace alidade::pref
