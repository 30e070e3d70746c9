#include "datasets/schema/dataset_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/json/json_fields.h"
#include "common/provenance/digest.h"
#include "common/status/status.h"

namespace alidade::datasets {
namespace {

constexpr absl::string_view kParts = ".parts";
constexpr absl::string_view kRequest = "request.json";
constexpr absl::string_view kReadme = "README.md";
constexpr absl::string_view kImagesFolder = "images";

// What makes two cards the same request.
nlohmann::ordered_json Identity(const DatasetCard& card) {
  return {{"name", card.name},       {"kind", card.kind},
          {"builder", card.builder}, {"builder_version", card.builder_version},
          {"config", card.config},   {"seed", card.seed},
          {"inputs", card.inputs}};
}

absl::Status CompareIdentity(const std::string& where, const nlohmann::ordered_json& expected,
                             const nlohmann::ordered_json& got) {
  for (const auto& [field, value] : expected.items()) {
    const nlohmann::ordered_json other =
        got.is_object() && got.contains(field) ? got[field] : nullptr;
    if (other != value) {
      return absl::FailedPreconditionError(
          absl::StrCat(where, ": this folder holds another dataset: ", field, ": expected ",
                       value.dump(), ", got ", other.dump()));
    }
  }
  return absl::OkStatus();
}

// No sync per image: a power cut is found by the digests when the build goes on, and Finish syncs
// all at once.
absl::Status WriteUnsynced(const std::string& path, absl::string_view bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  int error = file < 0 ? errno : 0;
  while (error == 0 && !bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(written);
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (file >= 0 && ::close(file) != 0 && error == 0) error = errno;
  if (error == 0) return absl::OkStatus();
  const std::string message = absl::StrCat(path, ": cannot write: ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(message);
  if (error == EACCES || error == EROFS || error == EPERM)
    return absl::PermissionDeniedError(message);
  return absl::UnknownError(message);
}

absl::Status SyncAll(const std::string& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0)
    return absl::UnknownError(absl::StrCat(folder, ": cannot open: ", std::strerror(errno)));
  const int error = ::syncfs(file) == 0 ? 0 : errno;
  ::close(file);
  if (error != 0)
    return absl::UnknownError(absl::StrCat(folder, ": cannot sync: ", std::strerror(error)));
  return absl::OkStatus();
}

// A part: one line of facts, then the lines of images.jsonl, then those of records.jsonl.
struct Part {
  std::vector<absl::string_view> images;
  std::vector<absl::string_view> records;
  std::map<std::string, double> statistics;
};

absl::StatusOr<Part> ParsePart(const std::string& path, absl::string_view text) {
  const size_t cut = text.find('\n');
  const absl::string_view head = text.substr(0, cut);
  const absl::string_view body =
      cut == absl::string_view::npos ? absl::string_view() : text.substr(cut + 1);
  const JsonDocument document{path, nlohmann::json::parse(head, nullptr, false), {}};
  if (!document.root.is_object()) return absl::DataLossError(absl::StrCat(path, ": damaged shard"));
  std::string digest;
  int64_t num_images = 0;
  JsonFields fields(document);
  fields.Required("sha256", &digest);
  fields.Required("images", &num_images);
  const nlohmann::json* statistics = fields.RequiredObject("statistics");
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  if (Sha256Hex(body) != digest) return absl::DataLossError(absl::StrCat(path, ": altered shard"));
  Part part;
  for (const auto& [name, value] : statistics->items()) {
    if (!value.is_number())
      return absl::DataLossError(absl::StrCat(path, ": statistics.", name, ": expected a number"));
    part.statistics[name] = value.get<double>();
  }
  for (const absl::string_view line : absl::StrSplit(body, '\n', absl::SkipEmpty())) {
    (static_cast<int64_t>(part.images.size()) < num_images ? part.images : part.records)
        .push_back(line);
  }
  return part;
}

}  // namespace

std::string DatasetWriter::PartPath(int64_t shard) const {
  return JoinPath(folder_, absl::StrFormat("%s/shard-%06d.jsonl", kParts, shard));
}

bool DatasetWriter::PartIsWhole(int64_t shard) const {
  const std::string path = PartPath(shard);
  if (!PathExists(path)) return false;
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return false;
  const absl::StatusOr<Part> part = ParsePart(path, *text);
  if (!part.ok()) return false;
  for (const absl::string_view line : part->images) {
    const nlohmann::json image = nlohmann::json::parse(line, nullptr, false);
    if (!image.is_object() || !image.contains("image") || !image["image"].is_string()) return false;
    const absl::StatusOr<std::string> bytes =
        ReadFile(JoinPath(folder_, image["image"].get<std::string>()));
    if (!bytes.ok() || Sha256Hex(*bytes) != image.value("sha256", "")) return false;
  }
  return true;
}

// Refuses foreign data, and removes what a killed WriteFile left beside its target.
absl::Status DatasetWriter::CheckFolder() {
  ALIDADE_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(folder_));
  const bool begun = PathExists(JoinPath(folder_, kParts));
  for (const std::string& name : names) {
    if (!begun && (name == kRecordsFile || name == kImagesFile || name == kImagesFolder)) {
      return absl::FailedPreconditionError(absl::StrCat(
          folder_,
          ": expected a new folder or an interrupted build of this dataset, got a folder with '",
          name, "' and no ", kCardFile));
    }
    if (begun && absl::EndsWith(name, ".tmp"))
      ALIDADE_RETURN_IF_ERROR(RemoveTree(JoinPath(folder_, name)));
  }
  return absl::OkStatus();
}

absl::StatusOr<DatasetWriter> DatasetWriter::Start(const std::string& folder, DatasetCard card,
                                                   int64_t num_shards) {
  ALIDADE_RETURN_IF_ERROR(MakeFolder(folder));
  ALIDADE_ASSIGN_OR_RETURN(FolderLock lock, FolderLock::Take(folder));
  DatasetWriter writer(std::move(lock));
  writer.folder_ = folder;
  writer.card_ = std::move(card);
  writer.done_.assign(num_shards, false);

  const std::string parts = JoinPath(folder, kParts);
  const std::string card_path = JoinPath(folder, kCardFile);
  if (PathExists(card_path)) {
    ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(card_path));
    ALIDADE_ASSIGN_OR_RETURN(const DatasetCard present, ParseCard(text, card_path));
    ALIDADE_RETURN_IF_ERROR(CompareIdentity(card_path, Identity(writer.card_), Identity(present)));
    ALIDADE_RETURN_IF_ERROR(RemoveTree(parts));
    writer.finished_ = true;
    return writer;
  }

  ALIDADE_RETURN_IF_ERROR(writer.CheckFolder());
  nlohmann::ordered_json request = Identity(writer.card_);
  request["shards"] = num_shards;
  const std::string request_path = JoinPath(parts, kRequest);
  if (PathExists(request_path)) {
    ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(request_path));
    ALIDADE_RETURN_IF_ERROR(CompareIdentity(request_path, request,
                                            nlohmann::ordered_json::parse(text, nullptr, false)));
  } else {
    ALIDADE_RETURN_IF_ERROR(MakeFolder(parts));
    ALIDADE_RETURN_IF_ERROR(WriteFile(request_path, absl::StrCat(request.dump(2), "\n")));
  }
  for (int64_t shard = 0; shard < num_shards; ++shard)
    writer.done_[shard] = writer.PartIsWhole(shard);
  return writer;
}

absl::Status DatasetWriter::WriteShard(int64_t shard, const Shard& content) {
  ALIDADE_CHECK(!finished_ && shard >= 0 && shard < static_cast<int64_t>(done_.size()));
  std::string body;
  std::set<std::string> folders;
  for (const ShardImage& image : content.images) {
    const std::string path = JoinPath(folder_, image.name);
    const std::string parent = path.substr(0, path.rfind('/'));
    if (folders.insert(parent).second) ALIDADE_RETURN_IF_ERROR(MakeFolder(parent));
    ALIDADE_RETURN_IF_ERROR(WriteUnsynced(path, image.png));
    const nlohmann::ordered_json line = {
        {"image", image.name}, {"sha256", Sha256Hex(image.png)}, {"truth", image.truth}};
    absl::StrAppend(&body, line.dump(), "\n");
  }
  for (const std::string& record : content.records) absl::StrAppend(&body, record, "\n");
  const nlohmann::ordered_json head = {{"sha256", Sha256Hex(body)},
                                       {"images", content.images.size()},
                                       {"statistics", content.statistics}};
  ALIDADE_RETURN_IF_ERROR(WriteFile(PartPath(shard), absl::StrCat(head.dump(), "\n", body)));
  done_[shard] = true;
  return absl::OkStatus();
}

absl::Status DatasetWriter::Finish(const std::function<absl::Status(Statistics&)>& derive) {
  if (finished_) return absl::OkStatus();
  std::string records;
  std::string images;
  card_.num_records = 0;
  card_.num_images = 0;
  card_.statistics.clear();
  for (int64_t shard = 0; shard < static_cast<int64_t>(done_.size()); ++shard) {
    if (!done_[shard])
      return absl::FailedPreconditionError(absl::StrCat(folder_, ": shard ", shard, " is missing"));
    ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(PartPath(shard)));
    ALIDADE_ASSIGN_OR_RETURN(const Part part, ParsePart(PartPath(shard), text));
    for (const absl::string_view line : part.images) absl::StrAppend(&images, line, "\n");
    for (const absl::string_view line : part.records) absl::StrAppend(&records, line, "\n");
    card_.num_images += part.images.size();
    card_.num_records += part.records.size();
    for (const auto& [name, value] : part.statistics) card_.statistics[name] += value;
  }
  if (card_.num_records == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder_, ": empty dataset: expected at least one record from ",
                     card_.num_images, " images, got none; what happened to the candidates: ",
                     nlohmann::json(card_.statistics).dump()));
  }
  if (derive != nullptr) ALIDADE_RETURN_IF_ERROR(derive(card_.statistics));

  auto write = [this](const std::string& name, absl::string_view bytes) {
    card_.files[name] = Sha256Hex(bytes);
    return WriteFile(JoinPath(folder_, name), bytes);
  };
  card_.files.clear();
  for (const auto& [name, bytes] : extra_) ALIDADE_RETURN_IF_ERROR(write(name, bytes));
  ALIDADE_RETURN_IF_ERROR(write(std::string(kRecordsFile), records));
  ALIDADE_RETURN_IF_ERROR(write(std::string(kImagesFile), images));
  ALIDADE_RETURN_IF_ERROR(WriteFile(JoinPath(folder_, kReadme), FormatCardForPeople(card_)));
  ALIDADE_RETURN_IF_ERROR(SyncAll(folder_));
  ALIDADE_RETURN_IF_ERROR(WriteFile(JoinPath(folder_, kCardFile), FormatCard(card_)));
  finished_ = true;
  return RemoveTree(JoinPath(folder_, kParts));
}

}  // namespace alidade::datasets
