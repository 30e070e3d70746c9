#include "datasets/schema/dataset_folder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files/files.h"
#include "common/json/json_fields.h"
#include "common/provenance/digest.h"
#include "common/status/status.h"

namespace alidade::datasets {
namespace {

// Lines of a JSON-lines text; the last one ends with a line break, too.
std::vector<absl::string_view> SplitLines(absl::string_view text) {
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  if (text.empty()) return {};
  return absl::StrSplit(text, '\n');
}

absl::StatusOr<std::pair<std::string, ImageEntry>> ParseImageLine(absl::string_view line,
                                                                  const std::string& where) {
  const JsonDocument document{
      where, nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false), {}};
  if (!document.root.is_object())
    return absl::DataLossError(absl::StrCat(where, ": expected {image, sha256, truth}"));
  std::pair<std::string, ImageEntry> entry;
  JsonFields fields(document);
  fields.Required("image", &entry.first);
  fields.Required("sha256", &entry.second.sha256);
  const nlohmann::json* truth = fields.OptionalValue("truth");
  if (truth != nullptr) entry.second.truth = *truth;
  const absl::Status status = fields.Finish();
  if (!status.ok()) return absl::DataLossError(status.message());
  return entry;
}

template <typename Record>
absl::StatusOr<std::vector<Record>> ParseLines(const std::string& path, absl::string_view text,
                                               absl::StatusOr<Record> (*parse)(absl::string_view,
                                                                               absl::string_view)) {
  const std::vector<absl::string_view> lines = SplitLines(text);
  std::vector<Record> records;
  records.reserve(lines.size());
  for (size_t i = 0; i < lines.size(); ++i) {
    ALIDADE_ASSIGN_OR_RETURN(Record record, parse(lines[i], absl::StrCat(path, ":", i + 1)));
    records.push_back(std::move(record));
  }
  return records;
}

// Where a text whose digest is wrong first shows it; empty if every line still reads well.
std::string FirstDefect(const DatasetCard& card, const std::string& path, absl::string_view text) {
  const absl::Status status = card.kind == kInstructions
                                  ? ParseLines(path, text, &ParseInstructionRecord).status()
                                  : ParseLines(path, text, &ParsePreferenceRecord).status();
  return status.ok() ? "" : absl::StrCat("; first defect: ", status.message());
}

}  // namespace

absl::StatusOr<DatasetFolder> DatasetFolder::Open(const std::string& folder) {
  DatasetFolder dataset;
  dataset.folder_ = folder;
  const std::string card_path = JoinPath(folder, kCardFile);
  if (!PathExists(card_path)) {
    return absl::NotFoundError(absl::StrCat(folder, ": not a finished dataset: expected ",
                                            kCardFile, ", got no such file"));
  }
  ALIDADE_ASSIGN_OR_RETURN(const std::string card_text, ReadFile(card_path));
  ALIDADE_ASSIGN_OR_RETURN(dataset.card_, ParseCard(card_text, card_path));
  const DatasetCard& card = dataset.card_;

  const std::string records_path = JoinPath(folder, kRecordsFile);
  ALIDADE_ASSIGN_OR_RETURN(dataset.records_, ReadFile(records_path), "while reading dataset ",
                           card.name);
  const std::string records_digest = Sha256Hex(dataset.records_);
  const int64_t num_records = SplitLines(dataset.records_).size();
  if (const std::string& expected = card.files.at(std::string(kRecordsFile));
      records_digest != expected || num_records != card.num_records) {
    return absl::DataLossError(absl::StrCat(records_path, ": altered or truncated: expected ",
                                            card.num_records, " records with sha256 ", expected,
                                            ", got ", num_records, " with ", records_digest,
                                            FirstDefect(card, records_path, dataset.records_)));
  }
  if (num_records == 0) {
    return absl::DataLossError(
        absl::StrCat(records_path, ": empty dataset: expected at least one record, got none"));
  }

  const std::string images_path = JoinPath(folder, kImagesFile);
  ALIDADE_ASSIGN_OR_RETURN(const std::string images, ReadFile(images_path),
                           "while reading dataset ", card.name);
  const std::vector<absl::string_view> lines = SplitLines(images);
  if (const std::string digest = Sha256Hex(images),
      expected = card.files.at(std::string(kImagesFile));
      digest != expected) {
    return absl::DataLossError(absl::StrCat(images_path, ": altered or truncated: expected ",
                                            card.num_images, " images with sha256 ", expected,
                                            ", got ", lines.size(), " with ", digest));
  }
  dataset.images_.reserve(lines.size());
  for (size_t i = 0; i < lines.size(); ++i) {
    ALIDADE_ASSIGN_OR_RETURN(auto entry,
                             ParseImageLine(lines[i], absl::StrCat(images_path, ":", i + 1)));
    dataset.images_.insert(std::move(entry));
  }
  return dataset;
}

absl::StatusOr<std::vector<InstructionRecord>> DatasetFolder::InstructionRecords() const {
  if (card_.kind != kInstructions) {
    return absl::FailedPreconditionError(absl::StrCat(
        JoinPath(folder_, kCardFile), ": kind: expected ", kInstructions, ", got ", card_.kind));
  }
  return ParseLines(JoinPath(folder_, kRecordsFile), records_, &ParseInstructionRecord);
}

absl::StatusOr<std::vector<PreferenceRecord>> DatasetFolder::PreferenceRecords() const {
  if (card_.kind != kPreferences) {
    return absl::FailedPreconditionError(absl::StrCat(
        JoinPath(folder_, kCardFile), ": kind: expected ", kPreferences, ", got ", card_.kind));
  }
  return ParseLines(JoinPath(folder_, kRecordsFile), records_, &ParsePreferenceRecord);
}

absl::StatusOr<std::string> DatasetFolder::LoadFile(const std::string& name) const {
  const auto file = card_.files.find(name);
  if (file == card_.files.end()) {
    return absl::NotFoundError(absl::StrCat(JoinPath(folder_, kCardFile), ": files: expected ",
                                            name, ", got no such file"));
  }
  const std::string path = JoinPath(folder_, name);
  ALIDADE_ASSIGN_OR_RETURN(std::string bytes, ReadFile(path), "while reading dataset ", card_.name);
  if (const std::string digest = Sha256Hex(bytes); digest != file->second) {
    return absl::DataLossError(
        absl::StrCat(path, ": altered: expected sha256 ", file->second, ", got ", digest));
  }
  return bytes;
}

absl::StatusOr<Image> DatasetFolder::LoadImage(const std::string& name) const {
  const auto entry = images_.find(name);
  if (entry == images_.end()) {
    return absl::NotFoundError(
        absl::StrCat(JoinPath(folder_, kImagesFile), ": no image '", name, "' in this dataset"));
  }
  const std::string path = JoinPath(folder_, name);
  ALIDADE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path), "while reading dataset ",
                           card_.name);
  if (const std::string digest = Sha256Hex(bytes); digest != entry->second.sha256) {
    // The decoder may know more exactly what is wrong.
    ALIDADE_RETURN_IF_ERROR(DecodeImage(bytes, path).status());
    return absl::DataLossError(
        absl::StrCat(path, ": altered: expected sha256 ", entry->second.sha256, ", got ", digest));
  }
  return DecodeImage(bytes, path);
}

absl::StatusOr<std::vector<InstructionRecord>> ReadInstructionRecords(const std::string& folder) {
  ALIDADE_ASSIGN_OR_RETURN(const DatasetFolder dataset, DatasetFolder::Open(folder));
  return dataset.InstructionRecords();
}

absl::StatusOr<std::vector<PreferenceRecord>> ReadPreferenceRecords(const std::string& folder) {
  ALIDADE_ASSIGN_OR_RETURN(const DatasetFolder dataset, DatasetFolder::Open(folder));
  return dataset.PreferenceRecords();
}

}  // namespace alidade::datasets
