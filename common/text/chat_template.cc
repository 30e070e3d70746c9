#include "common/text/chat_template.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/files/files.h"
#include "common/json/json_fields.h"
#include "common/status/status.h"
#include "common/text/tokenizer.h"
#include "nlohmann/json.hpp"

namespace alidade {
namespace {

absl::Status Append(const Tokenizer& tokenizer, absl::string_view text, bool scored,
                    EncodedConversation* encoded) {
  if (text.empty()) return absl::OkStatus();
  ALIDADE_ASSIGN_OR_RETURN(const std::vector<int64_t> ids, tokenizer.Encode(text));
  encoded->ids.insert(encoded->ids.end(), ids.begin(), ids.end());
  encoded->scored.insert(encoded->scored.end(), ids.size(), scored);
  return absl::OkStatus();
}

absl::Status AppendBeginning(const ChatTemplate& chat, const Tokenizer& tokenizer,
                             EncodedConversation* encoded) {
  ALIDADE_RETURN_IF_ERROR(Append(tokenizer, chat.begin, false, encoded), "chat template: begin");
  ALIDADE_RETURN_IF_ERROR(Append(tokenizer, chat.image, false, encoded), "chat template: image");
  return absl::OkStatus();
}

// The user's words and what stands before the assistant's.
absl::Status AppendUser(const ChatTemplate& chat, const Tokenizer& tokenizer,
                        absl::string_view user, EncodedConversation* encoded) {
  ALIDADE_RETURN_IF_ERROR(Append(tokenizer, chat.user_prefix, false, encoded),
                          "chat template: user_prefix");
  ALIDADE_RETURN_IF_ERROR(Append(tokenizer, user, false, encoded), "user");
  ALIDADE_RETURN_IF_ERROR(Append(tokenizer, chat.user_suffix, false, encoded),
                          "chat template: user_suffix");
  ALIDADE_RETURN_IF_ERROR(Append(tokenizer, chat.assistant_prefix, false, encoded),
                          "chat template: assistant_prefix");
  return absl::OkStatus();
}

absl::Status AppendTurn(const ChatTemplate& chat, const Tokenizer& tokenizer, const Turn& turn,
                        EncodedConversation* encoded) {
  ALIDADE_RETURN_IF_ERROR(AppendUser(chat, tokenizer, turn.user, encoded));
  const size_t before = encoded->ids.size();
  ALIDADE_RETURN_IF_ERROR(Append(tokenizer, turn.assistant, true, encoded), "assistant");
  if (encoded->ids.size() == before && !turn.end) {
    return absl::InvalidArgumentError(
        "assistant: expected a word or the end of the text, got neither");
  }
  ALIDADE_RETURN_IF_ERROR(Append(tokenizer, chat.assistant_suffix, false, encoded),
                          "chat template: assistant_suffix");
  if (!turn.end) return absl::OkStatus();
  ALIDADE_RETURN_IF_ERROR(Append(tokenizer, chat.end, true, encoded), "chat template: end");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EncodedConversation> ChatTemplate::Encode(const Tokenizer& tokenizer,
                                                         absl::Span<const Turn> turns) const {
  if (turns.empty()) return absl::InvalidArgumentError("turns: expected at least one, got none");
  EncodedConversation encoded;
  ALIDADE_RETURN_IF_ERROR(AppendBeginning(*this, tokenizer, &encoded));
  for (size_t i = 0; i < turns.size(); ++i) {
    ALIDADE_RETURN_IF_ERROR(AppendTurn(*this, tokenizer, turns[i], &encoded), "turns[", i, "]");
  }
  return encoded;
}

absl::StatusOr<std::vector<int64_t>> ChatTemplate::EncodePrompt(
    const Tokenizer& tokenizer, absl::string_view user, absl::Span<const Turn> history) const {
  EncodedConversation encoded;
  ALIDADE_RETURN_IF_ERROR(AppendBeginning(*this, tokenizer, &encoded));
  for (size_t i = 0; i < history.size(); ++i) {
    ALIDADE_RETURN_IF_ERROR(AppendTurn(*this, tokenizer, history[i], &encoded), "turns[", i, "]");
  }
  ALIDADE_RETURN_IF_ERROR(AppendUser(*this, tokenizer, user, &encoded), "prompt");
  return encoded.ids;
}

absl::StatusOr<ChatTemplate> ChatTemplate::Load(const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ALIDADE_ASSIGN_OR_RETURN(const JsonDocument document, ParseJson(text, path));
  ChatTemplate chat;
  JsonFields fields(document);
  fields.Required("begin", &chat.begin);
  fields.Required("image", &chat.image);
  fields.Expect(!chat.image.empty(), "image", "the image token");
  fields.Required("end", &chat.end);
  fields.Expect(!chat.end.empty(), "end", "the end token");
  fields.Required("user_prefix", &chat.user_prefix);
  fields.Required("user_suffix", &chat.user_suffix);
  fields.Required("assistant_prefix", &chat.assistant_prefix);
  fields.Required("assistant_suffix", &chat.assistant_suffix);
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  return chat;
}

absl::Status ChatTemplate::Save(const std::string& path) const {
  const nlohmann::ordered_json document = {
      {"begin", begin},
      {"image", image},
      {"user_prefix", user_prefix},
      {"user_suffix", user_suffix},
      {"assistant_prefix", assistant_prefix},
      {"assistant_suffix", assistant_suffix},
      {"end", end},
  };
  return WriteFile(path, document.dump(2, ' ', /*ensure_ascii=*/false,
                                       nlohmann::json::error_handler_t::replace) +
                             "\n");
}

}  // namespace alidade
