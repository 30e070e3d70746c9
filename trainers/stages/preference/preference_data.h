// Pairs of a preference dataset, tokenized.
#ifndef ALIDADE_TRAINERS_STAGES_PREFERENCE_PREFERENCE_DATA_H_
#define ALIDADE_TRAINERS_STAGES_PREFERENCE_PREFERENCE_DATA_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "datasets/schema/dataset_folder.h"
#include "trainers/core/data_order.h"
#include "trainers/stages/conversations/image_store.h"
#include "trainers/stages/conversations/model_folder.h"
#include "trainers/stages/conversations/packing.h"
#include "trainers/stages/preference/config.pb.h"

namespace alidade::trainers {

struct PairExample {
  int64_t image = 0;  // number in the image store
  Conversation chosen;
  Conversation rejected;

  // "chosen" or "rejected".
  const Conversation& Response(absl::string_view role) const {
    return role == "chosen" ? chosen : rejected;
  }
};

struct PreferenceData {
  std::unique_ptr<datasets::DatasetFolder> dataset;  // owns what the image store reads
  std::unique_ptr<ImageStore> images;
  std::vector<DataGroup> groups;
  std::vector<double> weights;                     // per group
  std::vector<std::vector<PairExample>> examples;  // per group
};

// Reads and tokenizes the whole dataset. Errors: those of the dataset; a kind of record that no
// group takes; a conversation that the model cannot take, with the record's id.
absl::StatusOr<PreferenceData> LoadPreferenceData(const PreferenceConfig& config,
                                                  const ModelFolder& model,
                                                  const std::string& folder);

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_STAGES_PREFERENCE_PREFERENCE_DATA_H_
