// Log-probabilities of the reference model on the images themselves, computed once for all pairs.
#ifndef ALIDADE_TRAINERS_STAGES_PREFERENCE_REFERENCE_SCORES_H_
#define ALIDADE_TRAINERS_STAGES_PREFERENCE_REFERENCE_SCORES_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/models/mllm.h"
#include "common/tensor/named_tensors.h"
#include "compiler/runtime/objective.h"
#include "trainers/stages/preference/preference_data.h"
#include "trainers/stages/preference/requirements.h"

namespace alidade::trainers {

class ReferenceScores {
 public:
  // Scores of the responses that `pass` reads. Taken from `path` if that file was written for the
  // same `digest` (of the reference model and the pairs); else computed and written there. A file
  // of another digest, or a truncated or altered one, is an error that names it.
  static absl::StatusOr<ReferenceScores> Load(const std::string& path, const std::string& digest,
                                              const ForwardPass& pass,
                                              const models::Mllm& reference, PreferenceData& data);

  // The scored tokens of some rows of a group: logp [M] and offsets [B + 1].
  runtime::ScoredTokens Rows(int64_t group, absl::string_view response,
                             const std::vector<int64_t>& rows, const PreferenceData& data) const;

 private:
  // "<group>.<response>" -> [tokens of all rows].
  NamedTensors scores_;
  // The same names -> where a row's tokens begin.
  std::map<std::string, std::vector<int64_t>> begins_;
};

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_STAGES_PREFERENCE_REFERENCE_SCORES_H_
