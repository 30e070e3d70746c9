// A model with all that stands beside its weights.
#ifndef ALIDADE_TRAINERS_STAGES_CONVERSATIONS_MODEL_FOLDER_H_
#define ALIDADE_TRAINERS_STAGES_CONVERSATIONS_MODEL_FOLDER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/media/preprocessor.h"
#include "common/models/mllm.h"
#include "common/text/chat_template.h"
#include "common/text/tokenizer.h"

namespace alidade::trainers {

// config.json, model.safetensors, tokenizer.json, chat_template.json, preprocessor_config.json.
struct ModelFolder {
  models::Mllm model;
  std::shared_ptr<const Tokenizer> tokenizer;
  ChatTemplate chat_template;
  Preprocessor preprocessor;
};

// Errors: those of the five readers; a tokenizer with more tokens than the model has embeddings; a
// preprocessor whose size is not the vision model's; a template whose image token is not the
// model's.
absl::StatusOr<ModelFolder> LoadModelFolder(const std::string& folder);

// Checks what LoadModelFolder checks between the parts. `where` begins the message.
absl::Status CheckModelFolder(const ModelFolder& folder, const std::string& where);

absl::Status SaveModelFolder(const ModelFolder& model, const std::string& folder);

// sha256 over all five files.
absl::StatusOr<std::string> ModelFolderDigest(const std::string& folder);

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_STAGES_CONVERSATIONS_MODEL_FOLDER_H_
