#include "datasets/schema/dataset_card.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/json/json_fields.h"
#include "common/status/status.h"

namespace alidade::datasets {
namespace {

// Members of an object that are all of one type.
template <typename T>
absl::Status ReadMap(const JsonDocument& document, const nlohmann::json& object,
                     const std::string& path, std::map<std::string, T>& values) {
  JsonFields fields(document, object, path);
  for (const auto& [name, value] : object.items()) fields.Required(name, &values[name]);
  return fields.Finish();
}

absl::Status ReadCard(const JsonDocument& document, DatasetCard& card) {
  JsonFields fields(document);
  fields.Required("name", &card.name);
  fields.Required("kind", &card.kind);
  fields.OneOf("kind", &card.kind, {std::string(kInstructions), std::string(kPreferences)});
  fields.Required("builder", &card.builder);
  fields.Required("builder_version", &card.builder_version);
  fields.Required("seed", &card.seed);
  fields.Required("description", &card.description);
  fields.Required("num_records", &card.num_records);
  fields.Required("num_images", &card.num_images);
  fields.Expect(card.num_records >= 0, "num_records", ">= 0");
  fields.Expect(card.num_images >= 0, "num_images", ">= 0");
  const nlohmann::json* config = fields.RequiredObject("config");
  const nlohmann::json* inputs = fields.RequiredObject("inputs");
  const nlohmann::json* statistics = fields.RequiredObject("statistics");
  const nlohmann::json* files = fields.RequiredObject("files");
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  card.config = *config;
  ALIDADE_RETURN_IF_ERROR(ReadMap(document, *inputs, "inputs", card.inputs));
  ALIDADE_RETURN_IF_ERROR(ReadMap(document, *statistics, "statistics", card.statistics));
  ALIDADE_RETURN_IF_ERROR(ReadMap(document, *files, "files", card.files));
  JsonFields digests(document, *files, "files");
  digests.Expect(card.files.contains(std::string(kRecordsFile)), kRecordsFile, "a digest");
  digests.Expect(card.files.contains(std::string(kImagesFile)), kImagesFile, "a digest");
  for (const auto& file : card.files) digests.Ignore(file.first);
  return digests.Finish();
}

}  // namespace

std::string FormatCard(const DatasetCard& card) {
  const nlohmann::ordered_json root = {
      {"name", card.name},
      {"kind", card.kind},
      {"description", card.description},
      {"builder", card.builder},
      {"builder_version", card.builder_version},
      {"config", card.config},
      {"seed", card.seed},
      {"inputs", card.inputs},
      {"num_records", card.num_records},
      {"num_images", card.num_images},
      {"statistics", card.statistics},
      {"files", card.files},
  };
  return absl::StrCat(root.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace),
                      "\n");
}

absl::StatusOr<DatasetCard> ParseCard(absl::string_view text, absl::string_view file) {
  ALIDADE_ASSIGN_OR_RETURN(const JsonDocument document, ParseJson(text, file));
  DatasetCard card;
  const absl::Status status = ReadCard(document, card);
  if (!status.ok()) return absl::DataLossError(status.message());
  return card;
}

std::string FormatCardForPeople(const DatasetCard& card) {
  std::string text =
      absl::StrCat("# ", card.name, "\n\n", card.description, "\n\n", "| | |\n|---|---|\n");
  auto row = [&text](absl::string_view name, absl::string_view value) {
    absl::StrAppend(&text, "| ", name, " | ", value, " |\n");
  };
  row("kind", card.kind);
  row("built by", absl::StrCat(card.builder, ", version ", card.builder_version));
  row("config", absl::StrCat("`", card.config.dump(), "`"));
  row("seed", absl::StrCat(card.seed));
  for (const auto& [role, digest] : card.inputs)
    row(absl::StrCat("input: ", role), absl::StrCat("`", digest, "`"));
  row("records", absl::StrCat(card.num_records));
  row("images", absl::StrCat(card.num_images));
  for (const auto& [name, value] : card.statistics) row(name, absl::StrFormat("%.6g", value));
  for (const auto& [name, digest] : card.files) row(name, absl::StrCat("`", digest, "`"));
  absl::StrAppend(&text,
                  "\n`records.jsonl` holds one record per line, `images.jsonl` one image per line "
                  "with its digest and "
                  "ground truth;\n`dataset.json` is this card for programs.\n");
  return text;
}

}  // namespace alidade::datasets
