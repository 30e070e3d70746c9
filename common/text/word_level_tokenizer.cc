#include "common/text/word_level_tokenizer.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/files/files.h"
#include "common/json/json_fields.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"
#include "nlohmann/json.hpp"
#include "re2/re2.h"

namespace alidade {
namespace {

// Ids are rows of an embedding; a larger one is a damaged file and would only exhaust memory.
constexpr int64_t kMaxId = int64_t{1} << 24;
// What Hugging Face writes when no unknown token is wanted: a name that is not in the vocabulary.
constexpr char kNoUnknownToken[] = "<unk>";

// White space and word characters as Unicode (and so the `tokenizers` library) has them.
const RE2& SplitPattern() {
  static const RE2* pattern = new RE2("([^\\s\\x0b\\pZ\\x{85}]+)");
  return *pattern;
}
const RE2& WordPattern() {
  static const RE2* pattern = new RE2(
      "([\\pL\\pM\\p{Nd}\\p{Nl}\\p{Pc}]+|[^\\pL\\pM\\p{Nd}\\p{Nl}\\p{Pc}\\s\\x0b\\pZ\\x{85}]+)");
  return *pattern;
}

bool HoldsWhiteSpace(absl::string_view text) {
  static const RE2* pattern = new RE2("[\\s\\x0b\\pZ\\x{85}]");
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *pattern);
}

std::string IdRange() { return absl::StrCat("an id in [0, ", kMaxId, ")"); }

}  // namespace

absl::Status WordLevelTokenizer::Insert(absl::string_view token, int64_t id, bool special,
                                        bool added) {
  if (token.empty()) return absl::InvalidArgumentError("expected a token, got an empty text");
  const auto known = ids_.find(token);
  if (known != ids_.end() && known->second != id) {
    return absl::InvalidArgumentError(
        absl::StrCat("token '", token, "' has two ids, ", known->second, " and ", id));
  }
  if (id >= static_cast<int64_t>(tokens_.size())) tokens_.resize(id + 1);
  Entry& entry = tokens_[id];
  if (!entry.token.empty() && entry.token != token) {
    return absl::InvalidArgumentError(
        absl::StrCat("id ", id, " has two tokens, '", entry.token, "' and '", token, "'"));
  }
  entry.token = std::string(token);
  entry.special |= special;
  entry.added |= added;
  ids_.emplace(token, id);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<WordLevelTokenizer>> WordLevelTokenizer::Create(
    absl::Span<const std::string> special_tokens, absl::Span<const std::string> words,
    PreTokenizer pre_tokenizer, absl::string_view unknown_token) {
  auto tokenizer = absl::WrapUnique(new WordLevelTokenizer());
  tokenizer->pre_tokenizer_ = pre_tokenizer;
  tokenizer->unknown_token_ = std::string(unknown_token);
  int64_t id = 0;
  for (const absl::Span<const std::string> tokens : {special_tokens, words}) {
    const bool special = id < static_cast<int64_t>(special_tokens.size());
    for (const std::string& token : tokens) {
      if (HoldsWhiteSpace(token)) {
        return absl::InvalidArgumentError(
            absl::StrCat("token ", id, ": expected no white space, got '", token, "'"));
      }
      ALIDADE_RETURN_IF_ERROR(tokenizer->Insert(token, id, special, special));
      ++id;
    }
  }
  if (!unknown_token.empty()) {
    const auto found = std::find(special_tokens.begin(), special_tokens.end(), unknown_token);
    if (found == special_tokens.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "unknown_token: expected one of the special tokens, got '", unknown_token, "'"));
    }
  }
  tokenizer->IndexAddedTokens();
  return tokenizer;
}

void WordLevelTokenizer::IndexAddedTokens() {
  added_.clear();
  for (const Entry& entry : tokens_) {
    if (entry.added) added_.push_back(entry.token);
  }
  std::sort(added_.begin(), added_.end(), [](const std::string& a, const std::string& b) {
    return std::make_pair(b.size(), a) < std::make_pair(a.size(), b);
  });
}

namespace {

// The pre-tokenizer's name, after checking every other stage that is not implemented.
absl::Status ReadStages(JsonFields& fields, const JsonDocument& document,
                        WordLevelTokenizer::PreTokenizer* pre_tokenizer) {
  std::string version = "1.0";
  fields.OneOf("version", &version, {"1.0"});
  fields.MustBe("truncation", nullptr);
  fields.MustBe("padding", nullptr);
  fields.MustBe("normalizer", nullptr);
  fields.MustBe("post_processor", nullptr);
  fields.MustBe("decoder", nullptr);
  const nlohmann::json* stage = fields.RequiredObject("pre_tokenizer");
  if (stage == nullptr) return fields.Finish();
  JsonFields of_stage(document, *stage, "pre_tokenizer");
  std::string type;
  of_stage.Required("type", &type);
  of_stage.OneOf("type", &type, {"Whitespace", "WhitespaceSplit"});
  *pre_tokenizer = type == "Whitespace" ? WordLevelTokenizer::PreTokenizer::kWhitespace
                                        : WordLevelTokenizer::PreTokenizer::kWhitespaceSplit;
  return of_stage.Finish();
}

}  // namespace

absl::Status WordLevelTokenizer::ReadVocabulary(const JsonDocument& document,
                                                const nlohmann::json& model) {
  JsonFields fields(document, model, "model");
  std::string type;
  fields.Required("type", &type);
  fields.OneOf("type", &type, {"WordLevel"});
  std::string unknown = kNoUnknownToken;
  fields.Optional("unk_token", &unknown);
  const nlohmann::json* vocabulary = fields.RequiredObject("vocab");
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  for (const auto& member : vocabulary->items()) {
    const std::string where = document.Where(absl::StrCat("model.vocab.", member.key()));
    if (!member.value().is_number_unsigned() || member.value().get<uint64_t>() >= kMaxId) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": expected ", IdRange(), ", got ", JsonForMessage(member.value())));
    }
    ALIDADE_RETURN_IF_ERROR(Insert(member.key(), member.value().get<int64_t>(), false, false),
                            where);
  }
  if (ids_.contains(unknown)) unknown_token_ = unknown;
  return absl::OkStatus();
}

absl::Status WordLevelTokenizer::ReadAddedTokens(const JsonDocument& document,
                                                 const nlohmann::json& tokens) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string path = absl::StrCat("added_tokens[", i, "]");
    JsonFields fields(document, tokens[i], path);
    std::string content;
    int64_t id = 0;
    bool special = false;
    fields.Required("content", &content);
    fields.Required("id", &id);
    fields.Expect(id >= 0 && id < kMaxId, "id", IdRange());
    fields.Optional("special", &special);
    fields.MustBe("single_word", false);
    fields.MustBe("lstrip", false);
    fields.MustBe("rstrip", false);
    // Without a normaliser it makes no difference.
    fields.Ignore("normalized");
    ALIDADE_RETURN_IF_ERROR(fields.Finish());
    ALIDADE_RETURN_IF_ERROR(Insert(content, id, special, true), document.Where(path));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<WordLevelTokenizer>> WordLevelTokenizer::FromJson(
    const JsonDocument& document) {
  auto tokenizer = absl::WrapUnique(new WordLevelTokenizer());
  JsonFields fields(document);
  // The model first: what else a file must hold depends on it.
  const nlohmann::json* model = fields.RequiredObject("model");
  if (model == nullptr) return fields.Finish();
  ALIDADE_RETURN_IF_ERROR(tokenizer->ReadVocabulary(document, *model));
  ALIDADE_RETURN_IF_ERROR(ReadStages(fields, document, &tokenizer->pre_tokenizer_));
  const nlohmann::json* added = fields.RequiredArray("added_tokens");
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  ALIDADE_RETURN_IF_ERROR(tokenizer->ReadAddedTokens(document, *added));
  tokenizer->IndexAddedTokens();
  return tokenizer;
}

absl::Status WordLevelTokenizer::Save(const std::string& path) const {
  using nlohmann::ordered_json;
  ordered_json added = ordered_json::array();
  ordered_json vocabulary = ordered_json::object();
  for (size_t id = 0; id < tokens_.size(); ++id) {
    const Entry& entry = tokens_[id];
    if (entry.token.empty()) continue;
    vocabulary[entry.token] = id;
    if (!entry.added) continue;
    added.push_back({{"id", id},
                     {"content", entry.token},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", entry.special}});
  }
  const char* pre_tokenizer =
      pre_tokenizer_ == PreTokenizer::kWhitespace ? "Whitespace" : "WhitespaceSplit";
  const ordered_json document = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer", nullptr},
      {"pre_tokenizer", {{"type", pre_tokenizer}}},
      {"post_processor", nullptr},
      {"decoder", nullptr},
      {"model",
       {{"type", "WordLevel"},
        {"vocab", vocabulary},
        {"unk_token", unknown_token_.empty() ? std::string(kNoUnknownToken) : unknown_token_}}},
  };
  return WriteFile(path, document.dump(2, ' ', /*ensure_ascii=*/false,
                                       nlohmann::json::error_handler_t::replace) +
                             "\n");
}

absl::StatusOr<std::vector<int64_t>> WordLevelTokenizer::Encode(absl::string_view text) const {
  std::vector<int64_t> ids;
  while (!text.empty()) {
    // The leftmost added token, of those that begin there the longest.
    size_t begin = absl::string_view::npos;
    const std::string* token = nullptr;
    for (const std::string& candidate : added_) {
      const size_t at = text.find(candidate);
      if (at != absl::string_view::npos && (token == nullptr || at < begin)) {
        begin = at;
        token = &candidate;
      }
    }
    ALIDADE_RETURN_IF_ERROR(EncodeWords(text.substr(0, begin), &ids));
    if (token == nullptr) break;
    ids.push_back(ids_.at(*token));
    text.remove_prefix(begin + token->size());
  }
  return ids;
}

absl::Status WordLevelTokenizer::EncodeWords(absl::string_view text,
                                             std::vector<int64_t>* ids) const {
  const RE2& pattern = pre_tokenizer_ == PreTokenizer::kWhitespace ? WordPattern() : SplitPattern();
  re2::StringPiece rest(text.data(), text.size());
  re2::StringPiece word;
  while (RE2::FindAndConsume(&rest, pattern, &word)) {
    ALIDADE_RETURN_IF_ERROR(EncodeWord(absl::string_view(word.data(), word.size()), ids));
  }
  return absl::OkStatus();
}

absl::Status WordLevelTokenizer::EncodeWord(absl::string_view word,
                                            std::vector<int64_t>* ids) const {
  auto found = ids_.find(word);
  if (found == ids_.end() && !unknown_token_.empty()) found = ids_.find(unknown_token_);
  if (found == ids_.end()) {
    const std::string nearest = NearestName(word, TokenNames());
    return absl::InvalidArgumentError(
        absl::StrCat("'", word, "' is not in the vocabulary of ", ids_.size(), " tokens",
                     nearest.empty() ? "" : absl::StrCat("; did you mean '", nearest, "'?")));
  }
  ids->push_back(found->second);
  return absl::OkStatus();
}

absl::StatusOr<std::string> WordLevelTokenizer::Decode(absl::Span<const int64_t> ids,
                                                       bool skip_special) const {
  std::vector<absl::string_view> words;
  for (size_t i = 0; i < ids.size(); ++i) {
    const int64_t id = ids[i];
    if (id < 0 || id >= vocab_size() || tokens_[id].token.empty()) {
      return absl::OutOfRangeError(absl::StrCat("id ", id, " at position ", i,
                                                ": expected the id of one of ", ids_.size(),
                                                " tokens below ", vocab_size()));
    }
    if (!(skip_special && tokens_[id].special)) words.push_back(tokens_[id].token);
  }
  return absl::StrJoin(words, " ");
}

absl::StatusOr<int64_t> WordLevelTokenizer::TokenId(absl::string_view token) const {
  const auto found = ids_.find(token);
  if (found != ids_.end()) return found->second;
  const std::string nearest = NearestName(token, TokenNames());
  return absl::NotFoundError(
      absl::StrCat("no token '", token, "'",
                   nearest.empty() ? "" : absl::StrCat("; did you mean '", nearest, "'?")));
}

absl::StatusOr<std::string> WordLevelTokenizer::Token(int64_t id) const {
  if (id >= 0 && id < vocab_size() && !tokens_[id].token.empty()) return tokens_[id].token;
  return absl::OutOfRangeError(
      absl::StrCat("expected the id of a token below ", vocab_size(), ", got ", id));
}

bool WordLevelTokenizer::IsSpecial(int64_t id) const {
  return id >= 0 && id < vocab_size() && tokens_[id].special;
}

std::vector<std::string> WordLevelTokenizer::TokenNames() const {
  std::vector<std::string> names;
  for (const Entry& entry : tokens_) {
    if (!entry.token.empty()) names.push_back(entry.token);
  }
  return names;
}

}  // namespace alidade
