#ifndef ALIDADE_DATASETS_RESPONDERS_MODEL_RESPONDER_H_
#define ALIDADE_DATASETS_RESPONDERS_MODEL_RESPONDER_H_

// A multimodal language model that answers prompts about images.

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "datasets/schema/factors.h"

namespace alidade::datasets {

// Loads a model folder (config.json, model.safetensors, tokenizer.json, chat_template.json, preprocessor_config.json).
// Prompts are answered in batches of fixed size in the given order, every batch with its own random stream named after
// options.stream and its first prompt; the image features of recent images are kept. `name` is what name() returns.
// Errors: those of loading the model; a model whose vocabulary is smaller than its tokenizer's.
absl::StatusOr<std::unique_ptr<Responder>> LoadModelResponder(const std::string& folder, const std::string& name = "model");

}  // namespace alidade::datasets

#endif  // ALIDADE_DATASETS_RESPONDERS_MODEL_RESPONDER_H_
