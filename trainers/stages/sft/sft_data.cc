#include "trainers/stages/sft/sft_data.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "trainers/core/config.h"

namespace alidade::trainers {
namespace {

std::string RecordName(const std::string& folder, const std::string& id) {
  return absl::StrCat(folder, ": record ", id);
}

absl::Status LoadInstructions(const InstructionData& config, const ModelFolder& model,
                              const std::string& folder, SftData& data) {
  ALIDADE_ASSIGN_OR_RETURN(const std::vector<datasets::InstructionRecord> records,
                           data.dataset->InstructionRecords());
  const std::map<std::string, int64_t> part_of = {{"caption", 0}, {"questions", 1}};
  data.parts = {{"caption", 1.0}, {"answer", config.answer_weight()}};
  data.examples.resize(1);
  std::vector<SftExample>& examples = data.examples.front();
  for (const datasets::InstructionRecord& record : records) {
    const std::string where = RecordName(folder, record.id);
    const auto part = part_of.find(record.kind);
    if (part == part_of.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": kind: expected caption or questions, got \"", record.kind, "\""));
    }
    ALIDADE_ASSIGN_OR_RETURN(Conversation conversation,
                             EncodeConversation(model, record.turns, where));
    const int64_t image = data.images->Add(record.image);
    // Images are numbered in the order of their first record, and so are examples.
    if (image == static_cast<int64_t>(examples.size())) examples.push_back({image, {}});
    examples[image].conversations.push_back({part->second, std::move(conversation)});
  }
  data.groups = {{"images", static_cast<int64_t>(examples.size()), config.batch_size()}};
  return absl::OkStatus();
}

absl::Status LoadChosen(const ChosenData& config, const ModelFolder& model,
                        const std::string& folder, SftData& data) {
  ALIDADE_ASSIGN_OR_RETURN(const std::vector<datasets::PreferenceRecord> records,
                           data.dataset->PreferenceRecords());
  std::vector<std::string> kinds;
  for (const datasets::PreferenceRecord& record : records) kinds.push_back(record.kind);
  ALIDADE_ASSIGN_OR_RETURN(const auto rows, AssignToGroups(config.group(), "chosen.group", kinds));
  data.examples.resize(rows.size());
  for (size_t group = 0; group < rows.size(); ++group) {
    const RecordGroup& group_config = config.group(static_cast<int>(group));
    data.parts.push_back({group_config.name(), group_config.weight()});
    data.groups.push_back(
        {group_config.name(), static_cast<int64_t>(rows[group].size()), group_config.batch_size()});
    for (const int64_t row : rows[group]) {
      const datasets::PreferenceRecord& record = records[row];
      const std::vector<Turn> turns = {{record.prompt, record.chosen, record.end}};
      SftExample example;
      example.image = data.images->Add(record.image);
      ALIDADE_ASSIGN_OR_RETURN(Conversation conversation,
                               EncodeConversation(model, turns, RecordName(folder, record.id)));
      example.conversations.push_back({static_cast<int64_t>(group), std::move(conversation)});
      data.examples[group].push_back(std::move(example));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SftData> LoadSftData(const SftConfig& config, const ModelFolder& model,
                                    const std::string& folder) {
  SftData data;
  ALIDADE_ASSIGN_OR_RETURN(datasets::DatasetFolder dataset, datasets::DatasetFolder::Open(folder));
  data.dataset = std::make_unique<datasets::DatasetFolder>(std::move(dataset));
  data.images = std::make_unique<ImageStore>(data.dataset.get(), model.preprocessor);
  if (config.has_chosen()) {
    ALIDADE_RETURN_IF_ERROR(LoadChosen(config.chosen(), model, folder, data));
  } else {
    ALIDADE_RETURN_IF_ERROR(LoadInstructions(config.instructions(), model, folder, data));
  }
  ALIDADE_RETURN_IF_ERROR(data.images->Preload());
  return data;
}

}  // namespace alidade::trainers
