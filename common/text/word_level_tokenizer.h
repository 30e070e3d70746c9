// One token per word. The `tokenizers` library's WordLevel model with the WhitespaceSplit (cut at
// white space) or Whitespace (also between word and other characters) pre-tokenizer, and special
// tokens that are cut out of the text first.
#ifndef ALIDADE_COMMON_TEXT_WORD_LEVEL_TOKENIZER_H_
#define ALIDADE_COMMON_TEXT_WORD_LEVEL_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/json/json_fields.h"
#include "common/text/tokenizer.h"
#include "nlohmann/json.hpp"

namespace alidade {

class WordLevelTokenizer : public Tokenizer {
 public:
  enum class PreTokenizer { kWhitespaceSplit, kWhitespace };

  // Ids count up from 0: first the special tokens, then the words. Errors (invalid argument): a
  // token that occurs twice, is empty or holds white space; an unknown_token that is not among the
  // special ones.
  static absl::StatusOr<std::unique_ptr<WordLevelTokenizer>> Create(
      absl::Span<const std::string> special_tokens, absl::Span<const std::string> words,
      PreTokenizer pre_tokenizer = PreTokenizer::kWhitespaceSplit,
      absl::string_view unknown_token = "");
  // From a parsed tokenizer.json.
  static absl::StatusOr<std::unique_ptr<WordLevelTokenizer>> FromJson(const JsonDocument& document);

  absl::Status Save(const std::string& path) const override;
  absl::StatusOr<std::vector<int64_t>> Encode(absl::string_view text) const override;
  absl::StatusOr<std::string> Decode(absl::Span<const int64_t> ids,
                                     bool skip_special = true) const override;
  absl::StatusOr<int64_t> TokenId(absl::string_view token) const override;
  absl::StatusOr<std::string> Token(int64_t id) const override;
  bool IsSpecial(int64_t id) const override;
  int64_t vocab_size() const override { return static_cast<int64_t>(tokens_.size()); }

 private:
  struct Entry {
    std::string token;  // empty: the id names no token
    bool special = false;
    bool added = false;
  };

  WordLevelTokenizer() = default;
  absl::Status Insert(absl::string_view token, int64_t id, bool special, bool added);
  absl::Status ReadVocabulary(const JsonDocument& document, const nlohmann::json& model);
  absl::Status ReadAddedTokens(const JsonDocument& document, const nlohmann::json& tokens);
  void IndexAddedTokens();
  absl::Status EncodeWords(absl::string_view text, std::vector<int64_t>* ids) const;
  absl::Status EncodeWord(absl::string_view word, std::vector<int64_t>* ids) const;
  std::vector<std::string> TokenNames() const;

  std::vector<Entry> tokens_;  // by id
  absl::flat_hash_map<std::string, int64_t> ids_;
  std::vector<std::string> added_;  // cut out of the text before words are; longest first, so that
                                    // the longest match wins
  PreTokenizer pre_tokenizer_ = PreTokenizer::kWhitespaceSplit;
  std::string unknown_token_;
};

}  // namespace alidade

#endif  // ALIDADE_COMMON_TEXT_WORD_LEVEL_TOKENIZER_H_
