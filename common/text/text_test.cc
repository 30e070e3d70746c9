#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/files/files.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "common/text/chat_template.h"
#include "common/text/tokenizer.h"
#include "common/text/word_level_tokenizer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<std::string>& Special() {
  static const auto* tokens = new std::vector<std::string>{"<pad>", "<bos>", "<eos>", "<image>"};
  return *tokens;
}

std::unique_ptr<WordLevelTokenizer> MakeTokenizer() {
  auto tokenizer = WordLevelTokenizer::Create(
      Special(), {"is", "there", "disc", "yes", "no", "describe", ":", "."});
  EXPECT_THAT(tokenizer, IsOk());
  return std::move(tokenizer).value();
}

// What `tokenizers` 0.23.3 (Python) saves for a WordLevel model over these tokens; PRE and UNK are
// replaced.
constexpr char kReferenceFile[] = R"({
  "version": "1.0",
  "truncation": null,
  "padding": null,
  "added_tokens": [
    {"id": 0, "content": "<pad>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
    {"id": 1, "content": "<bos>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
    {"id": 2, "content": "<eos>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
    {"id": 3, "content": "<image>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}
  ],
  "normalizer": null,
  "pre_tokenizer": {
    "type": "PRE"
  },
  "post_processor": null,
  "decoder": null,
  "model": {
    "type": "WordLevel",
    "vocab": {
      "<pad>": 0, "<bos>": 1, "<eos>": 2, "<image>": 3, "<unk>": 4, "is": 5, "there": 6, "disc": 7, ",": 8, "don": 9,
      "'": 10, "t": 11, "x_1": 12, "!?": 13, "caf\u00e9": 14, "how-many": 15, "disc,": 16
    },
    "unk_token": "UNK"
  }
})";

std::string ReferenceFile(const std::string& pre_tokenizer, const std::string& unknown) {
  return absl::StrReplaceAll(kReferenceFile, {{"PRE", pre_tokenizer}, {"UNK", unknown}});
}

class TokenizerFileTest : public ::testing::Test {
 protected:
  void SetUp() override { path_ = JoinPath(TempFolder(), "tokenizer.json"); }

  absl::StatusOr<std::unique_ptr<Tokenizer>> LoadText(const std::string& text) {
    EXPECT_THAT(WriteFile(path_, text), IsOk());
    return Tokenizer::Load(path_);
  }
  // The error of the reference file after a replacement; it always names the file.
  std::string ErrorAfter(const std::string& from, const std::string& to) {
    const std::string original = ReferenceFile("WhitespaceSplit", "<unk>");
    const std::string text = absl::StrReplaceAll(original, {{from, to}});
    EXPECT_NE(text, original) << from;
    const auto tokenizer = LoadText(text);
    EXPECT_FALSE(tokenizer.ok());
    EXPECT_THAT(tokenizer.status().message(), HasSubstr(path_));
    return std::string(tokenizer.status().message());
  }

  std::string path_;
};

// The ids are those of `tokenizers` 0.23.3 (Python) for the same file and text.
TEST_F(TokenizerFileTest, AgreesWithTheReferenceLibrary) {
  const std::string text =
      "<bos> <image>is there\u00a0disc, don't x_1!? caf\u00e9 how-many ring<eos>";
  ALIDADE_ASSERT_OK_AND_ASSIGN(auto split, LoadText(ReferenceFile("WhitespaceSplit", "<unk>")));
  EXPECT_THAT(split->Encode(text), IsOkAndHolds(ElementsAre(1, 3, 5, 6, 16, 4, 4, 14, 15, 4, 2)));
  ALIDADE_ASSERT_OK_AND_ASSIGN(auto words, LoadText(ReferenceFile("Whitespace", "<unk>")));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> ids, words->Encode(text));
  EXPECT_THAT(ids, ElementsAre(1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 4, 4, 4, 4, 2));
  EXPECT_THAT(words->Decode(ids),
              IsOkAndHolds("is there disc , don ' t x_1 !? caf\u00e9 <unk> <unk> <unk> <unk>"));
  EXPECT_THAT(
      words->Decode(ids, /*skip_special=*/false),
      IsOkAndHolds(
          "<bos> <image> is there disc , don ' t x_1 !? caf\u00e9 <unk> <unk> <unk> <unk> <eos>"));
  EXPECT_EQ(words->vocab_size(), 17);
}

TEST_F(TokenizerFileTest, RoundTrip) {
  const auto tokenizer = MakeTokenizer();
  ALIDADE_ASSERT_OK(tokenizer->Save(path_));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string saved, ReadFile(path_));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto loaded, Tokenizer::Load(path_));
  ASSERT_EQ(loaded->vocab_size(), tokenizer->vocab_size());
  for (int64_t id = 0; id < tokenizer->vocab_size(); ++id) {
    EXPECT_EQ(*loaded->Token(id), *tokenizer->Token(id));
    EXPECT_EQ(loaded->IsSpecial(id), tokenizer->IsSpecial(id)) << id;
    EXPECT_EQ(loaded->IsSpecial(id), id < 4) << id;
  }
  ALIDADE_ASSERT_OK(loaded->Save(path_));
  EXPECT_THAT(ReadFile(path_), IsOkAndHolds(saved));
}

TEST_F(TokenizerFileTest, DamagedFiles) {
  EXPECT_THAT(Tokenizer::Load(path_), StatusIs(absl::StatusCode::kNotFound, HasSubstr(path_)));
  EXPECT_THAT(
      LoadText(ReferenceFile("WhitespaceSplit", "<unk>").substr(0, 700)),
      StatusIs(absl::StatusCode::kDataLoss, HasSubstr("tokenizer.json:15:17: syntax error")));
  EXPECT_THAT(ErrorAfter("\"WordLevel\"", "\"BPE\""),
              HasSubstr("model.type: expected one of WordLevel; got \"BPE\""));
  EXPECT_THAT(ErrorAfter("\"WhitespaceSplit\"", "\"ByteLevel\""),
              HasSubstr(":13: pre_tokenizer.type: expected one of"));
  EXPECT_THAT(ErrorAfter("\"is\": 5", "\"is\": \"5\""),
              HasSubstr(":20: model.vocab.is: expected an id in [0, 16777216), got \"5\""));
  EXPECT_THAT(ErrorAfter("\"is\": 5", "\"is\": -5"), HasSubstr("got -5"));
  EXPECT_THAT(ErrorAfter("\"is\": 5", "\"is\": 6"), HasSubstr("id 6 has two tokens"));
  EXPECT_THAT(ErrorAfter("\"is\": 5", "\"there\": 5"), HasSubstr("'there' occurs twice"));
  EXPECT_THAT(ErrorAfter("\"normalizer\": null", "\"normalizer\": {\"type\": \"NFC\"}"),
              HasSubstr("normalizer: expected null"));
  EXPECT_THAT(ErrorAfter("\"id\": 3, ", ""),
              HasSubstr(":9: added_tokens[3]: id: expected an integer, got no such field"));
  EXPECT_THAT(ErrorAfter("\"id\": 3", "\"id\": 9"),
              HasSubstr("token '<image>' has two ids, 3 and 9"));
  EXPECT_THAT(ErrorAfter("\"truncation\"", "\"truncaton\""),
              HasSubstr("did you mean 'truncation'?"));
  EXPECT_THAT(ErrorAfter("\"lstrip\": false", "\"lstrip\": true"),
              HasSubstr("added_tokens[0].lstrip: expected false"));
}

TEST(WordLevelTokenizerTest, AnUnknownWordNamesTheNearest) {
  const auto tokenizer = MakeTokenizer();
  EXPECT_THAT(tokenizer->Encode("is there dsc"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "'dsc' is not in the vocabulary of 12 tokens; did you mean 'disc'?"));
  EXPECT_THAT(tokenizer->TokenId("<imag>"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("did you mean '<image>'?")));
  EXPECT_THAT(tokenizer->Decode({5, 12}),
              StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("id 12 at position 1")));
  EXPECT_THAT(tokenizer->Decode({-1}), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(tokenizer->Token(99), StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("got 99")));
}

TEST(WordLevelTokenizerTest, RefusesVocabulariesThatCannotBeRead) {
  EXPECT_THAT(WordLevelTokenizer::Create({}, {"a", "a"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("two ids")));
  EXPECT_THAT(WordLevelTokenizer::Create({}, {"a", ""}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("empty")));
  EXPECT_THAT(WordLevelTokenizer::Create({}, {"a b"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("white space")));
  EXPECT_THAT(WordLevelTokenizer::Create(
                  {}, {"a"}, WordLevelTokenizer::PreTokenizer::kWhitespaceSplit, "<unk>"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("unknown_token")));
}

TEST(ChatTemplateTest, MarksWhatTheAssistantSays) {
  const auto tokenizer = MakeTokenizer();
  const ChatTemplate chat;
  ALIDADE_ASSERT_OK_AND_ASSIGN(
      const EncodedConversation answers,
      chat.Encode(*tokenizer, {{"is there disc", "yes", false}, {"is there no", "no", false}}));
  EXPECT_THAT(tokenizer->Decode(answers.ids, false),
              IsOkAndHolds("<bos> <image> is there disc yes is there no no"));
  EXPECT_THAT(answers.scored,
              ElementsAre(false, false, false, false, false, true, false, false, false, true));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const EncodedConversation caption,
                               chat.Encode(*tokenizer, {{"describe :", "disc .", true}}));
  EXPECT_THAT(tokenizer->Decode(caption.ids, false),
              IsOkAndHolds("<bos> <image> describe : disc . <eos>"));
  EXPECT_THAT(caption.scored, ElementsAre(false, false, false, false, true, true, true));
}

TEST(ChatTemplateTest, APromptIsThePartOfAConversationBeforeTheAssistant) {
  const auto tokenizer = MakeTokenizer();
  ChatTemplate chat;
  chat.user_prefix = "is";
  chat.assistant_prefix = ":";
  chat.assistant_suffix = ".";
  const std::vector<Turn> turns = {{"there", "yes", false}, {"disc", "no", true}};
  ALIDADE_ASSERT_OK_AND_ASSIGN(const EncodedConversation whole, chat.Encode(*tokenizer, turns));
  EXPECT_THAT(tokenizer->Decode(whole.ids, false),
              IsOkAndHolds("<bos> <image> is there : yes . is disc : no . <eos>"));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> prompt,
                               chat.EncodePrompt(*tokenizer, "disc", {turns[0]}));
  ASSERT_EQ(prompt.size(), whole.ids.size() - 3);
  EXPECT_TRUE(std::equal(prompt.begin(), prompt.end(), whole.ids.begin()));
}

TEST(ChatTemplateTest, ErrorsNameTheTurn) {
  const auto tokenizer = MakeTokenizer();
  const ChatTemplate chat;
  EXPECT_THAT(chat.Encode(*tokenizer, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected at least one")));
  EXPECT_THAT(chat.Encode(*tokenizer, {{"is", "yes", false}, {"is", "yess", false}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("turns[1]: assistant: 'yess'"), HasSubstr("'yes'"))));
  EXPECT_THAT(chat.Encode(*tokenizer, {{"is", "", false}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("turns[0]: assistant: expected a word")));
  ChatTemplate wrong;
  wrong.image = "<img>";
  EXPECT_THAT(
      wrong.EncodePrompt(*tokenizer, "is"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("chat template: image: '<img>'")));
}

TEST(ChatTemplateTest, RoundTripAndDamagedFiles) {
  const std::string path = JoinPath(TempFolder(), "chat_template.json");
  ChatTemplate chat;
  chat.user_prefix = "USER: ";
  chat.assistant_prefix = "ASSISTANT: ";
  ALIDADE_ASSERT_OK(chat.Save(path));
  EXPECT_THAT(ChatTemplate::Load(path), IsOkAndHolds(chat));
  ALIDADE_ASSERT_OK(WriteFile(path, "{\n \"begin\": 3}"));
  EXPECT_THAT(ChatTemplate::Load(path),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("chat_template.json:2: begin: expected a string, got 3")));
  ALIDADE_ASSERT_OK(WriteFile(path, "{\"begin\": \"<bos>\"}"));
  EXPECT_THAT(ChatTemplate::Load(path),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("image: expected a string")));
}

}  // namespace
}  // namespace alidade
