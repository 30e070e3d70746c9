// How the turns of a conversation about one image become one text, and which of its tokens the
// assistant said.
//
//   begin image  user_prefix USER user_suffix assistant_prefix ASSISTANT assistant_suffix [end]
//   user_prefix USER ...
//
// `end` follows an assistant turn whose `end` is true. ASSISTANT and `end` are scored: they are
// what a loss is about. All pieces are tokenized on their own, so that what is scored never depends
// on its neighbours.
#ifndef ALIDADE_COMMON_TEXT_CHAT_TEMPLATE_H_
#define ALIDADE_COMMON_TEXT_CHAT_TEMPLATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/text/tokenizer.h"

namespace alidade {

struct Turn {
  std::string user;
  std::string assistant;
  bool end = false;  // the assistant ends the text here
};

struct EncodedConversation {
  std::vector<int64_t> ids;
  std::vector<bool> scored;  // per id
};

// Read from and written to chat_template.json beside tokenizer.json.
struct ChatTemplate {
  std::string begin = "<bos>";
  std::string image =
      "<image>";  // one token; the model splices the image's embeddings in its place
  std::string end = "<eos>";
  std::string user_prefix, user_suffix;
  std::string assistant_prefix, assistant_suffix;

  // Errors name file, line, field, expected and got.
  static absl::StatusOr<ChatTemplate> Load(const std::string& path);
  absl::Status Save(const std::string& path) const;

  // A whole conversation. Errors: those of Tokenizer::Encode with the number of the turn; no turns;
  // an empty assistant turn that does not end the text (nothing would be scored).
  absl::StatusOr<EncodedConversation> Encode(const Tokenizer& tokenizer,
                                             absl::Span<const Turn> turns) const;

  // Up to where the assistant speaks: `history`, then the user's next words.
  absl::StatusOr<std::vector<int64_t>> EncodePrompt(const Tokenizer& tokenizer,
                                                    absl::string_view user,
                                                    absl::Span<const Turn> history = {}) const;

  bool operator==(const ChatTemplate&) const = default;
};

}  // namespace alidade

#endif  // ALIDADE_COMMON_TEXT_CHAT_TEMPLATE_H_
