// Named models to train from nothing.
#ifndef ALIDADE_TRAINERS_STAGES_SFT_PRESETS_H_
#define ALIDADE_TRAINERS_STAGES_SFT_PRESETS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace alidade::trainers {

// Writes a model folder (config.json, model.safetensors, tokenizer.json, chat_template.json,
// preprocessor_config.json) with weights drawn from the stream "init" of `seed`. Errors: an unknown
// name, with the nearest one.
//   tiny_world: the model of the embedded world, about 196,000 parameters.
absl::Status WritePreset(absl::string_view name, uint64_t seed, const std::string& folder);

// OK, or NOT_FOUND with the nearest name.
absl::Status CheckPreset(absl::string_view name);

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_STAGES_SFT_PRESETS_H_
