#include "agents/tools/ask_model.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/json/json_fields.h"
#include "common/status/status.h"

namespace alidade::agents {
namespace {

absl::StatusOr<datasets::Prompt> ReadQuestion(const JsonDocument& document,
                                              const nlohmann::json& question, size_t index) {
  datasets::Prompt prompt;
  JsonFields fields(document, question, absl::StrCat("questions[", index, "]"));
  fields.Required("id", &prompt.id);
  fields.Required("image", &prompt.image);
  fields.Required("text", &prompt.text);
  fields.Required("end", &prompt.end);
  fields.Required("max_new_tokens", &prompt.max_new_tokens);
  fields.Expect(prompt.max_new_tokens >= 1, "max_new_tokens", ">= 1");
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  return prompt;
}

}  // namespace

std::string AskModelTool::description() const {
  return "{questions: [{id, image, text, end, max_new_tokens}], samples, temperature, stream} -> "
         "{answers: [[text]]}: asks the "
         "model about images";
}

absl::StatusOr<nlohmann::json> AskModelTool::Call(const nlohmann::json& arguments) {
  if (images_ == nullptr) return absl::FailedPreconditionError("ask_model has no images");
  const JsonDocument document{"arguments", arguments, {}};
  datasets::ResponseOptions options;
  options.seed = seed_;
  JsonFields fields(document);
  const nlohmann::json* questions = fields.RequiredArray("questions");
  fields.Required("samples", &options.samples);
  fields.Required("temperature", &options.temperature);
  fields.Required("stream", &options.stream);
  ALIDADE_RETURN_IF_ERROR(fields.Finish());

  std::vector<datasets::Prompt> prompts;
  for (size_t i = 0; i < questions->size(); ++i) {
    ALIDADE_ASSIGN_OR_RETURN(datasets::Prompt prompt, ReadQuestion(document, (*questions)[i], i));
    prompts.push_back(std::move(prompt));
  }
  ALIDADE_ASSIGN_OR_RETURN(const auto responses, model_->Respond(*images_, prompts, options));
  nlohmann::json answers = nlohmann::json::array();
  for (const std::vector<datasets::Response>& samples : responses) {
    nlohmann::json texts = nlohmann::json::array();
    for (const datasets::Response& sample : samples) texts.push_back(sample.text);
    answers.push_back(std::move(texts));
  }
  return nlohmann::json{{"answers", std::move(answers)}};
}

}  // namespace alidade::agents
