#include "compiler/runtime/jit/jit.h"

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::runtime {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kObjective[] = R"(
pref.objective @contrast attributes {paper = "none"} {
  %scale = pref.hyper "scale" default 0.5 in (0, inf)
  %w_t = pref.logprob policy(chosen)
  %l_t = pref.logprob policy(rejected)
  %w = pref.sum %w_t over token
  %l = pref.sum %l_t over token
  %d = pref.sub %w, %l
  %u = pref.mul %scale, %d
  %s = pref.log_sigmoid %u
  %n = pref.neg %s
  %loss = pref.mean %n over row
  pref.yield %loss metrics("margin" = %u)
}
)";

class JitTest : public testing::Test {
 protected:
  JitTest() : folder_(TempFolder()), path_(JoinPath(folder_, "contrast.mlir")) {
    options_.cache_folder = JoinPath(folder_, "cache");
    Write(kObjective);
  }

  void Write(const std::string& text) { ASSERT_THAT(WriteFile(path_, text), IsOk()); }

  const Objective* Compile() {
    absl::StatusOr<const Objective*> objective = CompileObjectiveFile(path_, options_, &report_);
    EXPECT_THAT(objective, IsOk());
    return objective.ok() ? *objective : nullptr;
  }

  // The loss and the cotangents of one row: two chosen tokens, one rejected.
  std::vector<float> Evaluate(const Objective& objective) {
    const float chosen[] = {-0.5f, -1.0f}, rejected[] = {-3.0f};
    const int64_t chosen_offsets[] = {0, 2}, rejected_offsets[] = {0, 1};
    std::vector<float> out(5);  // loss, margin, two cotangents, one cotangent
    std::vector<double> scratch(
        objective.table().scratch_fixed + objective.table().scratch_per_row +
        2 * objective.table().scratch_per_axis[0] + objective.table().scratch_per_axis[1]);
    AlidadeScalarArgs args = {};
    args.reads[0] = chosen;
    args.reads[1] = rejected;
    args.offsets[0] = chosen_offsets;
    args.offsets[1] = rejected_offsets;
    args.hyperparameters[0] = 0.5f;
    args.cotangents[0] = out.data() + 2;
    args.cotangents[1] = out.data() + 4;
    args.results = out.data();
    args.row_end = 1;
    args.num_rows = 1;
    args.scratch = scratch.data();
    objective.variant().scalars(&args);
    return out;
  }

  const std::string folder_, path_;
  JitOptions options_;
  JitReport report_;
};

TEST_F(JitTest, CompilesThenFindsTheFileThenTheCode) {
  const Objective* cold = Compile();
  ASSERT_NE(cold, nullptr);
  EXPECT_EQ(report_.origin, JitOrigin::kCompiled);
  const double cold_seconds = report_.seconds;
  EXPECT_EQ(cold->signature().name, "contrast");
  const std::vector<float> expected = Evaluate(*cold);
  // margin = 0.5 (-1.5 + 3) = 0.75; loss = log(1 + exp(-0.75)); cotangent = -+ 0.5 sigmoid(-0.75).
  EXPECT_THAT(expected,
              testing::Pointwise(testing::FloatNear(1e-6f),
                                 {0.3868710f, 0.75f, -0.1604106f, -0.1604106f, 0.1604106f}));

  const Objective* cached = Compile();
  ASSERT_NE(cached, nullptr);
  EXPECT_EQ(report_.origin, JitOrigin::kCachedFile);
  EXPECT_EQ(Evaluate(*cached), expected);
  std::printf("JIT: %.0f ms cold, %.1f ms cached\n", 1e3 * cold_seconds, 1e3 * report_.seconds);

  Write(absl::StrCat("// A comment changes the file and not the objective.\n", kObjective));
  const Objective* commented = Compile();
  ASSERT_NE(commented, nullptr);
  EXPECT_EQ(report_.origin, JitOrigin::kCachedCode);
  EXPECT_EQ(Evaluate(*commented), expected);
  EXPECT_THAT(report_.warnings, IsEmpty());
}

TEST_F(JitTest, AChangedObjectiveIsCompiled) {
  Compile();
  std::string changed = kObjective;
  changed.replace(changed.find("default 0.5"), 11, "default 0.7");
  Write(changed);
  const Objective* objective = Compile();
  ASSERT_NE(objective, nullptr);
  EXPECT_EQ(report_.origin, JitOrigin::kCompiled);
  EXPECT_EQ(objective->signature().hyperparameters[0].default_value, 0.7);
}

TEST_F(JitTest, AnOptionIsAnotherObjective) {
  std::string choosing = kObjective;
  choosing.replace(choosing.find("pref.neg %s"), 11,
                   "pref.option \"sign\" default \"minus\" of \"minus\" = %m, \"plus\" = %s");
  choosing.insert(choosing.find("  %n ="), "  %m = pref.neg %s\n");
  Write(choosing);
  const Objective* minus = Compile();
  ASSERT_NE(minus, nullptr);
  options_.options = {{"sign", "plus"}};
  const Objective* plus = Compile();
  ASSERT_NE(plus, nullptr);
  EXPECT_EQ(report_.origin, JitOrigin::kCompiled);
  EXPECT_EQ(plus->signature().options[0].chosen, "plus");
  EXPECT_EQ(Evaluate(*plus)[0], -Evaluate(*minus)[0]);
  ASSERT_NE(Compile(), nullptr);
  EXPECT_EQ(report_.origin, JitOrigin::kCachedFile);
  options_.options = {{"sing", "plus"}};
  EXPECT_THAT(CompileObjectiveFile(path_, options_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("sign")));
}

// Files of a folder, and the sum of two of them.
TEST_F(JitTest, ExpressionsAndApplies) {
  ASSERT_THAT(MakeFolder(JoinPath(folder_, "contrast")), IsOk());
  ASSERT_THAT(WriteFile(JoinPath(folder_, "contrast/contrast.mlir"), kObjective), IsOk());
  options_.objectives_folder = folder_;
  const auto compile = [&](const std::string& expression) {
    return CompileObjectiveExpression(expression, options_, &report_);
  };
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Objective* alone, compile("contrast"));
  EXPECT_EQ(alone->signature().name, "contrast");
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Objective* sum,
                               compile("0.5*contrast(scale=0.5)+1.5 * contrast(scale=0.5)"));
  EXPECT_EQ(report_.origin, JitOrigin::kCompiled);
  EXPECT_THAT(sum->signature().name, HasSubstr("contrast(scale=0.5)"));
  EXPECT_NEAR(Evaluate(*sum)[0], 2 * Evaluate(*alone)[0], 1e-6);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Objective* again,
                               compile("0.5*contrast(scale=0.5)+1.5 * contrast(scale=0.5)"));
  EXPECT_EQ(report_.origin, JitOrigin::kCachedCode);
  EXPECT_EQ(Evaluate(*again)[0], Evaluate(*sum)[0]);
  // A file finds what it applies beside itself, and is not taken for unchanged when that changes.
  const std::string doubled_path = JoinPath(folder_, "doubled.mlir");
  ASSERT_THAT(WriteFile(doubled_path, R"(
pref.objective @doubled {
  %two = pref.constant 2
  %a = pref.apply @contrast
  %loss = pref.mul %two, %a
  pref.yield %loss
}
)"),
              IsOk());
  for (int i = 0; i < 2; ++i) {
    ALIDADE_ASSERT_OK_AND_ASSIGN(
        const Objective* doubled,
        CompileObjectiveFile(doubled_path, {.cache_folder = options_.cache_folder}, &report_));
    EXPECT_EQ(report_.origin, i == 0 ? JitOrigin::kCompiled : JitOrigin::kCachedCode);
    EXPECT_NEAR(Evaluate(*doubled)[0], 2 * Evaluate(*alone)[0], 1e-6);
  }
  EXPECT_THAT(compile("contrasd + contrast"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("contrast")));
}

TEST_F(JitTest, DamagedCodeIsDetectedReportedAndReplaced) {
  const std::vector<float> expected = Evaluate(*Compile());
  const std::string entry = report_.object_path;
  const absl::StatusOr<std::string> read = ReadFile(entry);
  ASSERT_THAT(read, IsOk());
  const std::string& whole = *read;
  std::string flipped = whole;
  flipped[flipped.size() / 2] ^= 1;
  for (const std::string& damaged :
       {whole.substr(0, whole.size() / 2), flipped, whole + "x", std::string()}) {
    ASSERT_THAT(WriteFile(entry, damaged), IsOk());
    const Objective* objective = Compile();
    ASSERT_NE(objective, nullptr);
    EXPECT_EQ(report_.origin, JitOrigin::kCompiled);
    EXPECT_THAT(report_.warnings,
                testing::Each(AllOf(HasSubstr(entry), HasSubstr("damaged cache entry"))));
    EXPECT_FALSE(report_.warnings.empty());
    EXPECT_EQ(Evaluate(*objective), expected);
    Compile();
    EXPECT_EQ(report_.origin, JitOrigin::kCachedFile);
    EXPECT_THAT(report_.warnings, IsEmpty());
  }
}

TEST_F(JitTest, ADamagedIndexFallsBackToTheCode) {
  Compile();
  absl::StatusOr<std::vector<std::string>> names = ListFolder(options_.cache_folder);
  ASSERT_THAT(names, IsOk());
  ASSERT_EQ(names->size(), 2u);
  const std::string index = JoinPath(options_.cache_folder, (*names)[0]);
  ASSERT_THAT(index, HasSubstr("file-"));
  ASSERT_THAT(WriteFile(index, "garbage"), IsOk());
  Compile();
  EXPECT_EQ(report_.origin, JitOrigin::kCachedCode);
  EXPECT_THAT(report_.warnings, ElementsAre(HasSubstr("damaged cache entry")));
}

TEST_F(JitTest, AnUnwritableCacheIsAWarning) {
  ASSERT_THAT(WriteFile(JoinPath(folder_, "occupied"), "a file, not a folder"), IsOk());
  options_.cache_folder = JoinPath(folder_, "occupied/cache");
  ASSERT_NE(Compile(), nullptr);
  EXPECT_EQ(report_.origin, JitOrigin::kCompiled);
  EXPECT_THAT(report_.warnings, testing::Contains(HasSubstr("not cached")));
}

TEST_F(JitTest, ErrorsOfTheObjectiveAreLocated) {
  std::string broken = kObjective;
  broken.replace(broken.find("pref.sub %w, %l"), 15, "pref.sub %w_t, %l_t");
  Write(broken);
  EXPECT_THAT(CompileObjectiveFile(path_, options_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("contrast.mlir:8:"), HasSubstr("token(chosen)"),
                             HasSubstr("token(rejected)"))));
  EXPECT_THAT(CompileObjectiveFile(JoinPath(folder_, "absent.mlir"), options_),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent.mlir")));
}

}  // namespace
}  // namespace alidade::runtime
