#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/files/files.h"
#include "common/media/image.h"
#include "common/provenance/digest.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "datasets/schema/dataset_folder.h"
#include "datasets/schema/dataset_writer.h"
#include "datasets/schema/records.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::datasets {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

InstructionRecord Instruction(int i) {
  return {absl::StrCat("train/", i),
          absl::StrCat("images/", i, ".png"),
          "caption",
          {{"describe :", "north red \"disc\" \\ .", true}, {"how many", "1", false}}};
}

PreferenceRecord Preference(int i) {
  return {absl::StrCat("pairs/", i),
          absl::StrCat("images/", i, ".png"),
          "is there ring",
          "yes",
          "no",
          "yes_no",
          "oracle",
          1,
          0.1,
          false};
}

Image Picture(int i) { return {2, 1, {static_cast<uint8_t>(i), 2, 3, 4, 5, 6}}; }

Shard MakeShard(int shard, int per_shard = 2) {
  Shard content;
  for (int i = shard * per_shard; i < (shard + 1) * per_shard; ++i) {
    content.records.push_back(ToJsonLine(Instruction(i)));
    content.images.push_back(
        {absl::StrCat("images/", i, ".png"), *EncodePng(Picture(i)), {{"context", i}}});
    content.statistics["records"] += 1;
  }
  return content;
}

DatasetCard Card() {
  DatasetCard card;
  card.name = "tiny";
  card.kind = std::string(kInstructions);
  card.builder = "by_hand";
  card.builder_version = 3;
  card.config = {{"images", 4}};
  card.seed = 7;
  card.description = "Four pictures.";
  return card;
}

// A finished dataset of two shards.
std::string Build() {
  const std::string folder = JoinPath(TempFolder(), "tiny");
  absl::StatusOr<DatasetWriter> writer = DatasetWriter::Start(folder, Card(), 2);
  EXPECT_THAT(writer, IsOk());
  writer->AddFiles({{"words.txt", "a b c"}});
  EXPECT_THAT(writer->WriteShard(0, MakeShard(0)), IsOk());
  EXPECT_THAT(writer->WriteShard(1, MakeShard(1)), IsOk());
  EXPECT_THAT(writer->Finish(), IsOk());
  return folder;
}

void Edit(const std::string& path, absl::string_view from, absl::string_view to) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile(path));
  const std::string changed = absl::StrReplaceAll(text, {{from, to}});
  ASSERT_NE(changed, text);
  ALIDADE_ASSERT_OK(WriteFile(path, changed));
}

TEST(RecordsTest, RoundTrip) {
  EXPECT_THAT(ParseInstructionRecord(ToJsonLine(Instruction(1)), "x:1"),
              IsOkAndHolds(Instruction(1)));
  EXPECT_THAT(ParsePreferenceRecord(ToJsonLine(Preference(1)), "x:1"), IsOkAndHolds(Preference(1)));
  EXPECT_THAT(ToJsonLine(Instruction(1)), Not(HasSubstr("\n")));
}

TEST(RecordsTest, EveryMissingUnknownOrMistypedFieldIsNamed) {
  const nlohmann::json good = nlohmann::json::parse(ToJsonLine(Preference(1)));
  for (const auto& [field, value] : good.items()) {
    nlohmann::json record = good;
    record.erase(field);
    EXPECT_THAT(
        ParsePreferenceRecord(record.dump(), "r.jsonl:12"),
        StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr("r.jsonl:12"), HasSubstr(field))));
    record[field] = nlohmann::json::array();
    EXPECT_THAT(
        ParsePreferenceRecord(record.dump(), "r.jsonl:12"),
        StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr("r.jsonl:12"), HasSubstr(field))));
  }
  nlohmann::json record = good;
  record["anotator"] = "x";
  EXPECT_THAT(ParsePreferenceRecord(record.dump(), "r.jsonl:3"),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("r.jsonl:3: anotator"), HasSubstr("'annotator'"))));
}

TEST(RecordsTest, RecordsThatTeachNothingAreErrors) {
  PreferenceRecord record = Preference(1);
  record.rejected = record.chosen;
  EXPECT_THAT(ParsePreferenceRecord(ToJsonLine(record), "r:1"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("rejected")));
  record = Preference(1);
  record.rejected_score = record.chosen_score;
  EXPECT_THAT(ParsePreferenceRecord(ToJsonLine(record), "r:1"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("rejected_score")));
  InstructionRecord instruction = Instruction(1);
  instruction.turns.clear();
  EXPECT_THAT(ParseInstructionRecord(ToJsonLine(instruction), "r:1"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("turns")));
  EXPECT_THAT(ParseInstructionRecord("{\"id\": \"a\",", "r:9"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("r:9")));
  EXPECT_THAT(
      ParseInstructionRecord(
          R"({"id":"a","image":"b","kind":"c","turns":[{"user":"d","assistant":"e","end":1}]})",
          "r:9"),
      StatusIs(absl::StatusCode::kDataLoss,
               HasSubstr("r:9: turns[0].end: expected true or false")));
}

TEST(CardTest, RoundTrip) {
  DatasetCard card = Card();
  card.statistics = {{"oracle.kappa", 0.1}};
  card.inputs = {{"model", "abc"}};
  card.files = {{"records.jsonl", "a"}, {"images.jsonl", "b"}};
  ALIDADE_ASSERT_OK_AND_ASSIGN(const DatasetCard read, ParseCard(FormatCard(card), "dataset.json"));
  EXPECT_EQ(FormatCard(read), FormatCard(card));
  EXPECT_THAT(FormatCardForPeople(card),
              AllOf(HasSubstr("# tiny"), HasSubstr("Four pictures."), HasSubstr("oracle.kappa")));
}

TEST(DatasetFolderTest, GivesBackWhatWasWritten) {
  const std::string folder = Build();
  ALIDADE_ASSERT_OK_AND_ASSIGN(const DatasetFolder dataset, DatasetFolder::Open(folder));
  EXPECT_EQ(dataset.card().num_records, 4);
  EXPECT_EQ(dataset.card().num_images, 4);
  EXPECT_EQ(dataset.card().statistics.at("records"), 4);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<InstructionRecord> records,
                               dataset.InstructionRecords());
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[3], Instruction(3));
  EXPECT_THAT(dataset.LoadImage("images/2.png"), IsOkAndHolds(Picture(2)));
  EXPECT_EQ(dataset.images().at("images/2.png").truth["context"], 2);
  EXPECT_THAT(dataset.LoadFile("words.txt"), IsOkAndHolds("a b c"));
  EXPECT_THAT(dataset.LoadFile("word.txt"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("word.txt")));
  EXPECT_THAT(dataset.LoadImage("images/9.png"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("images/9.png")));
  EXPECT_THAT(dataset.PreferenceRecords(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("expected preferences")));
  EXPECT_FALSE(PathExists(JoinPath(folder, ".parts")));
}

TEST(DatasetFolderTest, AlteredAndTruncatedFilesAreFound) {
  {
    const std::string folder = Build();
    Edit(JoinPath(folder, "records.jsonl"), "\"1\"", "\"2\"");
    EXPECT_THAT(DatasetFolder::Open(folder),
                StatusIs(absl::StatusCode::kDataLoss,
                         AllOf(HasSubstr("records.jsonl"),
                               HasSubstr("expected 4 records with sha256"), HasSubstr("got 4"))));
  }
  {
    const std::string folder = Build();
    const std::string path = JoinPath(folder, "records.jsonl");
    ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile(path));
    ALIDADE_ASSERT_OK(WriteFile(path, text.substr(0, text.size() - 10)));
    EXPECT_THAT(ReadInstructionRecords(folder),
                StatusIs(absl::StatusCode::kDataLoss,
                         AllOf(HasSubstr("truncated"), HasSubstr("records.jsonl:4"))));
  }
  {
    const std::string folder = Build();
    Edit(JoinPath(folder, "images.jsonl"), "images/1.png", "images/0.png");
    EXPECT_THAT(DatasetFolder::Open(folder),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("images.jsonl")));
  }
  {
    const std::string folder = Build();
    Edit(JoinPath(folder, "dataset.json"), "\"seed\"", "\"sead\"");
    EXPECT_THAT(
        DatasetFolder::Open(folder),
        StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr("dataset.json"), HasSubstr("seed"))));
  }
  {
    const std::string folder = Build();
    Edit(JoinPath(folder, "words.txt"), "a", "x");
    ALIDADE_ASSERT_OK_AND_ASSIGN(const DatasetFolder dataset, DatasetFolder::Open(folder));
    EXPECT_THAT(dataset.LoadFile("words.txt"),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("words.txt: altered")));
  }
}

TEST(DatasetFolderTest, AlteredAndTruncatedImagesAreFoundWhenLoaded) {
  const std::string folder = Build();
  const std::string path = JoinPath(folder, "images/1.png");
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string png, ReadFile(path));
  ALIDADE_ASSERT_OK(WriteFile(path, png.substr(0, 30)));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const DatasetFolder dataset, DatasetFolder::Open(folder));
  EXPECT_THAT(
      dataset.LoadImage("images/1.png"),
      StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr(path), HasSubstr("truncated"))));
  // A whole picture, but not the one that the dataset was made of.
  ALIDADE_ASSERT_OK(WriteFile(path, *EncodePng(Picture(77))));
  EXPECT_THAT(
      dataset.LoadImage("images/1.png"),
      StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr(path), HasSubstr("expected sha256"))));
  ALIDADE_ASSERT_OK(RemoveTree(path));
  EXPECT_THAT(dataset.LoadImage("images/1.png"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(path)));
}

TEST(DatasetFolderTest, NotADatasetAndEmptyDatasets) {
  const std::string folder = TempFolder();
  EXPECT_THAT(
      DatasetFolder::Open(folder),
      StatusIs(absl::StatusCode::kNotFound, AllOf(HasSubstr(folder), HasSubstr("dataset.json"))));

  ALIDADE_ASSERT_OK_AND_ASSIGN(DatasetWriter writer, DatasetWriter::Start(folder, Card(), 1));
  Shard shard = MakeShard(0);
  shard.records.clear();
  shard.statistics = {{"ties", 2}};
  ALIDADE_ASSERT_OK(writer.WriteShard(0, shard));
  EXPECT_THAT(writer.Finish(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("empty dataset"), HasSubstr(folder), HasSubstr("ties"))));

  // An empty dataset that somebody else made.
  const std::string built = Build();
  ALIDADE_ASSERT_OK(WriteFile(JoinPath(built, "records.jsonl"), ""));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string card_text,
                               ReadFile(JoinPath(built, "dataset.json")));
  ALIDADE_ASSERT_OK_AND_ASSIGN(DatasetCard card, ParseCard(card_text, "dataset.json"));
  card.num_records = 0;
  card.files["records.jsonl"] = Sha256Hex("");
  ALIDADE_ASSERT_OK(WriteFile(JoinPath(built, "dataset.json"), FormatCard(card)));
  EXPECT_THAT(DatasetFolder::Open(built),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("empty dataset")));
}

TEST(DatasetWriterTest, GoesOnWhereItStoppedAndEndsInTheSameBits) {
  const std::string whole = Build();
  const std::string folder = TempFolder();
  {
    ALIDADE_ASSERT_OK_AND_ASSIGN(DatasetWriter writer, DatasetWriter::Start(folder, Card(), 2));
    writer.AddFiles({{"words.txt", "a b c"}});
    EXPECT_FALSE(writer.HasShard(0));
    ALIDADE_ASSERT_OK(writer.WriteShard(1, MakeShard(1)));
    EXPECT_THAT(writer.Finish(),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("shard 0 is missing")));
  }
  EXPECT_THAT(DatasetFolder::Open(folder),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("not a finished dataset")));
  // What a kill in the middle of a write leaves behind.
  ALIDADE_ASSERT_OK(WriteFile(JoinPath(folder, "records.jsonl.123.tmp"), "half"));
  {
    ALIDADE_ASSERT_OK_AND_ASSIGN(DatasetWriter writer, DatasetWriter::Start(folder, Card(), 2));
    writer.AddFiles({{"words.txt", "a b c"}});
    EXPECT_FALSE(writer.HasShard(0));
    EXPECT_TRUE(writer.HasShard(1));
    ALIDADE_ASSERT_OK(writer.WriteShard(0, MakeShard(0)));
    ALIDADE_ASSERT_OK(writer.Finish());
  }
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string digest, FolderDigest(whole));
  EXPECT_THAT(FolderDigest(folder), IsOkAndHolds(digest));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const DatasetWriter again, DatasetWriter::Start(folder, Card(), 2));
  EXPECT_TRUE(again.finished());
}

TEST(DatasetWriterTest, ADamagedShardIsDoneAgain) {
  const std::string folder = TempFolder();
  {
    ALIDADE_ASSERT_OK_AND_ASSIGN(DatasetWriter writer, DatasetWriter::Start(folder, Card(), 2));
    ALIDADE_ASSERT_OK(writer.WriteShard(0, MakeShard(0)));
    ALIDADE_ASSERT_OK(writer.WriteShard(1, MakeShard(1)));
  }
  ALIDADE_ASSERT_OK(WriteFile(JoinPath(folder, "images/1.png"), "half"));
  Edit(JoinPath(folder, ".parts/shard-000001.jsonl"), "describe", "descripe");
  ALIDADE_ASSERT_OK_AND_ASSIGN(const DatasetWriter writer, DatasetWriter::Start(folder, Card(), 2));
  EXPECT_FALSE(writer.HasShard(0));
  EXPECT_FALSE(writer.HasShard(1));
}

TEST(DatasetWriterTest, RefusesTheFolderOfAnother) {
  const std::string folder = TempFolder();
  {
    ALIDADE_ASSERT_OK_AND_ASSIGN(DatasetWriter writer, DatasetWriter::Start(folder, Card(), 2));
    EXPECT_THAT(DatasetWriter::Start(folder, Card(), 2),
                StatusIs(absl::StatusCode::kFailedPrecondition));
  }
  DatasetCard other = Card();
  other.seed = 8;
  EXPECT_THAT(DatasetWriter::Start(folder, other, 2),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("another dataset"), HasSubstr("seed"),
                             HasSubstr("expected 8"), HasSubstr("got 7"))));
  const std::string built = Build();
  EXPECT_THAT(DatasetWriter::Start(built, other, 2),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("seed")));
  const std::string foreign = TempFolder();
  ALIDADE_ASSERT_OK(WriteFile(JoinPath(foreign, "records.jsonl"), "precious"));
  EXPECT_THAT(DatasetWriter::Start(foreign, Card(), 2),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("records.jsonl")));
  EXPECT_THAT(ReadFile(JoinPath(foreign, "records.jsonl")), IsOkAndHolds("precious"));
  EXPECT_THAT(DatasetWriter::Start("/proc/nowhere", Card(), 2),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/proc/nowhere")));
}

}  // namespace
}  // namespace alidade::datasets
