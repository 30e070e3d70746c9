#include "trainers/stages/conversations/packing.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace alidade::trainers {

absl::StatusOr<Conversation> EncodeConversation(const ModelFolder& model,
                                                absl::Span<const Turn> turns,
                                                const std::string& where) {
  ALIDADE_ASSIGN_OR_RETURN(const EncodedConversation encoded,
                           model.chat_template.Encode(*model.tokenizer, turns), where);
  const models::MllmConfig& config = model.model.config();
  Conversation conversation;
  conversation.ids = encoded.ids;
  int64_t images = 0;
  for (int64_t i = 0; i < static_cast<int64_t>(encoded.ids.size()); ++i) {
    if (encoded.ids[i] == config.image_token_index) {
      conversation.image_index = i;
      ++images;
    }
    if (encoded.scored[i]) conversation.scored.push_back(i);
  }
  if (images != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": expected one image token in the conversation, got ", images));
  }
  if (conversation.scored.front() <= conversation.image_index) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": expected the assistant to speak after the image"));
  }
  const int64_t length = static_cast<int64_t>(encoded.ids.size()) - 1 + config.NumImageTokens();
  if (length > config.text.max_position_embeddings) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": expected at most the ", config.text.max_position_embeddings,
                     " tokens of the model's context (max_position_embeddings), got ", length,
                     " with the image's ", config.NumImageTokens()));
  }
  return conversation;
}

PackedRows PackRows(absl::Span<const Conversation* const> rows, int64_t image_tokens, int64_t pad) {
  const int64_t num_rows = static_cast<int64_t>(rows.size());
  int64_t longest = 0, num_scored = 0;
  for (const Conversation* row : rows) {
    longest = std::max(longest, static_cast<int64_t>(row->ids.size()));
    num_scored += row->num_scored();
  }
  PackedRows packed;
  packed.ids = at::full({num_rows, longest}, pad, at::kLong);
  packed.lengths = at::empty({num_rows}, at::kLong);
  packed.positions = at::empty({num_scored}, at::kLong);
  packed.labels = at::empty({num_scored}, at::kLong);
  packed.offsets = at::zeros({num_rows + 1}, at::kLong);
  int64_t* ids = packed.ids.mutable_data_ptr<int64_t>();
  int64_t* lengths = packed.lengths.mutable_data_ptr<int64_t>();
  int64_t* positions = packed.positions.mutable_data_ptr<int64_t>();
  int64_t* labels = packed.labels.mutable_data_ptr<int64_t>();
  int64_t* offsets = packed.offsets.mutable_data_ptr<int64_t>();
  const int64_t states = longest - 1 + image_tokens;  // per row
  int64_t token = 0;
  for (int64_t b = 0; b < num_rows; ++b) {
    const Conversation& row = *rows[b];
    std::copy(row.ids.begin(), row.ids.end(), ids + b * longest);
    lengths[b] = static_cast<int64_t>(row.ids.size());
    for (const int64_t index : row.scored) {
      // An id right of the image stands at index - 1 + P; the state before it predicts it.
      positions[token] = b * states + index - 2 + image_tokens;
      labels[token] = row.ids[index];
      ++token;
    }
    offsets[b + 1] = token;
  }
  return packed;
}

at::Tensor ScoredHidden(const models::Mllm& model, const PackedRows& rows,
                        const at::Tensor& image_features) {
  const at::Tensor hidden = model.Forward(rows.ids, image_features, rows.lengths);
  return hidden.reshape({-1, hidden.size(-1)}).index_select(0, rows.positions);
}

at::Tensor TokenLogProbs(const at::Tensor& hidden, const at::Tensor& head,
                         const at::Tensor& labels) {
  return at::log_softmax(at::linear(hidden, head), -1).gather(1, labels.unsqueeze(1)).squeeze(1);
}

}  // namespace alidade::trainers
