#include "experiments/workflow/stages/stages.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/status/status_matchers.h"
#include "experiments/workflow/config.h"
#include "experiments/workflow/plan.h"
#include "gtest/gtest.h"

namespace alidade::experiments {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kQuickstart[] = "experiments/quickstart/experiment.textproto";

// The quickstart with one piece of its text replaced.
absl::Status Check(const std::string& from, const std::string& to) {
  std::string text = ReadFile(kQuickstart).value();
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  absl::StatusOr<ExperimentFile> file = ExperimentFile::Parse("q.textproto", text);
  if (!file.ok()) return file.status();
  return ResolveAndCheck(*file, StandardStages());
}

// Where the text stands, as "q.textproto:LINE:".
std::string LineOf(const std::string& piece) {
  const std::string text = ReadFile(kQuickstart).value();
  const size_t at = text.find(piece);
  EXPECT_NE(at, std::string::npos) << piece;
  return absl::StrCat("q.textproto:", 1 + std::count(text.begin(), text.begin() + at, '\n'), ":");
}

auto LocatedAt(const std::string& piece, const std::string& message) {
  return StatusIs(absl::StatusCode::kInvalidArgument,
                  AllOf(StartsWith(LineOf(piece)), HasSubstr(message)));
}

TEST(StagesTest, TheQuickstartsCanonicalTextIsAFixedPoint) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(ExperimentFile file, ExperimentFile::Read(kQuickstart));
  ALIDADE_ASSERT_OK(ResolveAndCheck(file, StandardStages()));
  const std::string text = CanonicalText(file.experiment());
  ALIDADE_ASSERT_OK_AND_ASSIGN(ExperimentFile again, ExperimentFile::Parse("canonical", text));
  ALIDADE_ASSERT_OK(ResolveAndCheck(again, StandardStages()));
  EXPECT_EQ(CanonicalText(again.experiment()), text);
}

TEST(StagesTest, KindsHaveDigestsOfTheirOwnSources) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(ExperimentFile file, ExperimentFile::Read(kQuickstart));
  const StageKinds kinds = StandardStages();
  ALIDADE_ASSERT_OK(ResolveAndCheck(file, kinds));
  std::set<std::string> versions;
  for (int i = 0; i < file.experiment().stage_size(); ++i) {
    ALIDADE_ASSERT_OK_AND_ASSIGN(
        const std::string version,
        FindKind(kinds, KindOf(file.experiment().stage(i)))->CodeVersion(file, i));
    EXPECT_GE(version.size(), 64);
    versions.insert(version.substr(0, 64));
  }
  EXPECT_EQ(versions.size(), kinds.size());
}

TEST(StagesTest, UnknownNamesAreLocatedWithTheNearestOne) {
  EXPECT_THAT(Check("objective: \"dpo\"", "objective: \"dpoo\""),
              LocatedAt("objective: \"dpo\"", "dpo"));
  EXPECT_THAT(Check("preset: \"tiny_world\"", "preset: \"tiny_word\""),
              LocatedAt("preset: \"tiny_world\"", "'tiny_world'"));
  EXPECT_THAT(Check("task: \"pope\"", "task: \"pop\""), LocatedAt("task: \"pope\"", "'pope'"));
  EXPECT_THAT(Check("builder: \"world_pairs\"", "builder: \"world_pair\""),
              LocatedAt("builder: \"world_pairs\"", "'world_pairs'"));
  EXPECT_THAT(
      Check("setting { name: \"images\" value: \"36000\" }",
            "setting { name: \"image\" value: \"36000\" }"),
      LocatedAt("setting { name: \"images\" value: \"36000\" }", "did you mean \"images\"?"));
  EXPECT_THAT(Check("value: \"claim_critic\"", "value: \"claim_critics\""),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("critic_pairs"), HasSubstr("claim_critic"))));
  EXPECT_THAT(
      Check("metric: \"adversarial.accuracy\"", "metric: \"adversarial.acuracy\""),
      LocatedAt("metric: \"adversarial.accuracy\"", "did you mean \"adversarial.accuracy\"?"));
  EXPECT_THAT(Check("baseline: \"sft\"\n    method", "baseline: \"stf_\"\n    method"),
              LocatedAt("baseline: \"sft\"\n    method", "expected a model that is evaluated"));
  EXPECT_THAT(Check("name: \"beta\" value: 0.1", "name: \"bta\" value: 0.1"),
              LocatedAt("name: \"beta\" value: 0.1", "did you mean \"beta\"?"));
}

TEST(StagesTest, ValuesOutOfRangeAreLocatedWithTheRange) {
  EXPECT_THAT(
      Check("name: \"beta\" value: 0.1", "name: \"beta\" value: -0.1"),
      LocatedAt("name: \"beta\" value: 0.1", "beta: expected a value in (0, inf) (dpo), got -0.1"));
  EXPECT_THAT(Check("learning_rate: 4e-3", "learning_rate: -1"),
              LocatedAt("learning_rate: 4e-3", "learning_rate"));
  EXPECT_THAT(Check("value: \"36000\"", "value: \"many\""),
              LocatedAt("value: \"36000\"", "got \"many\""));
  EXPECT_THAT(Check("value: \"36000\"", "value: \"-1\""),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("stage \"world\""), HasSubstr("images"))));
  EXPECT_THAT(Check("preset: \"hard\"\n  }", "preset: \"hard\" num_images: 700\n  }"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("num_images: expected 1 to 600, got 700")));
}

TEST(StagesTest, ErrorsAboutAnOverrideAreLocatedAtTheOverride) {
  for (const auto& [assignment, message] : std::map<std::string, std::string>{
           {"dpo.hyperparameter.betta=1",
            "expected a hyperparameter of dpo, got \"betta\"; did you mean \"beta\"?"},
           {"dpo.hyperparameter.beta=-1", "expected a value in (0, inf)"},
           {"dpo.objective=dpoo", "dpo"},
           {"world.setting.image=3", "did you mean \"images\"?"}}) {
    ALIDADE_ASSERT_OK_AND_ASSIGN(ExperimentFile file, ExperimentFile::Read(kQuickstart));
    ALIDADE_ASSERT_OK(file.Override(assignment, "--set"));
    EXPECT_THAT(
        ResolveAndCheck(file, StandardStages()),
        StatusIs(absl::StatusCode::kInvalidArgument,
                 AllOf(StartsWith(absl::StrCat("--set ", assignment, ": ")), HasSubstr(message))));
  }
}

TEST(StagesTest, NeedsMustHaveTheRightKinds) {
  EXPECT_THAT(
      Check("needs: \"world\"\n", ""),
      LocatedAt("stage {\n  id: \"sft\"", "expected 1 dataset (a build_dataset stage), got 0"));
  EXPECT_THAT(
      Check("needs: \"evaluate\"\n", ""),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected at least 1 evaluation")));
  EXPECT_THAT(Check("needs: \"sft\"\n  needs: \"dpo\"", "needs: \"world\"\n  needs: \"dpo\""),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("expected model (an sft or preference stage), got \"world\"")));
}

}  // namespace
}  // namespace alidade::experiments
