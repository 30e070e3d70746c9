// Records of a dataset as supervised fine-tuning uses them.
#ifndef ALIDADE_TRAINERS_STAGES_SFT_SFT_DATA_H_
#define ALIDADE_TRAINERS_STAGES_SFT_SFT_DATA_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "datasets/schema/dataset_folder.h"
#include "trainers/core/data_order.h"
#include "trainers/stages/conversations/image_store.h"
#include "trainers/stages/conversations/model_folder.h"
#include "trainers/stages/conversations/packing.h"
#include "trainers/stages/sft/config.pb.h"

namespace alidade::trainers {

// A term of the loss: weight * mean cross entropy over its tokens.
struct SftPart {
  std::string name;  // "caption"
  double weight = 1;
};

// What is learnt about one image at a time; the image is encoded once.
struct SftExample {
  struct Part {
    int64_t part = 0;  // index into SftData::parts
    Conversation conversation;
  };
  int64_t image = 0;  // number in the image store
  std::vector<Part> conversations;
};

struct SftData {
  std::unique_ptr<datasets::DatasetFolder> dataset;  // owns what the image store reads
  std::unique_ptr<ImageStore> images;
  std::vector<SftPart> parts;
  std::vector<DataGroup> groups;
  std::vector<std::vector<SftExample>> examples;  // per group
};

// Reads and tokenizes the whole dataset. Errors: those of the dataset; a kind of record that the
// config does not use; a conversation that the model cannot take, with the record's id.
absl::StatusOr<SftData> LoadSftData(const SftConfig& config, const ModelFolder& model,
                                    const std::string& folder);

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_STAGES_SFT_SFT_DATA_H_
