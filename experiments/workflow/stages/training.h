// What the two training stages have in common.
#ifndef ALIDADE_EXPERIMENTS_WORKFLOW_STAGES_TRAINING_H_
#define ALIDADE_EXPERIMENTS_WORKFLOW_STAGES_TRAINING_H_

#include <string>
#include <vector>

namespace alidade::experiments {

// The weights and what they need to be used; logs and times are not results.
inline std::vector<std::string> TrainedResults() {
  return {"model/config.json", "model/model.safetensors", "model/tokenizer.json",
          "model/chat_template.json", "metrics.jsonl"};
}

}  // namespace alidade::experiments

#endif  // ALIDADE_EXPERIMENTS_WORKFLOW_STAGES_TRAINING_H_
