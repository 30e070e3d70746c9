// The GPU kernels of objectives under the interpreter against the same objectives' CPU code, on the
// same arguments: row lengths around every border of the kernel's tiles, rows that are not aligned,
// all modes, bf16, row ranges.

#include "compiler/simt/ObjectiveKernels.h"

#include <bit>
#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "compiler/runtime/jit/object_loader.h"
#include "compiler/target/Compile.h"
#include "compiler/transforms/Pipeline.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mlir/IR/OwningOpRef.h"

using namespace mlir;

namespace alidade::pref::simt {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// f32 sums of thousands of terms in different orders, exponentials within 2^-22.
constexpr double kFloatTolerance = 3e-6;
// Of numbers near 1.
constexpr double kUnitTolerance = 2e-7;
// Half a unit in the last place of bf16.
constexpr double kBrainTolerance = 1.0 / 256;
constexpr float kUnwritten = 12345;

struct Compiled {
  DerivedObjective derived;
  CompiledObjective code;
  const AlidadeObjectiveTable* table = nullptr;
  const AlidadeVariant* variant = nullptr;  // the best for this CPU
  OwningOpRef<ModuleOp> kernelModule;
  std::optional<ObjectiveKernels> kernels;
};

class ObjectiveKernelsTest : public testing::TestWithParam<const char*> {
 protected:
  void compile(Compiled& result, const std::string& name) {
    auto derived = deriveObjectiveFile(
        absl::StrCat("compiler/objectives/", name, "/", name, ".mlir"), context_);
    ALIDADE_ASSERT_OK(derived.status());
    result.derived = std::move(*derived);
    const std::string json = schedule::SignatureToJson(result.derived.signature);
    CompileOptions options;
    options.gpu = false;
    FailureOr<CompiledObjective> code =
        compileObjective(*result.derived.differentiated, json, options);
    ASSERT_TRUE(succeeded(code));
    result.code = *code;
    ALIDADE_ASSERT_OK_AND_ASSIGN(result.table, runtime::LoadObject(result.code.object, name));
    for (const std::string& level : runtime::HostCpuLevels())
      for (uint32_t i = 0; i < result.table->num_variants; ++i)
        if (result.table->variants[i].cpu == level) result.variant = &result.table->variants[i];
    ASSERT_NE(result.variant, nullptr);
    FailureOr<OwningOpRef<ModuleOp>> kernels =
        buildGpuKernels(*result.derived.differentiated, json);
    ASSERT_TRUE(succeeded(kernels));
    result.kernelModule = std::move(*kernels);
    auto module = *result.kernelModule->getOps<gpu::GPUModuleOp>().begin();
    ALIDADE_ASSERT_OK_AND_ASSIGN(
        result.kernels, ObjectiveKernels::compile(module, result.derived.signature, *result.table));
  }

  MLIRContext context_;
};

float fromBrain(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }
uint16_t toBrain(float value) {  // toward zero; good enough for inputs
  return static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16);
}

// Rows of logits that begin `shift` elements behind an aligned address, `stride` apart.
template <typename Element>
struct Rows {
  std::vector<Element> memory;
  Element* first;
  Rows(int64_t rows, int64_t stride, int64_t shift) : memory(rows * stride + shift + 16) {
    const uintptr_t begin = reinterpret_cast<uintptr_t>(memory.data());
    first = memory.data() + (16 - begin % 16) % 16 / sizeof(Element) + shift;
  }
};

constexpr int64_t kRows = 3;

struct RowCase {
  int64_t vocab, gap, shift;
  int32_t mode;
};

// What the program of one log-probability needs.
struct RowInputs {
  std::vector<int64_t> labels;
  std::vector<float> cotangents, read;

  RowInputs(int64_t vocab, std::mt19937& random) : read(kRows, kUnwritten) {
    std::normal_distribution<float> normal;
    for (int64_t row = 0; row < kRows; ++row) {
      labels.push_back(row == 0 ? vocab - 1 : random() % vocab);
      cotangents.push_back(normal(random));
    }
  }

  AlidadeRowArgs arguments(float* logits, const RowCase& at) {
    AlidadeRowArgs arguments = {};
    arguments.logits = logits;
    arguments.rows = kRows;
    arguments.vocab = at.vocab;
    arguments.stride = at.vocab + at.gap;
    arguments.labels = labels.data();
    arguments.reads[0] = read.data();
    arguments.cotangents[0] = cotangents.data();
    arguments.inverse_temperature = 1;
    arguments.partner_inverse_temperature = 1;
    arguments.scale = 1;
    arguments.mode = at.mode;
    return arguments;
  }
};

void checkRows(const Compiled& compiled, const RowCase& at, bool brain) {
  SCOPED_TRACE(absl::StrCat("vocab ", at.vocab, " gap ", at.gap, " shift ", at.shift, " mode ",
                            at.mode, brain ? " bf16" : ""));
  std::mt19937 random(at.vocab + at.mode);
  std::normal_distribution<float> normal(0, 3);
  const int64_t stride = at.vocab + at.gap;
  Rows<float> expected(kRows, stride, at.shift), single(kRows, stride, at.shift);
  Rows<uint16_t> half(kRows, stride, at.shift);
  for (int64_t i = 0; i < kRows * stride; ++i) {
    half.first[i] = toBrain(normal(random));
    expected.first[i] = single.first[i] = brain ? fromBrain(half.first[i]) : normal(random);
  }
  RowInputs inputs(at.vocab, random);
  const AlidadeRowArgs expectedArguments = inputs.arguments(expected.first, at);
  compiled.variant->rows[0](&expectedArguments);
  const std::vector<float> expectedRead = inputs.read;
  inputs.read.assign(kRows, kUnwritten);
  float* logits = brain ? reinterpret_cast<float*>(half.first) : single.first;
  ALIDADE_ASSERT_OK(compiled.kernels->rows(0, inputs.arguments(logits, at), brain));

  const double tolerance = brain ? kBrainTolerance : kFloatTolerance;
  for (int64_t row = 0; row < kRows; ++row) {
    EXPECT_NEAR(inputs.read[row], expectedRead[row],
                kFloatTolerance * std::max(1.0f, std::abs(expectedRead[row])));
    for (int64_t i = 0; i < at.vocab; ++i) {
      const int64_t position = row * stride + i;
      const float got = brain ? fromBrain(half.first[position]) : single.first[position];
      const float wanted = expected.first[position];
      // At the label 1 - p cancels.
      const double unit = i == inputs.labels[row] ? 1 + std::abs(inputs.cotangents[row]) : 1e-6;
      ASSERT_NEAR(got, wanted, tolerance * std::abs(wanted) + kUnitTolerance * unit)
          << row << ", " << i;
    }
  }
}

TEST_F(ObjectiveKernelsTest, RowsAroundEveryBorderOfTheTiles) {
  Compiled compiled;
  ASSERT_NO_FATAL_FAILURE(compile(compiled, "dpo"));
  // 16 bytes are 4 or 8 elements; a step of the block is 512 of these.
  const std::vector<int64_t> kLengths = {1,    2,    3,    4,    5,    7,    8,
                                         9,    31,   33,   511,  512,  513,  2047,
                                         2048, 2049, 2052, 4095, 4096, 4097, 4101};
  for (const int64_t vocab : kLengths) {
    for (const int32_t mode : {ALIDADE_ROWS_READ, ALIDADE_ROWS_UNSCALED, ALIDADE_ROWS_SCALED}) {
      checkRows(compiled, {vocab, 0, 0, mode}, false);
      checkRows(compiled, {vocab, 1, 1, mode}, false);
      checkRows(compiled, {vocab, 3, 2, mode}, true);
    }
  }
  for (int64_t shift = 0; shift < 8; ++shift) {
    checkRows(compiled, {77, 5, shift, ALIDADE_ROWS_SCALED}, false);
    checkRows(compiled, {77, 5, shift, ALIDADE_ROWS_SCALED}, true);
  }
}

TEST_F(ObjectiveKernelsTest, ALabelOutsideTheVocabularyIsFound) {
  Compiled compiled;
  ASSERT_NO_FATAL_FAILURE(compile(compiled, "dpo"));
  std::mt19937 random(1);
  RowInputs inputs(64, random);
  inputs.labels[1] = 64 * kRows;
  Rows<float> logits(kRows, 64, 0);
  const RowCase at = {64, 0, 0, ALIDADE_ROWS_READ};
  EXPECT_THAT(compiled.kernels->rows(0, inputs.arguments(logits.first, at)),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("block (1, 0, 0)"), HasSubstr("of logits"))));
}

// The first error of the row kernel in mode 1, with plain logits and with a temperature, which the
// kernel treats in different code.
absl::Status runBothWays(const ObjectiveKernels& kernels) {
  const RowCase at = {4099, 0, 0, ALIDADE_ROWS_UNSCALED};
  for (const float inverseTemperature : {1.0f, 0.5f}) {
    std::mt19937 random(1);
    Rows<float> logits(kRows, at.vocab, 0);
    RowInputs inputs(at.vocab, random);
    AlidadeRowArgs arguments = inputs.arguments(logits.first, at);
    arguments.inverse_temperature = inverseTemperature;
    ALIDADE_RETURN_IF_ERROR(kernels.rows(0, arguments));
  }
  return absl::OkStatus();
}

TEST_F(ObjectiveKernelsTest, WithoutAnyOneOfItsBarriersTheRowKernelRaces) {
  Compiled compiled;
  ASSERT_NO_FATAL_FAILURE(compile(compiled, "dpo"));
  ALIDADE_ASSERT_OK(runBothWays(*compiled.kernels));
  size_t barriers = 1;
  for (size_t missing = 0; missing < barriers; ++missing) {
    SCOPED_TRACE(missing);
    OwningOpRef<ModuleOp> mutant = compiled.kernelModule->clone();
    auto module = *mutant->getOps<gpu::GPUModuleOp>().begin();
    std::vector<gpu::BarrierOp> found;
    module.lookupSymbol<gpu::GPUFuncOp>("alidade_rows_0").walk([&](gpu::BarrierOp barrier) {
      found.push_back(barrier);
    });
    barriers = found.size();
    ASSERT_GT(barriers, missing);
    found[missing].erase();
    ALIDADE_ASSERT_OK_AND_ASSIGN(
        const ObjectiveKernels kernels,
        ObjectiveKernels::compile(module, compiled.derived.signature, *compiled.table));
    EXPECT_THAT(runBothWays(kernels),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("race: ")));
  }
  EXPECT_GE(barriers, 2);
}

// A batch of an objective without data inputs.
struct ScalarInputs {
  std::vector<std::vector<float>> reads, cotangents;
  std::vector<std::vector<int64_t>> offsets;
  std::vector<float> results;
  std::vector<double> scratch;
  AlidadeScalarArgs arguments = {};

  ScalarInputs(const Compiled& compiled, int64_t rows, unsigned seed) {
    const schedule::Signature& signature = compiled.derived.signature;
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> uniform(-6, -0.01f);
    for (size_t axis = 0; axis < signature.axes.size(); ++axis) {
      const int64_t parent = signature.axes[axis].parent;
      const int64_t parents = parent < 0 ? rows : offsets[parent].back();
      offsets.push_back({0});
      for (int64_t i = 0; i < parents; ++i)
        offsets.back().push_back(offsets.back().back() + random() % 41);
    }
    for (const schedule::VocabularyRead& read : signature.reads) {
      const int64_t axis = signature.distributions[read.distribution].axis;
      reads.emplace_back(offsets[axis].back());
      for (float& value : reads.back()) value = uniform(random);
      if (read.cotangent >= 0) cotangents.emplace_back(reads.back().size(), kUnwritten);
    }
    results.assign(1 + signature.metrics.size(), kUnwritten);
    uint64_t size = compiled.table->scratch_fixed + compiled.table->scratch_per_row * rows;
    for (size_t axis = 0; axis < offsets.size(); ++axis)
      size += compiled.table->scratch_per_axis[axis] * offsets[axis].back();
    scratch.resize(size);
    for (size_t i = 0; i < reads.size(); ++i) arguments.reads[i] = reads[i].data();
    for (size_t i = 0; i < offsets.size(); ++i) arguments.offsets[i] = offsets[i].data();
    for (size_t i = 0; i < cotangents.size(); ++i) arguments.cotangents[i] = cotangents[i].data();
    for (size_t i = 0; i < signature.hyperparameters.size(); ++i) {
      arguments.hyperparameters[i] = static_cast<float>(signature.hyperparameters[i].default_value);
    }
    arguments.results = results.data();
    arguments.row_end = arguments.num_rows = rows;
    arguments.scratch = scratch.data();
  }
};

void expectSame(const std::vector<float>& got, const std::vector<float>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], expected[i], kFloatTolerance * (1e-3 + std::abs(expected[i]))) << i;
}

TEST_P(ObjectiveKernelsTest, ScalarsAreThoseOfTheCpu) {
  Compiled compiled;
  ASSERT_NO_FATAL_FAILURE(compile(compiled, GetParam()));
  for (const int64_t rows : {1, 7, 8, 9, 20}) {
    SCOPED_TRACE(rows);
    ScalarInputs inputs(compiled, rows, rows), expected(compiled, rows, rows);
    ALIDADE_ASSERT_OK(compiled.kernels->scalars(inputs.arguments));
    compiled.variant->scalars(&expected.arguments);
    expectSame(inputs.results, expected.results);
    for (size_t i = 0; i < inputs.cotangents.size(); ++i)
      expectSame(inputs.cotangents[i], expected.cotangents[i]);
  }
}

TEST_F(ObjectiveKernelsTest, WithoutTheirFirstBarrierTheScalarsRace) {
  Compiled compiled;
  ASSERT_NO_FATAL_FAILURE(compile(compiled, "dpo"));
  auto module = *compiled.kernelModule->getOps<gpu::GPUModuleOp>().begin();
  gpu::BarrierOp first;
  module.lookupSymbol<gpu::GPUFuncOp>("alidade_scalars").walk([&](gpu::BarrierOp barrier) {
    if (!first) first = barrier;
  });
  ASSERT_TRUE(first);
  first.erase();
  ALIDADE_ASSERT_OK_AND_ASSIGN(
      const ObjectiveKernels kernels,
      ObjectiveKernels::compile(module, compiled.derived.signature, *compiled.table));
  ScalarInputs inputs(compiled, 20, 1);
  EXPECT_THAT(kernels.scalars(inputs.arguments),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("race: ")));
}

INSTANTIATE_TEST_SUITE_P(All, ObjectiveKernelsTest, testing::Values("dpo", "ipo", "mdpo", "simpo"),
                         [](const auto& info) { return std::string(info.param); });

TEST_F(ObjectiveKernelsTest, ATableOfInterpretedKernels) {
  Compiled compiled;
  ASSERT_NO_FATAL_FAILURE(compile(compiled, "dpo"));
  InterpretedTable interpreted(*compiled.table, *compiled.kernels);
  ASSERT_EQ(interpreted.table()->num_variants, 1u);
  const AlidadeVariant& variant = interpreted.table()->variants[0];
  ScalarInputs inputs(compiled, 3, 1), expected(compiled, 3, 1);
  variant.scalars(&inputs.arguments);
  compiled.variant->scalars(&expected.arguments);
  ALIDADE_EXPECT_OK(interpreted.takeError());
  expectSame(inputs.results, expected.results);
  // An error is kept until it is taken.
  inputs.arguments.scratch = nullptr;
  inputs.arguments.results = nullptr;
  variant.scalars(&inputs.arguments);
  EXPECT_THAT(interpreted.takeError(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("the null pointer")));
  ALIDADE_EXPECT_OK(interpreted.takeError());
}

}  // namespace
}  // namespace alidade::pref::simt
