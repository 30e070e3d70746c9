// Text from a model, in batches, with a KV cache.
#ifndef ALIDADE_COMMON_MODELS_GENERATION_H_
#define ALIDADE_COMMON_MODELS_GENERATION_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ATen/core/Tensor.h"
#include "common/models/mllm.h"
#include "common/provenance/random_stream.h"

namespace alidade::models {

struct GenerationConfig {
  int64_t max_new_tokens = 64;  // >= 1
  double temperature = 0;       // >= 0; 0: greedy
  double top_p =
      1;  // (0, 1]: sample from the smallest set of tokens with at least this probability
};

struct Generation {
  std::vector<int64_t> tokens;  // without the end token
  bool ended = false;  // the model said its end token (text.eos_token_id) within max_new_tokens
};

// Continues every prompt; image_features [N, P, H], row i for prompt i; undefined: no prompt may
// hold an image token. A row stops at its end token. Each row samples from its own stream, drawn
// from `random` in row order: what a row says does not depend on how long the others speak. Errors
// (invalid argument) name the row: an empty prompt, ids outside the vocabulary, image tokens not
// one per prompt, prompt and max_new_tokens together longer than max_position_embeddings.
absl::StatusOr<std::vector<Generation>> Generate(const Mllm& model,
                                                 const std::vector<std::vector<int64_t>>& prompts,
                                                 const at::Tensor& image_features,
                                                 const GenerationConfig& config,
                                                 RandomStream& random);

}  // namespace alidade::models

#endif  // ALIDADE_COMMON_MODELS_GENERATION_H_
