// Named configurations.
#ifndef ALIDADE_COMMON_MODELS_PRESETS_H_
#define ALIDADE_COMMON_MODELS_PRESETS_H_

#include "absl/status/statusor.h"
#include "common/models/config.h"
#include "common/text/tokenizer.h"

namespace alidade::models {

// The model of the embedded world, about 196,000 parameters: 24 x 24 pixels in patches of 8, two
// vision blocks and three decoder blocks, all of width 64 with 4 heads; MLP connector; untied head.
// vocab_size and special tokens follow from the tokenizer. Error (not found): one of <pad> <bos>
// <eos> <image> is missing.
absl::StatusOr<MllmConfig> TinyWorldConfig(const Tokenizer& tokenizer);

// The same for a vocabulary of 54 words after the special tokens <pad> <bos> <eos> <image> = 0..3.
MllmConfig TinyWorldConfig();

}  // namespace alidade::models

#endif  // ALIDADE_COMMON_MODELS_PRESETS_H_
