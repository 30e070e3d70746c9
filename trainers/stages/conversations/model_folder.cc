#include "trainers/stages/conversations/model_folder.h"

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/status/status.h"
#include "trainers/core/run_folder.h"

namespace alidade::trainers {
namespace {

constexpr char kTokenizer[] = "tokenizer.json";
constexpr char kTemplate[] = "chat_template.json";

}  // namespace

absl::Status CheckModelFolder(const ModelFolder& folder, const std::string& where) {
  const models::MllmConfig& config = folder.model.config();
  if (folder.tokenizer->vocab_size() > config.text.vocab_size) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": ", kTokenizer, ": expected at most the ", config.text.vocab_size,
                     " tokens of config.json's vocab_size, got ", folder.tokenizer->vocab_size()));
  }
  ALIDADE_ASSIGN_OR_RETURN(const int64_t image_token,
                           folder.tokenizer->TokenId(folder.chat_template.image), where, ": ",
                           kTemplate, ": image");
  if (image_token != config.image_token_index) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": ", kTemplate, ": image: expected the token of config.json's ",
                     "image_token_index ", config.image_token_index, ", got ",
                     folder.chat_template.image, " = ", image_token));
  }
  const Preprocessor& preprocessor = folder.preprocessor;
  if (preprocessor.width != config.vision.image_size ||
      preprocessor.height != config.vision.image_size) {
    return absl::InvalidArgumentError(absl::StrCat(
        where, ": ", kPreprocessorFile, ": size: expected config.json's ", config.vision.image_size,
        " x ", config.vision.image_size, ", got ", preprocessor.width, " x ", preprocessor.height));
  }
  return absl::OkStatus();
}

absl::StatusOr<ModelFolder> LoadModelFolder(const std::string& folder) {
  ALIDADE_ASSIGN_OR_RETURN(models::Mllm model, models::Mllm::Load(folder));
  ALIDADE_ASSIGN_OR_RETURN(std::unique_ptr<Tokenizer> tokenizer,
                           Tokenizer::Load(JoinPath(folder, kTokenizer)));
  ALIDADE_ASSIGN_OR_RETURN(ChatTemplate chat_template,
                           ChatTemplate::Load(JoinPath(folder, kTemplate)));
  ALIDADE_ASSIGN_OR_RETURN(Preprocessor preprocessor,
                           LoadPreprocessor(JoinPath(folder, kPreprocessorFile)));
  ModelFolder result{std::move(model), std::move(tokenizer), std::move(chat_template),
                     preprocessor};
  ALIDADE_RETURN_IF_ERROR(CheckModelFolder(result, folder));
  return result;
}

absl::Status SaveModelFolder(const ModelFolder& model, const std::string& folder) {
  ALIDADE_RETURN_IF_ERROR(MakeFolder(folder));
  ALIDADE_RETURN_IF_ERROR(model.tokenizer->Save(JoinPath(folder, kTokenizer)));
  ALIDADE_RETURN_IF_ERROR(model.chat_template.Save(JoinPath(folder, kTemplate)));
  ALIDADE_RETURN_IF_ERROR(
      SavePreprocessor(model.preprocessor, JoinPath(folder, kPreprocessorFile)));
  return model.model.Save(folder);
}

absl::StatusOr<std::string> ModelFolderDigest(const std::string& folder) {
  return DigestFiles(folder, {"config.json", "model.safetensors", kTokenizer, kTemplate,
                              std::string(kPreprocessorFile)});
}

}  // namespace alidade::trainers
