// From conversations to what a model computes on, and to the hidden states that predict scored
// tokens.
//
// Legend: B rows, T ids of the longest row, P embeddings per image, M scored tokens of all rows, H
// width.
#ifndef ALIDADE_TRAINERS_STAGES_CONVERSATIONS_PACKING_H_
#define ALIDADE_TRAINERS_STAGES_CONVERSATIONS_PACKING_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/models/mllm.h"
#include "common/text/chat_template.h"
#include "trainers/stages/conversations/model_folder.h"

namespace alidade::trainers {

// One conversation about one image, tokenized.
struct Conversation {
  std::vector<int64_t> ids;
  std::vector<int64_t> scored;  // indices into ids, rising, each >= 1
  int64_t image_index = 0;      // where the image token stands in ids

  int64_t num_scored() const { return static_cast<int64_t>(scored.size()); }
};

// Errors (invalid argument) begin with `where`: those of the template; a conversation longer than
// the model's context, with both lengths.
absl::StatusOr<Conversation> EncodeConversation(const ModelFolder& model,
                                                absl::Span<const Turn> turns,
                                                const std::string& where);

// Rows of one forward pass.
struct PackedRows {
  at::Tensor ids;        // [B, T] i64, right padded
  at::Tensor lengths;    // [B] i64
  at::Tensor positions;  // [M] i64: rows of the hidden states [B * (T - 1 + P), H], each of which
                         // predicts a scored token
  at::Tensor labels;     // [M] i64: these tokens
  at::Tensor offsets;    // [B + 1] i64: scored tokens of row b are [offsets[b], offsets[b + 1])
};

// `rows` are not empty. `pad` fills up the ids.
PackedRows PackRows(absl::Span<const Conversation* const> rows, int64_t image_tokens, int64_t pad);

// Hidden states [M, H] that predict the scored tokens; image_features [B, P, H].
at::Tensor ScoredHidden(const models::Mllm& model, const PackedRows& rows,
                        const at::Tensor& image_features);

// Natural-log probabilities [M] of the scored tokens, from hidden [M, H] and head [V, H].
at::Tensor TokenLogProbs(const at::Tensor& hidden, const at::Tensor& head,
                         const at::Tensor& labels);

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_STAGES_CONVERSATIONS_PACKING_H_
