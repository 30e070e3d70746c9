#include "experiments/workflow/config.h"

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "experiments/workflow/flags.h"
#include "experiments/workflow/plan.h"
#include "experiments/workflow/toy_kinds.h"
#include "gtest/gtest.h"

namespace alidade::experiments {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kGraph[] = R"(name: "toy"
question: "does it run?"
owner: "tests"
seeds: 3
stage {
  id: "data"
  build_dataset { builder: "toy" setting { name: "images" value: "10" } }
}
stage {
  id: "sft"
  needs: "data"
  sft { preset: "tiny" loop { steps: 7 } instructions { batch_size: 4 } }
}
stage {
  id: "dpo"
  needs: "sft"
  needs: "data"
  preference {
    objective: "dpo"
    hyperparameter { name: "beta" value: 0.1 }
    group { name: "captions" kind: "caption" batch_size: 2 }
  }
}
stage { id: "report" needs: "dpo" report { baseline: "sft" } }
smoke: "sft.loop.steps=2"
)";

ExperimentFile MustParse(const std::string& text) {
  absl::StatusOr<ExperimentFile> file = ExperimentFile::Parse("toy.textproto", text);
  EXPECT_THAT(file, IsOk());
  return std::move(file).value();
}

absl::Status CheckText(const std::string& text) {
  absl::StatusOr<ExperimentFile> file = ExperimentFile::Parse("toy.textproto", text);
  if (!file.ok()) return file.status();
  ToyLog log;
  return ResolveAndCheck(*file, ToyKinds(&log));
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

absl::Status CheckReplaced(const std::string& from, const std::string& to) {
  return CheckText(Replaced(kGraph, from, to));
}

auto Invalid(const std::string& message) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message));
}

TEST(ConfigTest, CanonicalTextOfAResolvedConfigIsAFixedPoint) {
  ExperimentFile file = MustParse(kGraph);
  ToyLog log;
  ALIDADE_ASSERT_OK(ResolveAndCheck(file, ToyKinds(&log)));
  const std::string text = CanonicalText(file.experiment());
  EXPECT_THAT(text, HasSubstr("learning_rate: 0.001"));  // a default, written out
  ExperimentFile again = MustParse(text);
  ALIDADE_ASSERT_OK(ResolveAndCheck(again, ToyKinds(&log)));
  EXPECT_EQ(CanonicalText(again.experiment()), text);
  EXPECT_EQ(ResolvedHash(again.experiment()), ResolvedHash(file.experiment()));
}

TEST(ConfigTest, ADefaultWrittenOutChangesNoHashAndAnotherValueDoes) {
  ToyLog log;
  ExperimentFile plain = MustParse(kGraph);
  ExperimentFile written = MustParse(Replaced(kGraph, "steps: 7", "steps: 7 accumulation: 1"));
  ExperimentFile other = MustParse(Replaced(kGraph, "steps: 7", "steps: 8"));
  for (ExperimentFile* file : {&plain, &written, &other}) {
    ALIDADE_ASSERT_OK(ResolveAndCheck(*file, ToyKinds(&log)));
  }
  EXPECT_EQ(ResolvedHash(plain.experiment()), ResolvedHash(written.experiment()));
  EXPECT_NE(ResolvedHash(plain.experiment()), ResolvedHash(other.experiment()));
}

TEST(ConfigTest, UnknownFieldIsLocatedWithTheNearestName) {
  EXPECT_THAT(CheckReplaced("batch_size: 4", "batch_sise: 4"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       ::testing::AllOf(StartsWith("toy.textproto:12:"),
                                        HasSubstr("InstructionData"), HasSubstr("batch_sise"),
                                        HasSubstr("did you mean \"batch_size\""))));
}

TEST(ConfigTest, UnknownKindOfStageIsLocatedWithTheNearestName) {
  EXPECT_THAT(CheckReplaced("preference {", "prefrence {"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       ::testing::AllOf(StartsWith("toy.textproto:18:"),
                                        HasSubstr("did you mean \"preference\""))));
}

TEST(ConfigTest, UnknownEnumValueIsLocatedWithTheNearestName) {
  EXPECT_THAT(CheckReplaced("steps: 7", "steps: 7 schedule { decay: COSIN }"),
              Invalid("did you mean \"COSINE\""));
}

TEST(ConfigTest, WrongTypesAndBrokenSyntaxAreLocated) {
  EXPECT_THAT(CheckReplaced("steps: 7", "steps: \"seven\""), Invalid("toy.textproto:12:"));
  EXPECT_THAT(CheckReplaced("owner: \"tests\"", "owner: \"tests"), Invalid("toy.textproto:3:"));
  EXPECT_THAT(CheckReplaced("name: \"toy\"", "name: \"toy\" name: \"toy\""),
              Invalid("toy.textproto:1:"));
}

TEST(ConfigTest, GraphErrorsAreLocated) {
  EXPECT_THAT(CheckReplaced("needs: \"data\"\n  sft", "needs: \"date\"\n  sft"),
              Invalid("toy.textproto:11:3: stage \"sft\": needs: expected the id of a stage, got "
                      "\"date\"; did you "
                      "mean \"data\"?"));
  EXPECT_THAT(CheckReplaced("needs: \"data\"\n  sft", "needs: \"dpo\"\n  sft"),
              Invalid("sft -> dpo -> sft"));
  EXPECT_THAT(CheckReplaced("needs: \"data\"\n  sft", "needs: \"data\" needs: \"data\"\n  sft"),
              Invalid("stands twice"));
  EXPECT_THAT(CheckReplaced("id: \"dpo\"", "id: \"sft\""),
              Invalid("expected a new name, got \"sft\""));
  EXPECT_THAT(CheckReplaced("id: \"dpo\"", "id: \"DPO!\""),
              Invalid("expected [a-z][a-z0-9_]*, got \"DPO!\""));
  EXPECT_THAT(CheckReplaced("report { baseline: \"sft\" }", ""),
              Invalid("stage \"report\": expected one of build_dataset"));
  EXPECT_THAT(CheckReplaced("builder: \"toy\"", "builder: \"toi\""),
              Invalid("toy.textproto:7:19: stage \"data\": unknown builder 'toi'"));
  EXPECT_THAT(CheckReplaced("seeds: 3", ""), Invalid("at least one seed"));
  EXPECT_THAT(CheckReplaced("seeds: 3", "seeds: [1, 1]"), Invalid("got 1 twice"));
  EXPECT_THAT(CheckReplaced("id: \"report\"", "id: \"report\" seed: 4"),
              Invalid("reads all seeds"));
  EXPECT_THAT(CheckReplaced("id: \"sft\"", "id: \"sft\" seed: 4"),
              Invalid("expects needs with a fixed seed"));
}

TEST(ConfigTest, MissingFileIsNamed) {
  EXPECT_THAT(ExperimentFile::Read("/nowhere/x.textproto"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nowhere/x.textproto")));
}

TEST(OverrideTest, ReachesEveryKindOfField) {
  ExperimentFile file = MustParse(kGraph);
  for (const char* assignment :
       {"sft.loop.steps=9", "dpo.hyperparameter.beta=0.25", "dpo.hyperparameter.gamma=0.5",
        "dpo.group.captions.batch_size=5", "seeds=[4, 5]", "owner=someone else",
        "dpo.frozen=[vision_tower, connector]", "data.setting.images=20",
        "sft.loop.schedule.decay=LINEAR", "dpo.precompute_reference=false",
        "sft.loop.optimizer.learning_rate=1e-3"}) {
    ALIDADE_EXPECT_OK(file.Override(assignment, "--set"));
  }
  const Experiment& experiment = file.experiment();
  EXPECT_EQ(experiment.stage(1).sft().loop().steps(), 9);
  EXPECT_EQ(experiment.stage(2).preference().hyperparameter(0).value(), 0.25);
  EXPECT_EQ(experiment.stage(2).preference().hyperparameter(1).name(), "gamma");
  EXPECT_EQ(experiment.stage(2).preference().hyperparameter(1).value(), 0.5);
  EXPECT_EQ(experiment.stage(2).preference().group(0).batch_size(), 5);
  EXPECT_THAT(experiment.seeds(), ElementsAre(4, 5));
  EXPECT_EQ(experiment.owner(), "someone else");
  EXPECT_THAT(experiment.stage(2).preference().frozen(), ElementsAre("vision_tower", "connector"));
  EXPECT_EQ(experiment.stage(0).build_dataset().setting(0).value(), "20");
  EXPECT_FALSE(experiment.stage(2).preference().precompute_reference());
  EXPECT_EQ(experiment.stage(1).sft().loop().optimizer().learning_rate(), 1e-3);
}

TEST(OverrideTest, ErrorsNameTheOverride) {
  ExperimentFile file = MustParse(kGraph);
  EXPECT_THAT(file.Override("sft.loop.step=9", "--set"),
              Invalid("--set sft.loop.step=9: expected a field of LoopConfig, got \"step\"; did "
                      "you mean \"steps\"?"));
  EXPECT_THAT(file.Override("sftt.loop.steps=9", "--set"), Invalid("did you mean \"sft\"?"));
  EXPECT_THAT(file.Override("sft.loop.steps=many", "--set"),
              Invalid("of type int64, got \"many\""));
  EXPECT_THAT(file.Override("sft.loop.steps=1 epochs: 2", "--set"), Invalid("expected one value"));
  EXPECT_THAT(file.Override("seeds=4", "--set"), Invalid("expected a list"));
  EXPECT_THAT(file.Override("sft.loop=4", "--set"), Invalid("expected one of its fields after it"));
  EXPECT_THAT(file.Override("dpo.group.caption.batch_size=5", "--set"),
              Invalid("did you mean \"captions\"?"));
  EXPECT_THAT(file.Override("sft.loop.steps", "--set"), Invalid("expected path=value"));
}

TEST(OverrideTest, AnErrorAboutAnOverriddenValueIsLocatedAtTheOverride) {
  ExperimentFile file = MustParse(kGraph);
  ALIDADE_ASSERT_OK(file.Override("data.builder=other", "--set"));
  ToyLog log;
  EXPECT_THAT(ResolveAndCheck(file, ToyKinds(&log)),
              Invalid("--set data.builder=other: stage \"data\": unknown builder 'other'"));
}

TEST(OverrideTest, SmokeSizesAreOverridesOfTheFile) {
  ExperimentFile file = MustParse(kGraph);
  ALIDADE_ASSERT_OK(file.ApplySmoke());
  EXPECT_EQ(file.experiment().stage(1).sft().loop().steps(), 2);
  EXPECT_EQ(file.experiment().smoke_size(), 0);
  ExperimentFile wrong = MustParse(Replaced(kGraph, "smoke: \"sft.loop", "smoke: \"sft.lop"));
  EXPECT_THAT(wrong.ApplySmoke(),
              Invalid("toy.textproto:25:1: smoke: sft.lop.steps=2: expected a field of SftConfig"));
}

// The command line does not grow: a setting belongs into the experiment's file, where it is hashed
// and recorded.
TEST(FlagsTest, TheListIsFrozen) {
  EXPECT_THAT(FlagNames(),
              ElementsAre("config", "dry_run", "help", "out", "seeds", "set", "smoke"));
}

TEST(FlagsTest, ReadsBothSpellings) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const RunFlags flags,
                               ParseFlags({"--config=x", "--out", "y", "--set", "a=b", "--set=c=d",
                                           "--seeds=5", "--smoke"}));
  EXPECT_EQ(flags.config, "x");
  EXPECT_EQ(flags.out, "y");
  EXPECT_THAT(flags.set, ElementsAre("a=b", "c=d"));
  EXPECT_EQ(flags.seeds, 5);
  EXPECT_TRUE(flags.smoke);
  EXPECT_FALSE(flags.dry_run);
}

TEST(FlagsTest, ErrorsNameTheFlag) {
  EXPECT_THAT(ParseFlags({"--dryrun"}), Invalid("did you mean --dry_run?"));
  EXPECT_THAT(ParseFlags({"--seeds=zero"}),
              Invalid("--seeds: expected a number >= 1, got \"zero\""));
  EXPECT_THAT(ParseFlags({"--seeds=0"}), Invalid("got \"0\""));
  EXPECT_THAT(ParseFlags({"--smoke=yes"}), Invalid("expected no value"));
  EXPECT_THAT(ParseFlags({"--out"}), Invalid("--out: expected FOLDER, got nothing"));
  EXPECT_THAT(ParseFlags({"--out=a", "--out=b"}), Invalid("expected once"));
  EXPECT_THAT(ParseFlags({"file.textproto"}), Invalid("expected a flag"));
}

TEST(PlanTest, KeysFollowConfigInputsCodeAndSeedAndNothingElse) {
  const auto plan = [](const std::string& text, const std::string& code) {
    ToyLog log;
    log.code = code;
    const StageKinds kinds = ToyKinds(&log);
    ExperimentFile file = MustParse(text);
    EXPECT_THAT(ResolveAndCheck(file, kinds), IsOk());
    return MakePlan(file, kinds).value().stages;
  };
  const auto base = plan(kGraph, "1");
  ASSERT_EQ(base.size(), 4);
  EXPECT_EQ(base[1].folder_name, absl::StrCat("sft-", base[1].key.substr(0, 8), "-s3"));
  const auto renamed = plan(Replaced(kGraph, "id: \"sft\"", "id: \"sft\" label: \"tuned\""), "1");
  const auto changed = plan(Replaced(kGraph, "batch_size: 4", "batch_size: 5"), "1");
  const auto recoded = plan(kGraph, "2");
  const auto reseeded = plan(Replaced(kGraph, "seeds: 3", "seeds: 4"), "1");
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(renamed[i].key, base[i].key) << base[i].id;
    EXPECT_NE(recoded[i].key, base[i].key) << base[i].id;
    EXPECT_NE(reseeded[i].key, base[i].key) << base[i].id;
  }
  EXPECT_EQ(changed[0].key, base[0].key);  // the data does not depend on the SFT stage
  for (int i = 1; i < 4; ++i) EXPECT_NE(changed[i].key, base[i].key) << base[i].id;
}

TEST(PlanTest, StagesWithASeedOfTheirOwnAreSharedAndReportsReadAllSeeds) {
  ToyLog log;
  const StageKinds kinds = ToyKinds(&log);
  ExperimentFile file = MustParse(Replaced(Replaced(kGraph, "seeds: 3", "seeds: [3, 4]"),
                                           "id: \"data\"", "id: \"data\" seed: 0"));
  ALIDADE_ASSERT_OK(ResolveAndCheck(file, kinds));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan plan, MakePlan(file, kinds));
  std::vector<std::string> calls;
  for (const PlannedStage& call : plan.stages) {
    calls.push_back(call.folder_name.substr(0, call.folder_name.find('-')) +
                    call.folder_name.substr(call.folder_name.find("-s")));
  }
  EXPECT_THAT(calls, ElementsAre("data-s0", "sft-s3", "sft-s4", "dpo-s3", "dpo-s4", "report-s3-4"));
  EXPECT_THAT(plan.stages[2].inputs, ElementsAre(0));
  EXPECT_THAT(plan.stages[4].inputs, ElementsAre(2, 0));
  EXPECT_THAT(plan.stages[5].inputs, ElementsAre(3, 4));
}

}  // namespace
}  // namespace alidade::experiments
