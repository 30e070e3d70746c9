// Compiled objectives against the f64 interpreter, on the CPU levels of this machine; their GPU
// code as text.

#include "compiler/target/Compile.h"

#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/reference/Interpreter.h"
#include "compiler/runtime/jit/object_loader.h"
#include "compiler/schedule/signature.h"
#include "compiler/transforms/Pipeline.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "llvm/Object/ELFObjectFile.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;

namespace alidade::pref {
namespace {

using testing::HasSubstr;

// The block computes in f64 from f32 inputs; only its results are rounded to f32.
constexpr double kTolerance = 2e-7;

// Every operation, a batch-coupled weight (two loops over rows) and a token weight that needs the
// row's sum (two loops over tokens).
constexpr char kEveryOperation[] = R"(
pref.objective @every {
  %a = pref.hyper "a" default 0.7 in (0, inf)
  %b = pref.hyper "b" default -0.3 in (-inf, inf)
  %one = pref.constant 1
  %half = pref.constant 0.5
  %two = pref.constant 2
  %p = pref.logprob policy(chosen)
  %q = pref.logprob policy(rejected)
  %r = pref.logprob reference(chosen)

  %d = pref.sub %p, %r
  %e = pref.exp %d
  %low = pref.sub %one, %half
  %high = pref.add %one, %half
  %clamped = pref.clamp %e, %low, %high
  %least = pref.min %e, %clamped
  %total = pref.sum %e over token
  %share = pref.div %e, %total
  %weighted = pref.mul %share, %p
  %w = pref.sum %weighted over token
  %least_mean = pref.mean %least over token

  %probability = pref.exp %q
  %left = pref.log1mexp %q
  %pq = pref.expm1 %q
  %q2 = pref.square %pq
  %q3 = pref.sub %left, %probability
  %q4 = pref.add %q2, %q3
  %l = pref.mean %q4 over token
  %n = pref.count over token(rejected)
  %length = pref.max %n, %one
  %root = pref.sqrt %length
  %power = pref.pow %length, %b
  %log = pref.log %length
  %lengths = pref.add %root, %power
  %scaled = pref.mul %lengths, %l
  %loga = pref.log1p %a
  %baseline0 = pref.mean %w over row
  %centred = pref.sub %w, %baseline0
  %distance = pref.abs %centred
  %side = pref.sign %centred
  %stopped = pref.stop_gradient %side
  %signed = pref.mul %stopped, %distance
  %s = pref.sigmoid %signed
  %soft = pref.softplus %scaled
  %ls = pref.log_sigmoid %centred
  %both = pref.logaddexp %soft, %ls
  %positive = pref.relu %centred
  %above = pref.compare ge %w, %baseline0
  %chosen = pref.where %above, %both, %positive
  %t1 = pref.add %chosen, %s
  %t2 = pref.add %t1, %least_mean
  %t3 = pref.mul %t2, %loga
  %t4 = pref.neg %t3
  %t5 = pref.div %t4, %two
  %t6 = pref.add %t5, %log
  %squared = pref.square %t6
  %rows = pref.count over row
  %sum = pref.sum %squared over row
  %loss = pref.div %sum, %rows
  pref.yield %loss metrics("w" = %w, "baseline" = %baseline0, "above" = %above)
}
)";

struct Compiled {
  DerivedObjective derived;
  CompiledObjective code;
  const AlidadeObjectiveTable* table = nullptr;
};

class CompileTest : public testing::Test {
 protected:
  Compiled compile(absl::StatusOr<DerivedObjective> derived, bool gpu = false,
                   bool keepTexts = false) {
    EXPECT_THAT(derived, IsOk());
    Compiled result{std::move(*derived)};
    CompileOptions options;
    options.gpu = gpu;
    options.keepTexts = keepTexts;
    FailureOr<CompiledObjective> code =
        compileObjective(*result.derived.differentiated,
                         schedule::SignatureToJson(result.derived.signature), options);
    EXPECT_TRUE(succeeded(code));
    if (failed(code)) return result;
    result.code = *code;
    absl::StatusOr<const AlidadeObjectiveTable*> table =
        runtime::LoadObject(code->object, result.derived.signature.name);
    EXPECT_THAT(table, IsOk());
    if (table.ok()) result.table = *table;
    return result;
  }

  Compiled compileNamed(const std::string& name, bool gpu = false, bool keepTexts = false) {
    const std::string path = absl::StrCat("compiler/objectives/", name, "/", name, ".mlir");
    return compile(deriveObjectiveFile(path, context), gpu, keepTexts);
  }

  Compiled compileEvery(bool gpu = false) {
    return compile(deriveObjectiveText(kEveryOperation, "every.mlir", context), gpu);
  }

  MLIRContext context;
};

// What a batch looks like to generated code.
struct PackedBatch {
  std::vector<std::vector<float>> reads;
  std::vector<std::vector<int64_t>> offsets;
  std::vector<float> hyperparameters;
  Batch batch;  // the same numbers for the interpreter
};

// `lengths[role][row]`: tokens. Log-probabilities are f32 values, so both sides read the same
// numbers.
PackedBatch randomBatch(const schedule::Signature& signature,
                        const std::vector<std::vector<int64_t>>& lengths, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-6, -0.01f);
  PackedBatch packed;
  packed.batch.numRows = lengths[0].size();
  for (size_t role = 0; role < signature.axes.size(); ++role) {
    std::vector<int64_t> offsets = {0};
    for (int64_t length : lengths[role]) offsets.push_back(offsets.back() + length);
    packed.batch.offsets[signature.axes[role].Name()] = offsets;
    packed.offsets.push_back(offsets);
  }
  for (const schedule::VocabularyRead& read : signature.reads) {
    const schedule::Distribution& distribution = signature.distributions[read.distribution];
    std::vector<float> values(packed.offsets[distribution.axis].back());
    for (float& value : values) value = uniform(random);
    packed.batch.reads[distribution.Name()].assign(values.begin(), values.end());
    packed.reads.push_back(std::move(values));
  }
  for (const schedule::Hyperparameter& hyper : signature.hyperparameters) {
    packed.hyperparameters.push_back(static_cast<float>(hyper.default_value));
    packed.batch.hyperparameters[hyper.name] = packed.hyperparameters.back();
  }
  return packed;
}

struct ScalarResults {
  std::vector<float> results;
  std::vector<std::vector<float>> cotangents;
};

constexpr float kUnwritten = 12345;

// Runs the block on row ranges one after another. Cotangents of `skipped` get a null destination.
ScalarResults runBlock(const AlidadeObjectiveTable& table, const AlidadeVariant& variant,
                       const schedule::Signature& signature, const PackedBatch& packed,
                       const std::vector<int64_t>& borders, int64_t skipped = -1) {
  ScalarResults out;
  out.results.assign(1 + signature.metrics.size(), kUnwritten);
  AlidadeScalarArgs args = {};
  for (size_t i = 0; i < packed.reads.size(); ++i) args.reads[i] = packed.reads[i].data();
  for (size_t i = 0; i < packed.offsets.size(); ++i) args.offsets[i] = packed.offsets[i].data();
  for (size_t i = 0; i < packed.hyperparameters.size(); ++i)
    args.hyperparameters[i] = packed.hyperparameters[i];
  out.cotangents.resize(signature.num_cotangents());
  for (size_t i = 0; i < signature.reads.size(); ++i) {
    if (signature.reads[i].cotangent < 0) continue;
    out.cotangents[signature.reads[i].cotangent].assign(packed.reads[i].size(), kUnwritten);
  }
  for (size_t i = 0; i < out.cotangents.size(); ++i)
    args.cotangents[i] = static_cast<int64_t>(i) == skipped ? nullptr : out.cotangents[i].data();
  args.results = out.results.data();
  args.num_rows = packed.batch.numRows;
  for (size_t i = 0; i + 1 < borders.size(); ++i) {
    std::vector<double> scratch(
        table.scratch_fixed + table.scratch_per_row * (borders[i + 1] - borders[i]) + 1,
        kUnwritten);
    args.row_begin = borders[i];
    args.row_end = borders[i + 1];
    args.scratch = scratch.data();
    variant.scalars(&args);
    EXPECT_EQ(scratch.back(), kUnwritten) << "wrote behind the scratch memory";
  }
  return out;
}

std::vector<AlidadeVariant> runnableVariants(const AlidadeObjectiveTable& table) {
  std::vector<AlidadeVariant> variants;
  for (const std::string& level : runtime::HostCpuLevels())
    for (uint32_t i = 0; i < table.num_variants; ++i)
      if (table.variants[i].cpu == level) variants.push_back(table.variants[i]);
  return variants;
}

void expectNear(float value, double expected, double scale, const std::string& what) {
  EXPECT_LE(std::abs(value - expected), kTolerance * std::max(std::abs(expected), scale))
      << what << ": got " << value << ", expected " << expected;
}

void checkAgainstInterpreter(Compiled& compiled, const std::vector<std::vector<int64_t>>& lengths,
                             unsigned seed) {
  const schedule::Signature& signature = compiled.derived.signature;
  const PackedBatch packed = randomBatch(signature, lengths, seed);
  absl::StatusOr<Evaluation> expected = interpret(compiled.derived.objective(), packed.batch);
  ASSERT_THAT(expected, IsOk());
  std::vector<AlidadeVariant> variants = runnableVariants(*compiled.table);
  ASSERT_FALSE(variants.empty());
  for (const AlidadeVariant& variant : variants) {
    const std::string where = absl::StrCat(signature.name, " ", variant.cpu, " ");
    ScalarResults got = runBlock(*compiled.table, variant, signature, packed,
                                 {0, static_cast<int64_t>(lengths[0].size())});
    expectNear(got.results[0], expected->loss, 0, where + "loss");
    for (size_t i = 0; i < signature.metrics.size(); ++i)
      expectNear(got.results[i + 1], expected->metrics[signature.metrics[i]], 1e-2,
                 where + signature.metrics[i]);
    for (const schedule::VocabularyRead& read : signature.reads) {
      if (read.cotangent < 0) continue;
      const std::string name = signature.distributions[read.distribution].Name();
      const std::vector<double>& cotangent = expected->cotangents[name];
      ASSERT_EQ(cotangent.size(), got.cotangents[read.cotangent].size());
      double largest = 0;
      for (double value : cotangent) largest = std::max(largest, std::abs(value));
      for (size_t i = 0; i < cotangent.size(); ++i)
        expectNear(got.cotangents[read.cotangent][i], cotangent[i], 1e-2 * largest,
                   absl::StrCat(where, "cotangent of ", name, "[", i, "]"));
    }
  }
}

const std::vector<std::vector<int64_t>> kLengths = {{3, 0, 7, 1, 20}, {2, 5, 0, 1, 33}};
const std::vector<std::vector<int64_t>> kOneEmptyRow = {{0}, {0}};

class NamedCompileTest : public CompileTest, public testing::WithParamInterface<const char*> {};

TEST_P(NamedCompileTest, AgreesWithTheInterpreter) {
  Compiled compiled = compileNamed(GetParam());
  ASSERT_NE(compiled.table, nullptr);
  for (unsigned seed = 0; seed < 5; ++seed) checkAgainstInterpreter(compiled, kLengths, seed);
  checkAgainstInterpreter(compiled, kOneEmptyRow, 0);
}

TEST_P(NamedCompileTest, CotangentsOfAChunkAreThoseOfTheBatch) {
  Compiled compiled = compileNamed(GetParam());
  ASSERT_NE(compiled.table, nullptr);
  const schedule::Signature& signature = compiled.derived.signature;
  const PackedBatch packed = randomBatch(signature, kLengths, 17);
  for (const AlidadeVariant& variant : runnableVariants(*compiled.table)) {
    ScalarResults whole = runBlock(*compiled.table, variant, signature, packed, {0, 5});
    ScalarResults chunks = runBlock(*compiled.table, variant, signature, packed, {0, 1, 3, 3, 5});
    EXPECT_EQ(whole.cotangents, chunks.cotangents) << variant.cpu;
  }
}

TEST_P(NamedCompileTest, GpuCodeAssemblesWithoutSpills) {
  Compiled compiled = compileNamed(GetParam(), /*gpu=*/true, /*keepTexts=*/true);
  ASSERT_NE(compiled.table, nullptr);
  for (const char* ptx : {compiled.table->ptx_sm80, compiled.table->ptx_sm90a}) {
    ASSERT_NE(ptx, nullptr);
    for (size_t k = 0; k < compiled.derived.signature.row_programs.size(); ++k)
      for (const char* suffix : {"(", "_bf16("})
        EXPECT_THAT(ptx, HasSubstr(absl::StrCat(".visible .entry alidade_rows_", k, suffix)));
    EXPECT_THAT(ptx, HasSubstr(".visible .entry alidade_scalars"));
    EXPECT_THAT(ptx, HasSubstr(absl::StrCat(".param .align 8 .b8 alidade_scalars_param_0[",
                                            sizeof(AlidadeScalarArgs), "]")));
    EXPECT_THAT(ptx, testing::Not(HasSubstr("call")));  // no device library
  }
  EXPECT_THAT(compiled.table->ptx_sm90a, HasSubstr(".target sm_90a"));
  EXPECT_THAT(compiled.code.loops,
              testing::AllOf(HasSubstr("scf.for"), HasSubstr("gpu.func @alidade_scalars")));
  EXPECT_THAT(compiled.code.llvm, HasSubstr("@alidade_objective_table"));
  EXPECT_THAT(compiled.code.assembly, HasSubstr("alidade_scalars_v4:"));
  if (!findPtxas()) GTEST_SKIP() << "skipped: no ptxas on this machine";
  ASSERT_GT(compiled.table->cubin_bytes, 4u);
  ASSERT_EQ(compiled.code.resources.size(), 1 + 2 * compiled.derived.signature.row_programs.size());
  for (const GpuKernelResources& kernel : compiled.code.resources) {
    EXPECT_EQ(kernel.spillBytes, 0u) << kernel.kernel;
    EXPECT_GT(kernel.registers, 0u) << kernel.kernel;
  }
}

INSTANTIATE_TEST_SUITE_P(Objectives, NamedCompileTest,
                         testing::Values("dpo", "ipo", "simpo", "mdpo"),
                         [](const auto& info) { return std::string(info.param); });

TEST_F(CompileTest, EveryOperationAgreesWithTheInterpreter) {
  Compiled compiled = compileEvery();
  ASSERT_NE(compiled.table, nullptr);
  EXPECT_GT(compiled.table->scratch_per_row, 0u)
      << "a batch-coupled objective keeps values between loops";
  for (unsigned seed = 0; seed < 10; ++seed)
    checkAgainstInterpreter(compiled, {{3, 4, 7, 1, 20}, {2, 5, 0, 1, 33}}, seed);
}

TEST_F(CompileTest, EveryOperationAssemblesForTheGpu) {
  Compiled compiled = compileEvery(/*gpu=*/true);
  ASSERT_NE(compiled.table, nullptr);
  EXPECT_THAT(compiled.table->ptx_sm90a, testing::Not(HasSubstr("call")));
  if (!findPtxas()) GTEST_SKIP() << "skipped: no ptxas on this machine";
  EXPECT_EQ(compiled.code.resources.size(), 1 + 2 * compiled.derived.signature.row_programs.size());
}

TEST_F(CompileTest, ANullCotangentIsNotComputed) {
  Compiled compiled = compileNamed("dpo");
  ASSERT_NE(compiled.table, nullptr);
  const schedule::Signature& signature = compiled.derived.signature;
  const PackedBatch packed = randomBatch(signature, kLengths, 3);
  for (const AlidadeVariant& variant : runnableVariants(*compiled.table)) {
    ScalarResults all = runBlock(*compiled.table, variant, signature, packed, {0, 5});
    ScalarResults some =
        runBlock(*compiled.table, variant, signature, packed, {0, 5}, /*skipped=*/0);
    EXPECT_EQ(some.cotangents[0], std::vector<float>(all.cotangents[0].size(), kUnwritten));
    EXPECT_EQ(some.cotangents[1], all.cotangents[1]);
    EXPECT_EQ(some.results, all.results);
  }
}

TEST_F(CompileTest, SaturatesWithoutNaN) {
  Compiled compiled = compileNamed("dpo");
  ASSERT_NE(compiled.table, nullptr);
  PackedBatch packed = randomBatch(compiled.derived.signature, {{1, 1}, {1, 1}}, 0);
  packed.hyperparameters[0] = 1;
  for (auto& read : packed.reads) read = {-1e4f, 0};
  packed.reads[1] = {0, -1e4f};  // row 0: margin -1e4; row 1: +1e4
  packed.reads[2] = packed.reads[3] = {0, 0};
  for (const AlidadeVariant& variant : runnableVariants(*compiled.table)) {
    ScalarResults got =
        runBlock(*compiled.table, variant, compiled.derived.signature, packed, {0, 2});
    EXPECT_EQ(got.results[0], 5e3f);
    EXPECT_EQ(got.cotangents[0], (std::vector<float>{-0.5f, 0}));
  }
}

TEST_F(CompileTest, WithoutPtxasThereIsPtxAndNoCubin) {
  absl::StatusOr<DerivedObjective> derived =
      deriveObjectiveText(kEveryOperation, "every.mlir", context);
  ASSERT_THAT(derived, IsOk());
  CompileOptions options;
  options.ptxas = std::nullopt;
  FailureOr<CompiledObjective> code = compileObjective(
      *derived->differentiated, schedule::SignatureToJson(derived->signature), options);
  ASSERT_TRUE(succeeded(code));
  EXPECT_THAT(code->ptxSm80, HasSubstr(".target sm_80"));
  EXPECT_THAT(code->ptxSm90a, HasSubstr(".target sm_90a"));
  EXPECT_TRUE(code->cubinSm90a.empty());
  absl::StatusOr<const AlidadeObjectiveTable*> table = runtime::LoadObject(code->object, "every");
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ((*table)->cubin_sm90a, nullptr);
  EXPECT_NE((*table)->ptx_sm90a, nullptr);
}

TEST_F(CompileTest, AnAheadOfTimeObjectRegistersAndExportsNothing) {
  absl::StatusOr<DerivedObjective> derived =
      deriveObjectiveText(kEveryOperation, "every.mlir", context);
  ASSERT_THAT(derived, IsOk());
  CompileOptions options;
  options.gpu = false;
  options.registerAtLoad = true;
  FailureOr<CompiledObjective> code = compileObjective(
      *derived->differentiated, schedule::SignatureToJson(derived->signature), options);
  ASSERT_TRUE(succeeded(code));
  auto object =
      llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(code->object, "every.o"));
  ASSERT_TRUE(static_cast<bool>(object));
  std::vector<std::string> exported, wanted;
  for (const llvm::object::SymbolRef& symbol : (*object)->symbols()) {
    const uint32_t flags = llvm::cantFail(symbol.getFlags());
    const std::string name = llvm::cantFail(symbol.getName()).str();
    if (flags & llvm::object::SymbolRef::SF_Undefined) {
      if (!name.empty()) wanted.push_back(name);
    } else if (flags & llvm::object::SymbolRef::SF_Global) {
      exported.push_back(name);
    }
  }
  EXPECT_THAT(exported, testing::IsEmpty());
  EXPECT_THAT(wanted, testing::ElementsAre("alidade_register_objective"));
  FailureOr<CompiledObjective> again = compileObjective(
      *derived->differentiated, schedule::SignatureToJson(derived->signature), options);
  ASSERT_TRUE(succeeded(again));
  EXPECT_EQ(again->object, code->object) << "the same objective must give the same bytes";
}

TEST_F(CompileTest, RefusesWhatItCannotCompile) {
  std::string message;
  ScopedDiagnosticHandler handler(&context,
                                  [&](Diagnostic& diagnostic) { message = diagnostic.str(); });
  absl::StatusOr<DerivedObjective> derived =
      deriveObjectiveText(kEveryOperation, "every.mlir", context);
  ASSERT_THAT(derived, IsOk());
  EXPECT_TRUE(
      failed(compileObjective(*derived->canonical, schedule::SignatureToJson(derived->signature))));
  EXPECT_THAT(message, HasSubstr("run pref-differentiate first"));
  CompileOptions options;
  options.cpus = {"x86-64-v2"};
  EXPECT_TRUE(failed(compileObjective(*derived->differentiated,
                                      schedule::SignatureToJson(derived->signature), options)));
  EXPECT_THAT(message, HasSubstr("unknown CPU level 'x86-64-v2', expected x86-64-v3 or x86-64-v4"));
  EXPECT_TRUE(failed(compileObjective(*derived->differentiated, "{}")));
  EXPECT_THAT(message, HasSubstr("unusable signature: "));
  OwningOpRef<ModuleOp> empty = ModuleOp::create(UnknownLoc::get(&context));
  EXPECT_TRUE(failed(compileObjective(*empty, "{}")));
  EXPECT_THAT(message, HasSubstr("expected one pref.objective to compile, got 0"));
}

}  // namespace
}  // namespace alidade::pref
