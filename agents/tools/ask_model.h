#ifndef ALIDADE_AGENTS_TOOLS_ASK_MODEL_H_
#define ALIDADE_AGENTS_TOOLS_ASK_MODEL_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "agents/core/agent.h"
#include "datasets/schema/factors.h"

namespace alidade::agents {

// Puts questions about images to a model, all at once.
//
//   arguments  {"questions": [{"id", "image", "text", "end", "max_new_tokens"}, ...], "samples",
//   "temperature", "stream"} result     {"answers": [["yes", "no", ...], ...]}   `samples` answers
//   per question
//
// Answers depend on the seed, the stream's name and the questions only. Model and images outlive
// the tool.
class AskModelTool : public Tool {
 public:
  AskModelTool(datasets::Responder* model, uint64_t seed) : model_(model), seed_(seed) {}

  // Whose images the questions name; before the first call.
  void SetImages(const datasets::ImageProvider* images) { images_ = images; }

  std::string name() const override { return "ask_model"; }
  std::string description() const override;
  absl::StatusOr<nlohmann::json> Call(const nlohmann::json& arguments) override;

 private:
  datasets::Responder* model_;
  const datasets::ImageProvider* images_ = nullptr;
  uint64_t seed_;
};

}  // namespace alidade::agents

#endif  // ALIDADE_AGENTS_TOOLS_ASK_MODEL_H_
