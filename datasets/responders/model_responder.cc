#include "datasets/responders/model_responder.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/media/pixels.h"
#include "common/media/preprocessor.h"
#include "common/models/generation.h"
#include "common/models/mllm.h"
#include "common/provenance/random_stream.h"
#include "common/status/status.h"
#include "common/tensor/fence.h"
#include "common/text/chat_template.h"
#include "common/text/tokenizer.h"

namespace alidade::datasets {
namespace {

constexpr int64_t kBatchSequences = 512;

absl::Status CheckOptions(const ResponseOptions& options) {
  if (options.samples < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("samples: expected >= 1, got ", options.samples));
  }
  if (!(options.temperature >= 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("temperature: expected >= 0, got ", options.temperature));
  }
  if (options.temperature == 0 && options.samples != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "samples: expected 1 at temperature 0 (all would be the same), got ", options.samples));
  }
  return absl::OkStatus();
}

class ModelResponder : public Responder {
 public:
  ModelResponder(std::string name, models::Mllm model, std::unique_ptr<Tokenizer> tokenizer,
                 ChatTemplate chat, Preprocessor preprocessor)
      : name_(std::move(name)),
        model_(std::move(model)),
        tokenizer_(std::move(tokenizer)),
        chat_(std::move(chat)),
        preprocessor_(preprocessor) {}

  std::string name() const override { return name_; }

  absl::StatusOr<std::vector<std::vector<Response>>> Respond(
      const ImageProvider& images, absl::Span<const Prompt> prompts,
      const ResponseOptions& options) override {
    ALIDADE_RETURN_IF_ERROR(CheckOptions(options), name_);
    std::map<int64_t, std::vector<size_t>> groups;  // max_new_tokens -> indices
    for (size_t i = 0; i < prompts.size(); ++i) groups[prompts[i].max_new_tokens].push_back(i);

    std::vector<std::vector<Response>> responses(prompts.size());
    const size_t batch_size = std::max<int64_t>(1, kBatchSequences / options.samples);
    for (const auto& [max_new_tokens, indices] : groups) {
      for (size_t begin = 0; begin < indices.size(); begin += batch_size) {
        const absl::Span<const size_t> batch =
            absl::MakeConstSpan(indices).subspan(begin, batch_size);
        const std::string what =
            absl::StrCat(name_, " answering ", prompts[batch.front()].id, " and what follows");
        ALIDADE_RETURN_IF_ERROR(
            FenceTorch(what,
                       [&] { return RespondToBatch(images, prompts, batch, options, responses); }),
            what);
      }
    }
    return responses;
  }

 private:
  // Features of the batch's images, encoded once each: [prompts x samples, P, H].
  absl::StatusOr<at::Tensor> EncodeBatch(const ImageProvider& images,
                                         absl::Span<const Prompt> prompts,
                                         absl::Span<const size_t> batch, int64_t samples) {
    std::vector<Image> distinct;
    absl::flat_hash_map<std::string, int64_t> rows;
    std::vector<int64_t> row_of_sequence;
    for (const size_t i : batch) {
      const auto [row, added] = rows.emplace(prompts[i].image, distinct.size());
      if (added) {
        ALIDADE_ASSIGN_OR_RETURN(Image image, images.LoadImage(prompts[i].image), "prompt ",
                                 prompts[i].id);
        distinct.push_back(std::move(image));
      }
      row_of_sequence.insert(row_of_sequence.end(), samples, row->second);
    }
    ALIDADE_ASSIGN_OR_RETURN(const at::Tensor pixels, ToPixels(distinct, preprocessor_));
    const at::Tensor features = model_.EncodeImages(pixels);
    return at::index_select(features, 0, at::tensor(row_of_sequence));
  }

  absl::Status RespondToBatch(const ImageProvider& images, absl::Span<const Prompt> prompts,
                              absl::Span<const size_t> batch, const ResponseOptions& options,
                              std::vector<std::vector<Response>>& responses) {
    std::vector<std::vector<int64_t>> sequences;
    for (const size_t i : batch) {
      ALIDADE_ASSIGN_OR_RETURN(const std::vector<int64_t> ids,
                               chat_.EncodePrompt(*tokenizer_, prompts[i].text), "prompt ",
                               prompts[i].id);
      sequences.insert(sequences.end(), options.samples, ids);
    }
    ALIDADE_ASSIGN_OR_RETURN(const at::Tensor features,
                             EncodeBatch(images, prompts, batch, options.samples));

    models::GenerationConfig config;
    config.max_new_tokens = prompts[batch.front()].max_new_tokens;
    config.temperature = options.temperature;
    config.top_p = options.top_p;
    RandomStream stream(options.seed,
                        absl::StrCat("respond/", options.stream, "/", prompts[batch.front()].id));
    ALIDADE_ASSIGN_OR_RETURN(const std::vector<models::Generation> generations,
                             models::Generate(model_, sequences, features, config, stream));
    for (size_t at = 0; at < generations.size(); ++at) {
      const size_t i = batch[at / options.samples];
      const models::Generation& generation = generations[at];
      Response response;
      ALIDADE_ASSIGN_OR_RETURN(response.text, tokenizer_->Decode(generation.tokens), "prompt ",
                               prompts[i].id);
      response.ended = generation.ended || !prompts[i].end;
      response.num_tokens = static_cast<int64_t>(generation.tokens.size());
      responses[i].push_back(std::move(response));
    }
    return absl::OkStatus();
  }

  const std::string name_;
  const models::Mllm model_;
  const std::unique_ptr<Tokenizer> tokenizer_;
  const ChatTemplate chat_;
  const Preprocessor preprocessor_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Responder>> LoadModelResponder(const std::string& folder,
                                                              const std::string& name) {
  ALIDADE_ASSIGN_OR_RETURN(models::Mllm model, models::Mllm::Load(folder),
                           "while loading the model ", folder);
  ALIDADE_ASSIGN_OR_RETURN(std::unique_ptr<Tokenizer> tokenizer,
                           Tokenizer::Load(JoinPath(folder, "tokenizer.json")));
  ALIDADE_ASSIGN_OR_RETURN(ChatTemplate chat,
                           ChatTemplate::Load(JoinPath(folder, "chat_template.json")));
  ALIDADE_ASSIGN_OR_RETURN(const Preprocessor preprocessor,
                           LoadPreprocessor(JoinPath(folder, kPreprocessorFile)));
  const int64_t vocab_size = model.config().text.vocab_size;
  if (tokenizer->vocab_size() > vocab_size) {
    return absl::FailedPreconditionError(absl::StrCat(
        folder, ": tokenizer.json has ", tokenizer->vocab_size(),
        " tokens, config.json text_config.vocab_size expected at least that, got ", vocab_size));
  }
  const int64_t side = model.config().vision.image_size;
  if (preprocessor.width != side || preprocessor.height != side) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder, ": ", kPreprocessorFile, ": size: expected ", side, " x ", side,
                     " as vision_config.image_size in config.json, got ", preprocessor.width, " x ",
                     preprocessor.height));
  }
  return std::make_unique<ModelResponder>(name, std::move(model), std::move(tokenizer),
                                          std::move(chat), preprocessor);
}

}  // namespace alidade::datasets
