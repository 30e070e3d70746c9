// What the coupling analysis finds in the objectives that exist, beside what the literature's code
// does: how much of a batch must be scored before a weight is known.

#include <algorithm>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include "absl/strings/str_cat.h"
#include "mlir/IR/MLIRContext.h"

#include "common/status/status_matchers.h"
#include "compiler/transforms/Pipeline.h"

namespace alidade::pref {
namespace {

// kRowLocal: the row's own scores. kGivenScalars: those, and numbers over the whole batch that no
// gradient reaches, known before. kAcrossRows: the scores with gradient of all rows. kDense: the
// cotangent of the logits is more than one weight per token, whatever else.
enum Class { kRowLocal = 0, kGivenScalars = 1, kAcrossRows = 2, kDense = 3 };

Class ClassOf(const schedule::Signature& signature) {
  bool acrossRows = false;
  for (const schedule::Distribution& distribution : signature.distributions) {
    if (!distribution.requires_grad) continue;
    if (distribution.coupling.dense) return kDense;
    acrossRows |= distribution.coupling.granularity >= schedule::Granularity::kBatch;
  }
  if (acrossRows) return kAcrossRows;
  return signature.has_known() ? kGivenScalars : kRowLocal;
}

struct Expected {
  const char* name;
  OptionChoices options;
  Class published;  // of what reference implementations compute
  Class derived;
  const char* why;  // where the two differ
};

constexpr char kCounts[] = "the number of tokens or members in the batch is data, but over rows";
constexpr char kRunningMean[] =
    "the mean includes this batch's rewards: stopped, but of the same forward pass";

const Expected kExpected[] = {
    {"aot", {}, kAcrossRows, kAcrossRows, ""},
    {"bco_pair", {}, kGivenScalars, kAcrossRows, kRunningMean},
    {"bco_pair", {{"reward_shift", "zero"}}, kRowLocal, kRowLocal, ""},
    {"dpo", {}, kRowLocal, kRowLocal, ""},
    {"dpo", {{"f_divergence_type", "forward_kl"}}, kRowLocal, kRowLocal, ""},
    {"dpo", {{"f_divergence_type", "js_divergence"}}, kRowLocal, kRowLocal, ""},
    {"dpo", {{"f_divergence_type", "alpha_divergence"}}, kRowLocal, kRowLocal, ""},
    {"exo_pair", {}, kRowLocal, kRowLocal, ""},
    {"grpo", {}, kGivenScalars, kGivenScalars, ""},
    {"grpo", {{"entropy_bonus", "true"}}, kDense, kDense, ""},
    {"gspo", {}, kGivenScalars, kGivenScalars, ""},
    {"halva", {}, kDense, kDense, ""},
    {"ipo", {}, kRowLocal, kRowLocal, ""},
    {"kto", {}, kGivenScalars, kGivenScalars, ""},
    {"ld_dpo", {}, kRowLocal, kRowLocal, ""},
    {"mdpo", {}, kRowLocal, kRowLocal, ""},
    {"mpo", {}, kGivenScalars, kAcrossRows, kRunningMean},
    {"mrpo", {}, kRowLocal, kRowLocal, ""},
    {"orpo", {}, kRowLocal, kGivenScalars, kCounts},
    {"plackett_luce", {}, kRowLocal, kRowLocal, ""},
    {"robust", {}, kRowLocal, kRowLocal, ""},
    {"sft", {}, kRowLocal, kGivenScalars, kCounts},
    {"simpo", {}, kRowLocal, kRowLocal, ""},
    {"tdpo2", {}, kDense, kDense, ""},
    {"wpo", {}, kRowLocal, kRowLocal, ""},
};

class ObjectiveClass : public testing::TestWithParam<Expected> {};

TEST_P(ObjectiveClass, IsDerived) {
  const Expected& expected = GetParam();
  mlir::MLIRContext context;
  absl::StatusOr<DerivedObjective> derived = deriveObjectiveFile(
      absl::StrCat("compiler/objectives/", expected.name, "/", expected.name, ".mlir"), context,
      expected.options);
  ASSERT_THAT(derived, IsOk());
  EXPECT_EQ(ClassOf(derived->signature), expected.derived);
  EXPECT_EQ(expected.published == expected.derived, std::string(expected.why).empty())
      << "a difference has a reason";
}

INSTANTIATE_TEST_SUITE_P(Objectives, ObjectiveClass, testing::ValuesIn(kExpected),
                         [](const testing::TestParamInfo<Expected>& info) {
                           std::string name = info.param.name;
                           for (const auto& [option, chosen] : info.param.options)
                             absl::StrAppend(&name, "_", chosen);
                           return name;
                         });

// Every objective whose definition is here has a line above.
TEST(ObjectiveClasses, AreComplete) {
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("compiler/objectives")) {
    if (!entry.is_directory()) continue;
    ++found;
    std::string name = entry.path().filename();
    EXPECT_TRUE(std::any_of(std::begin(kExpected), std::end(kExpected),
                            [&](const Expected& expected) { return name == expected.name; }))
        << name;
  }
  EXPECT_GE(found, 4);
}

}  // namespace
}  // namespace alidade::pref
