// Supervised fine-tuning on conversations about images: cross entropy of the assistant's tokens.
//
//   SftConfig config;  // stages/sft/config.proto
//   auto summary = RunSft(config, {.dataset = "instructions"}, "out/sft", /*seed=*/1);
//
// `out` holds, when it is done: model/ (config.json, model.safetensors, tokenizer.json,
// chat_template.json, preprocessor_config.json), metrics.jsonl, events/ (TensorBoard),
// config.textproto and summary.json. While it runs it also holds checkpoints/. A call on an
// interrupted `out` continues it and ends in the same bits; on a finished one it returns at once.
#ifndef ALIDADE_TRAINERS_STAGES_SFT_SFT_H_
#define ALIDADE_TRAINERS_STAGES_SFT_SFT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainers/core/run.h"
#include "trainers/stages/sft/config.pb.h"

namespace alidade::trainers {

struct SftInputs {
  // Model folder that training starts from; empty with config.preset, whose weights are drawn from
  // the stream "init" of the seed.
  std::string model;
  // Dataset folder of instruction records (config.instructions) or preference records
  // (config.chosen).
  std::string dataset;
};

// Errors of ValidateSftConfig name field, expected and got.
absl::Status ValidateSftConfig(const SftConfig& config);

absl::StatusOr<RunSummary> RunSft(const SftConfig& config, const SftInputs& inputs,
                                  const std::string& out, uint64_t seed,
                                  const RunOptions& options = {});

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_STAGES_SFT_SFT_H_
