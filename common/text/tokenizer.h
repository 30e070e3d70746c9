// Text <-> token ids, behind one interface, in Hugging Face's tokenizer.json.
//
//   ALIDADE_ASSIGN_OR_RETURN(auto tokenizer, Tokenizer::Load("model/tokenizer.json"));
//   ALIDADE_ASSIGN_OR_RETURN(std::vector<int64_t> ids, tokenizer->Encode("is there disc"));
#ifndef ALIDADE_COMMON_TEXT_TOKENIZER_H_
#define ALIDADE_COMMON_TEXT_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace alidade {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Reads a tokenizer.json; the class follows from its model.type. Errors name file, line, field,
  // expected and got.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Load(const std::string& path);
  virtual absl::Status Save(const std::string& path) const = 0;

  // Special tokens in the text ("<image>") become their ids; nothing is added. Error (invalid
  // argument): a word that is not in the vocabulary, with the nearest one, unless the tokenizer has
  // an unknown token.
  virtual absl::StatusOr<std::vector<int64_t>> Encode(absl::string_view text) const = 0;
  // Error (out of range): an id outside [0, vocab_size) or one that names no token.
  virtual absl::StatusOr<std::string> Decode(absl::Span<const int64_t> ids,
                                             bool skip_special = true) const = 0;

  // Not found: names the nearest token.
  virtual absl::StatusOr<int64_t> TokenId(absl::string_view token) const = 0;
  virtual absl::StatusOr<std::string> Token(int64_t id) const = 0;
  virtual bool IsSpecial(int64_t id) const = 0;
  // One more than the highest id: the rows that an embedding needs.
  virtual int64_t vocab_size() const = 0;
};

}  // namespace alidade

#endif  // ALIDADE_COMMON_TEXT_TOKENIZER_H_
