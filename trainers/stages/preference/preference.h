// Preference training with any compiled objective. What the objective needs (a reference model,
// other views of the image) is read from its signature.
//
//   PreferenceConfig config;  // stages/preference/config.proto
//   auto summary = RunPreference(config, {.model = "sft/model", .reference = "sft/model", .pairs =
//   "pairs"}, "out/run",
//                                /*seed=*/1);
//
// `out` is as in stages/sft/sft.h.
#ifndef ALIDADE_TRAINERS_STAGES_PREFERENCE_PREFERENCE_H_
#define ALIDADE_TRAINERS_STAGES_PREFERENCE_PREFERENCE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "compiler/runtime/objective.h"
#include "trainers/core/run.h"
#include "trainers/stages/preference/config.pb.h"

namespace alidade::trainers {

struct PreferenceInputs {
  // Model folder that training starts from.
  std::string model;
  // Model folder of the frozen reference; empty where the objective reads none. Given although it
  // reads none: an error.
  std::string reference;
  // Dataset folder of preference records.
  std::string pairs;
};

// Errors of ValidatePreferenceConfig name field, expected and got.
absl::Status ValidatePreferenceConfig(const PreferenceConfig& config);

// Uses `objective`; config.objective must be its name or unset.
absl::StatusOr<RunSummary> RunPreference(const PreferenceConfig& config,
                                         const PreferenceInputs& inputs, const std::string& out,
                                         uint64_t seed, const runtime::Objective& objective,
                                         const RunOptions& options = {});

// Finds config.objective among the compiled objectives that the binary links.
absl::StatusOr<RunSummary> RunPreference(const PreferenceConfig& config,
                                         const PreferenceInputs& inputs, const std::string& out,
                                         uint64_t seed, const RunOptions& options = {});

// Whether the objective reads a reference model.
bool NeedsReference(const runtime::Objective& objective);

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_STAGES_PREFERENCE_PREFERENCE_H_
