#ifndef ALIDADE_DATASETS_RESPONDERS_MODEL_RESPONDER_H_
#define ALIDADE_DATASETS_RESPONDERS_MODEL_RESPONDER_H_

// A multimodal language model that answers prompts about images.

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "datasets/schema/factors.h"

namespace alidade::datasets {

// Loads a model folder (config.json, model.safetensors, tokenizer.json, chat_template.json,
// preprocessor_config.json). Prompts are answered in the given order, in batches of fixed size
// (prompts with another max_new_tokens in batches of their own); every batch has its own random
// stream, named after options.stream and the batch's first prompt. An image that several prompts of
// a batch share is encoded once. `name` is what name() returns. Errors: those of loading the model;
// a tokenizer with more tokens than the model.
absl::StatusOr<std::unique_ptr<Responder>> LoadModelResponder(const std::string& folder,
                                                              const std::string& name = "model");

}  // namespace alidade::datasets

#endif  // ALIDADE_DATASETS_RESPONDERS_MODEL_RESPONDER_H_
