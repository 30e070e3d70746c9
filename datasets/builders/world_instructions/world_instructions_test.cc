#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/provenance/digest.h"
#include "common/provenance/random_stream.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "datasets/builders/builder.h"
#include "datasets/builders/world_shard.h"
#include "datasets/schema/dataset_folder.h"
#include "datasets/worlds/language.h"
#include "datasets/worlds/test_split.h"
#include "datasets/worlds/world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::datasets {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Builder& Instructions() { return **FindBuilder("world_instructions"); }

BuildRequest Request(const std::string& folder, int images, uint64_t seed = 1) {
  return {{{"images", images}}, {}, folder, seed, /*quiet=*/true};
}

TEST(WorldInstructionsTest, WritesADatasetThatReadsBack) {
  const std::string folder = TempFolder();
  ALIDADE_ASSERT_OK(Instructions().Build(Request(folder, 1005)));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const DatasetFolder dataset, DatasetFolder::Open(folder));
  EXPECT_EQ(dataset.card().num_records, 2010);
  EXPECT_EQ(dataset.card().num_images, 1005);
  EXPECT_EQ(dataset.card().config, (nlohmann::json{{"images", 1005}, {"preset", "hard"}}));
  EXPECT_EQ(dataset.card().statistics.at("records.caption"), 1005);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<InstructionRecord> records,
                               dataset.InstructionRecords());
  int with_hallucination = 0;
  for (size_t i = 0; i < records.size(); i += 2) {
    const InstructionRecord& caption = records[i];
    const InstructionRecord& questions = records[i + 1];
    ASSERT_EQ(caption.image, questions.image) << "both conversations about an image are neighbours";
    ASSERT_EQ(caption.kind, "caption");
    ASSERT_EQ(questions.kind, "questions");
    ASSERT_EQ(caption.turns.size(), 1u);
    ASSERT_EQ(questions.turns.size(), 6u);
    EXPECT_TRUE(caption.turns[0].end);
    ALIDADE_ASSERT_OK_AND_ASSIGN(const Scene scene,
                                 SceneFromTruth(dataset.images().at(caption.image).truth));
    bool wrong = false;
    for (const int category : ParseCaption(caption.turns[0].assistant).mentioned)
      wrong = wrong || !IsPresent(scene, category);
    with_hallucination += wrong;
  }
  EXPECT_EQ(dataset.card().statistics.at("captions_with_hallucination"), with_hallucination);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Image image, dataset.LoadImage(records[2009].image));
  EXPECT_EQ(image.width, kWorldImageSize);
  EXPECT_THAT(dataset.LoadFile("tokenizer.json"), IsOkAndHolds(HasSubstr("southeast")));
  EXPECT_THAT(dataset.LoadFile("preprocessor_config.json"), IsOk());
  EXPECT_THAT(ReadFile(JoinPath(folder, "README.md")),
              IsOkAndHolds(HasSubstr("# world_hard_instructions")));
}

TEST(WorldInstructionsTest, SameSeedSameBitsOtherSeedOtherBits) {
  const std::string a = TempFolder(), b = TempFolder(), c = TempFolder();
  ALIDADE_ASSERT_OK(Instructions().Build(Request(a, 30)));
  ALIDADE_ASSERT_OK(Instructions().Build(Request(b, 30)));
  ALIDADE_ASSERT_OK(Instructions().Build(Request(c, 30, 2)));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string digest, FolderDigest(a));
  EXPECT_THAT(FolderDigest(b), IsOkAndHolds(digest));
  EXPECT_THAT(FolderDigest(c), IsOkAndHolds(testing::Ne(digest)));
  // An image does not depend on how many others there are.
  const std::string more = TempFolder();
  ALIDADE_ASSERT_OK(Instructions().Build(Request(more, 40)));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string png,
                               ReadFile(JoinPath(a, "images/000/000029.png")));
  EXPECT_THAT(ReadFile(JoinPath(more, "images/000/000029.png")), IsOkAndHolds(png));
}

TEST(WorldInstructionsTest, KilledAtAnyMomentItEndsInTheSameBits) {
  const std::string whole = TempFolder(), killed = TempFolder();
  constexpr int kImages = 4500;
  ALIDADE_ASSERT_OK(Instructions().Build(Request(whole, kImages)));
  RandomStream moments(1, "moments");
  int kills = 0;
  for (int attempt = 0; attempt < 12; ++attempt) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) ::_exit(Instructions().Build(Request(killed, kImages)).ok() ? 0 : 1);
    ::usleep(moments.UniformInt(300000));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
      ++kills;
    else
      ASSERT_EQ(WEXITSTATUS(status), 0);
  }
  EXPECT_GE(kills, 3) << "the build was too quick to be interrupted";
  ALIDADE_ASSERT_OK(Instructions().Build(Request(killed, kImages)));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string digest, FolderDigest(whole));
  EXPECT_THAT(FolderDigest(killed), IsOkAndHolds(digest));
  EXPECT_FALSE(PathExists(JoinPath(killed, ".parts")));
  EXPECT_FALSE(PathExists(JoinPath(killed, ".processor")));
  EXPECT_THAT(Instructions().Build(Request(killed, kImages)), IsOk())
      << "a finished dataset is left alone";
  EXPECT_THAT(FolderDigest(killed), IsOkAndHolds(digest));
}

TEST(WorldInstructionsTest, SplitsShareNoPicture) {
  std::set<std::vector<uint8_t>> pictures;
  size_t added = 0;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const WorldPreset preset, FindWorldPreset("hard"));
  for (const uint64_t seed : {0u, 1u, 600u}) {  // 600: also the test split's own seed
    for (const std::string split : {"train", "pairs"}) {
      for (int index = 0; index < 600; ++index) {
        pictures.insert(WorldItem(preset, split, seed, index).image.rgb);
        ++added;
      }
    }
  }
  ALIDADE_ASSERT_OK_AND_ASSIGN(const TestSplit test, TestSplit::Create("hard"));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<Prompt> prompts, test.Prompts());
  for (const Prompt& prompt : prompts) {
    if (prompt.kind != "caption") continue;
    ALIDADE_ASSERT_OK_AND_ASSIGN(Image image, test.LoadImage(prompt.image));
    pictures.insert(std::move(image.rgb));
    ++added;
  }
  EXPECT_EQ(pictures.size(), added);
}

TEST(WorldInstructionsTest, BadRequests) {
  EXPECT_THAT(FindBuilder("world_instruction"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("world_instructions")));
  EXPECT_THAT(BuilderNames(), ElementsAre("world_instructions"));
  EXPECT_THAT(Instructions().Resolve({{"image", 5}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("unknown field 'image'"), HasSubstr("'images'"))));
  EXPECT_THAT(Instructions().Resolve({{"images", "many"}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("images"), HasSubstr("\"many\""))));
  EXPECT_THAT(Instructions().Resolve({{"images", 0}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("got 0")));
  EXPECT_THAT(Instructions().Resolve({{"preset", "hart"}}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("'hard'")));
  EXPECT_THAT(Instructions().Resolve(nlohmann::json::array({1})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("[1]")));
  BuildRequest request = Request(TempFolder(), 3);
  request.inputs["model"] = "x";
  EXPECT_THAT(Instructions().Build(request),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("model")));
  request = Request(TempFolder(), 3);
  ALIDADE_ASSERT_OK(Instructions().Build(request));
  request.config = {{"images", 4}};
  EXPECT_THAT(Instructions().Build(request),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("config"), HasSubstr("\"images\":4"))));
}

}  // namespace
}  // namespace alidade::datasets
