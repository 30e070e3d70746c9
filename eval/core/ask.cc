#include "eval/core/ask.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/provenance/digest.h"
#include "common/status/status.h"
#include "datasets/schema/factors.h"
#include "nlohmann/json.hpp"

namespace alidade::eval {

absl::StatusOr<std::vector<Answered>> Ask(datasets::Responder& model, const TaskOptions& options,
                                          absl::string_view kind) {
  if (options.source == nullptr) {
    return absl::InvalidArgumentError("evaluation: expected a source of test questions, got none");
  }
  ALIDADE_ASSIGN_OR_RETURN(std::vector<datasets::Prompt> prompts, options.source->Prompts());
  std::vector<Answered> answered;
  std::vector<datasets::Prompt> distinct;
  std::vector<size_t> asked_as;  // answered[i] has the answer to distinct[asked_as[i]]
  std::map<std::pair<std::string, std::string>, size_t> index;
  for (datasets::Prompt& prompt : prompts) {
    if (prompt.kind != kind) continue;
    const auto [place, is_new] = index.try_emplace({prompt.image, prompt.text}, distinct.size());
    if (is_new) distinct.push_back(prompt);
    asked_as.push_back(place->second);
    std::string answer;
    if (prompt.truth.is_object() && prompt.truth.contains("answer") &&
        prompt.truth["answer"].is_string()) {
      answer = prompt.truth["answer"].get<std::string>();
    }
    answered.push_back({std::move(prompt), {}, std::move(answer)});
  }
  if (distinct.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "source '", options.source->name(), "': expected prompts of kind '", kind, "', got none"));
  }
  ALIDADE_ASSIGN_OR_RETURN(const auto responses, model.Respond(*options.source, distinct, {}),
                           "while asking '", model.name(), "'");
  if (responses.size() != distinct.size()) {
    return absl::InternalError(absl::StrCat("responder '", model.name(), "': expected ",
                                            distinct.size(), " responses, got ", responses.size()));
  }
  for (size_t i = 0; i < answered.size(); ++i) {
    const std::vector<datasets::Response>& samples = responses[asked_as[i]];
    if (samples.size() != 1) {
      return absl::InternalError(absl::StrCat("responder '", model.name(), "': prompt '",
                                              answered[i].prompt.id, "': expected 1 sample, got ",
                                              samples.size()));
    }
    answered[i].response = samples[0];
  }
  return answered;
}

SampleOutput MakeSample(const Answered& answered) {
  SampleOutput sample;
  sample.id = answered.prompt.id;
  sample.unit = answered.prompt.image;
  sample.prompt = answered.prompt.text;
  sample.answer = answered.response.text;
  sample.document_sha256 = Sha256Hex(absl::StrCat(answered.prompt.image, "\n", answered.prompt.id));
  sample.prompt_sha256 = Sha256Hex(answered.prompt.text);
  sample.target_sha256 = Sha256Hex(
      answered.prompt.truth.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
  return sample;
}

TaskDefinition BuiltInTaskDefinition(absl::string_view text, absl::string_view source) {
  absl::StatusOr<TaskDefinition> definition = ParseTaskDefinition(text, source);
  if (!definition.ok())
    std::fprintf(stderr, "%s\n", std::string(definition.status().message()).c_str());
  ALIDADE_CHECK(definition.ok());
  return *std::move(definition);
}

}  // namespace alidade::eval
