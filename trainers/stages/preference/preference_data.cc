#include "trainers/stages/preference/preference_data.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "trainers/core/config.h"

namespace alidade::trainers {

absl::StatusOr<PreferenceData> LoadPreferenceData(const PreferenceConfig& config,
                                                  const ModelFolder& model,
                                                  const std::string& folder) {
  PreferenceData data;
  ALIDADE_ASSIGN_OR_RETURN(datasets::DatasetFolder dataset, datasets::DatasetFolder::Open(folder));
  data.dataset = std::make_unique<datasets::DatasetFolder>(std::move(dataset));
  data.images = std::make_unique<ImageStore>(data.dataset.get(), model.preprocessor);
  ALIDADE_ASSIGN_OR_RETURN(const std::vector<datasets::PreferenceRecord> records,
                           data.dataset->PreferenceRecords());
  std::vector<std::string> kinds;
  for (const datasets::PreferenceRecord& record : records) kinds.push_back(record.kind);
  ALIDADE_ASSIGN_OR_RETURN(const auto rows, AssignToGroups(config.group(), "group", kinds));
  data.examples.resize(rows.size());
  for (size_t group = 0; group < rows.size(); ++group) {
    const RecordGroup& group_config = config.group(static_cast<int>(group));
    data.groups.push_back(
        {group_config.name(), static_cast<int64_t>(rows[group].size()), group_config.batch_size()});
    data.weights.push_back(group_config.weight());
    for (const int64_t row : rows[group]) {
      const datasets::PreferenceRecord& record = records[row];
      const std::string where = absl::StrCat(folder, ": record ", record.id);
      const Turn chosen{record.prompt, record.chosen, record.end},
          rejected{record.prompt, record.rejected, record.end};
      PairExample example;
      example.image = data.images->Add(record.image);
      ALIDADE_ASSIGN_OR_RETURN(
          example.chosen, EncodeConversation(model, {chosen}, absl::StrCat(where, ": chosen")));
      ALIDADE_ASSIGN_OR_RETURN(
          example.rejected,
          EncodeConversation(model, {rejected}, absl::StrCat(where, ": rejected")));
      data.examples[group].push_back(std::move(example));
    }
  }
  ALIDADE_RETURN_IF_ERROR(data.images->Preload());
  return data;
}

}  // namespace alidade::trainers
