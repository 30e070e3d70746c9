// Compiled scalar blocks against the f64 interpreter: every axis and every operation across points,
// on ragged batches with empty rows, in row ranges, with values that are known over the batch.

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "compiler/runtime/jit/object_loader.h"
#include "compiler/target/Compile.h"
#include "compiler/target/ScalarCases.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace mlir;

namespace alidade::pref {
namespace {

using testing::HasSubstr;

struct Compiled {
  DerivedObjective derived;
  CompiledObjective code;
  const AlidadeObjectiveTable* table = nullptr;

  const schedule::Signature& signature() const { return derived.signature; }
};

class ScalarBlockTest : public testing::Test {
 protected:
  Compiled compile(const std::string& text, bool gpu = false, bool keepTexts = false) {
    const std::string name = text.substr(text.find('@') + 1, text.find(" {") - text.find('@') - 1);
    absl::StatusOr<DerivedObjective> derived = deriveObjectiveText(text, name + ".mlir", context);
    EXPECT_THAT(derived, IsOk());
    if (!derived.ok()) return {};
    Compiled result{std::move(*derived)};
    CompileOptions options;
    options.gpu = gpu;
    options.keepTexts = keepTexts;
    FailureOr<CompiledObjective> code = compileObjective(
        *result.derived.differentiated, schedule::SignatureToJson(result.signature()), options);
    EXPECT_TRUE(succeeded(code));
    if (failed(code)) return result;
    result.code = *code;
    absl::StatusOr<const AlidadeObjectiveTable*> table =
        runtime::LoadObject(code->object, result.signature().name);
    EXPECT_THAT(table, IsOk());
    if (table.ok()) result.table = *table;
    return result;
  }

  MLIRContext context;
};

// Memory of the size that the table asks for, with a guard behind it.
class Guarded {
 public:
  explicit Guarded(uint64_t doubles) : memory(doubles + 1, kUnwritten) {}
  ~Guarded() { EXPECT_EQ(memory.back(), kUnwritten) << "wrote behind the memory"; }

  double* data() { return memory.data(); }

 private:
  std::vector<double> memory;
};

// Another rank with the same numbers: sums double.
void doubleValues(void* calls, double* values, int64_t count) {
  ++*static_cast<int*>(calls);
  for (int64_t i = 0; i < count; ++i) values[i] *= 2;
}

// Runs `known` over the batch and the block on row ranges one after another.
ScalarResults runBlock(const Compiled& compiled, const AlidadeVariant& variant,
                       const PackedBatch& packed, const std::vector<int64_t>& borders,
                       int* rankCalls = nullptr) {
  const schedule::Signature& signature = compiled.signature();
  const AlidadeObjectiveTable& table = *compiled.table;
  ScalarResults out;
  AlidadeScalarArgs args = argumentsFor(signature, packed, out);
  if (rankCalls) {
    args.all_reduce = doubleValues;
    args.context = rankCalls;
  }
  Guarded known(doublesOf(table.known_fixed, table.known_per_row, table.known_per_axis, signature,
                          packed, 0, packed.numRows));
  args.known = known.data();
  auto run = [&](AlidadeScalarFn function, int64_t rowBegin, int64_t rowEnd) {
    Guarded scratch(doublesOf(table.scratch_fixed, table.scratch_per_row, table.scratch_per_axis,
                              signature, packed, rowBegin, rowEnd));
    args.scratch = scratch.data();
    args.row_begin = rowBegin;
    args.row_end = rowEnd;
    function(&args);
  };
  if (variant.known) run(variant.known, 0, packed.numRows);
  for (size_t i = 0; i + 1 < borders.size(); ++i) run(variant.scalars, borders[i], borders[i + 1]);
  return out;
}

std::vector<AlidadeVariant> runnableVariants(const AlidadeObjectiveTable& table) {
  std::vector<AlidadeVariant> variants;
  for (const std::string& level : runtime::HostCpuLevels())
    for (uint32_t i = 0; i < table.num_variants; ++i)
      if (table.variants[i].cpu == level) variants.push_back(table.variants[i]);
  return variants;
}

class EveryCaseTest : public ScalarBlockTest, public testing::WithParamInterface<ScalarCase> {};

TEST_P(EveryCaseTest, AgreesWithTheInterpreter) {
  Compiled compiled = compile(GetParam().text);
  ASSERT_NE(compiled.table, nullptr);
  std::vector<AlidadeVariant> variants = runnableVariants(*compiled.table);
  ASSERT_FALSE(variants.empty()) << "this machine lacks AVX2";
  for (unsigned seed = 0; seed < 8; ++seed) {
    for (int64_t rows : {1, 2, 5, 19}) {
      const PackedBatch packed = randomBatch(compiled.signature(), rows, 31 * rows + seed);
      for (const AlidadeVariant& variant : variants)
        expectAsInterpreted(compiled.derived, packed,
                            runBlock(compiled, variant, packed, {0, rows}),
                            absl::StrCat(variant.cpu, ", ", rows, " rows, seed ", seed, ": "));
    }
  }
}

TEST_P(EveryCaseTest, CallsNoLibrary) {
  Compiled compiled = compile(GetParam().text, /*gpu=*/true, /*keepTexts=*/true);
  ASSERT_NE(compiled.table, nullptr);
  for (llvm::StringRef suffix : {"v3", "v4"}) {
    for (const char* function : {"alidade_scalars_", "alidade_known_"}) {
      llvm::StringRef assembly = compiled.code.assembly;
      const size_t begin = assembly.find((function + suffix + ":\n").str());
      if (begin == llvm::StringRef::npos) continue;
      llvm::SmallVector<llvm::StringRef> lines;
      assembly.slice(begin, assembly.find(".cfi_endproc", begin)).split(lines, '\n');
      // The one call that may be there is that of AlidadeScalarArgs::all_reduce, through a register
      // or memory.
      for (llvm::StringRef line : lines)
        if (line.ltrim().starts_with("call")) EXPECT_TRUE(line.contains('*')) << line.str();
    }
  }
  for (const char* ptx : {compiled.table->ptx_sm80, compiled.table->ptx_sm90a}) {
    ASSERT_NE(ptx, nullptr);
    EXPECT_THAT(ptx, HasSubstr(".visible .entry alidade_scalars("));
    EXPECT_EQ(absl::StrContains(ptx, ".visible .entry alidade_known("),
              compiled.table->variants[0].known != nullptr);
    EXPECT_THAT(ptx, testing::Not(HasSubstr("call")));  // no device library
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, EveryCaseTest, testing::ValuesIn(scalarCases().vec()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_F(ScalarBlockTest, KnownValuesMakeRowRangesExact) {
  Compiled compiled = compile(scalarCase("known"));
  ASSERT_NE(compiled.table, nullptr);
  EXPECT_GT(compiled.table->known_fixed, 0u);
  EXPECT_EQ(compiled.table->known_per_row, 2u) << "sorted and rank; twice is only on the way";
  for (unsigned seed = 0; seed < 5; ++seed) {
    const PackedBatch packed = randomBatch(compiled.signature(), 11, seed);
    for (const AlidadeVariant& variant : runnableVariants(*compiled.table)) {
      ASSERT_NE(variant.known, nullptr);
      ScalarResults whole = runBlock(compiled, variant, packed, {0, 11});
      ScalarResults ranges = runBlock(compiled, variant, packed, {0, 1, 4, 4, 10, 11});
      EXPECT_EQ(whole.cotangents, ranges.cotangents) << variant.cpu;
    }
  }
}

TEST_F(ScalarBlockTest, WhatCouplesRowsByScoresIsNotKnown) {
  Compiled spans = compile(scalarCase("spans"));
  ASSERT_NE(spans.table, nullptr);
  EXPECT_EQ(spans.table->variants[0].known, nullptr);
  EXPECT_EQ(spans.table->known_fixed + spans.table->known_per_row, 0u);
}

TEST_F(ScalarBlockTest, CotangentsOfRowRangesAreThoseOfTheBatch) {
  // Its rows meet only in the mean.
  Compiled compiled = compile(scalarCase("groups"));
  ASSERT_NE(compiled.table, nullptr);
  const PackedBatch packed = randomBatch(compiled.signature(), 9, 4);
  for (const AlidadeVariant& variant : runnableVariants(*compiled.table)) {
    ScalarResults whole = runBlock(compiled, variant, packed, {0, 9});
    ScalarResults ranges = runBlock(compiled, variant, packed, {0, 2, 3, 3, 8, 9});
    EXPECT_EQ(whole.cotangents, ranges.cotangents) << variant.cpu;
  }
}

TEST_F(ScalarBlockTest, SumsOverRanksMeetThroughTheCallback) {
  Compiled compiled = compile(scalarCase("states"));
  ASSERT_NE(compiled.table, nullptr);
  const PackedBatch packed = randomBatch(compiled.signature(), 6, 8);
  for (const AlidadeVariant& variant : runnableVariants(*compiled.table)) {
    int calls = 0;
    ScalarResults alone = runBlock(compiled, variant, packed, {0, 6});
    ScalarResults two = runBlock(compiled, variant, packed, {0, 6}, &calls);
    EXPECT_GT(calls, 0);
    // Twice the sum over twice the rows.
    EXPECT_EQ(two.results[0], alone.results[0]);
    EXPECT_EQ(two.results[2], alone.results[2]);
    EXPECT_FLOAT_EQ(two.results[3], 2 * alone.results[3]);
  }
}

TEST_F(ScalarBlockTest, SortsNaNLastAndEqualNumbersInOrder) {
  Compiled compiled = compile(R"(
pref.objective @last {
  %p = pref.logprob policy(chosen)
  %r = pref.logprob reference(chosen)
  %l = pref.log %r
  %order = pref.sort %p by %l over token
  %place = pref.position over token(chosen)
  %w = pref.mul %order, %place
  %s = pref.sum %w over token
  %loss = pref.mean %s over row
  pref.yield %loss
}
)");
  ASSERT_NE(compiled.table, nullptr);
  PackedBatch packed = randomBatch(compiled.signature(), 1, 0);
  packed.offsets[0] = {0, 6};
  packed.reads[0] = {1, 2, 3, 4, 5, 6};
  // log: nan, 0, -inf, nan, 0, -inf (of -0 and 0, which are equal).
  packed.reads[1] = {-1, 1, -0.0f, -2, 1, 0.0f};
  // Order: 3, 6, 2, 5, 1, 4.
  for (const AlidadeVariant& variant : runnableVariants(*compiled.table)) {
    ScalarResults got = runBlock(compiled, variant, packed, {0, 1});
    EXPECT_EQ(got.results[0], 0 * 3 + 1 * 6 + 2 * 2 + 3 * 5 + 4 * 1 + 5 * 4);
    EXPECT_EQ(got.cotangents[0], (std::vector<float>{4, 2, 0, 5, 3, 1}));
  }
}

}  // namespace
}  // namespace alidade::pref
