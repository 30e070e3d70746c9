#include "common/safetensors/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/files/files.h"
#include "common/json/json_fields.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"
#include "nlohmann/json.hpp"

namespace alidade {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little,
              "the format is little-endian and views are not swapped");

constexpr int64_t kLengthBytes = 8;
// The bound of Hugging Face's reader.
constexpr int64_t kMaxHeaderBytes = 100'000'000;
constexpr char kMetadataName[] = "__metadata__";

struct DtypeRow {
  SafetensorsDtype dtype;
  absl::string_view name;
  int64_t size;
};

constexpr DtypeRow kDtypes[] = {
    {SafetensorsDtype::kF64, "F64", 8},   {SafetensorsDtype::kF32, "F32", 4},
    {SafetensorsDtype::kBF16, "BF16", 2}, {SafetensorsDtype::kF16, "F16", 2},
    {SafetensorsDtype::kI64, "I64", 8},   {SafetensorsDtype::kI32, "I32", 4},
    {SafetensorsDtype::kU8, "U8", 1},     {SafetensorsDtype::kBool, "BOOL", 1},
};

const DtypeRow& RowOf(SafetensorsDtype dtype) {
  for (const DtypeRow& row : kDtypes) {
    if (row.dtype == dtype) return row;
  }
  ALIDADE_CHECK(false);
}

std::vector<std::string> DtypeNames() {
  std::vector<std::string> names;
  for (const DtypeRow& row : kDtypes) names.emplace_back(row.name);
  return names;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

// Bytes of a tensor, or nothing when they do not fit in 63 bits.
std::optional<int64_t> NumBytes(SafetensorsDtype dtype, const std::vector<int64_t>& shape) {
  int64_t bytes = DtypeSize(dtype);
  for (int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(bytes, size, &bytes)) return std::nullopt;
  }
  return bytes;
}

// An array of integers >= 0, or nothing.
std::optional<std::vector<int64_t>> NonNegativeIntegers(const json& value) {
  if (!value.is_array()) return std::nullopt;
  std::vector<int64_t> result;
  for (const json& item : value) {
    if (!item.is_number_unsigned() || item.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
      return std::nullopt;
    result.push_back(item.get<int64_t>());
  }
  return result;
}

absl::Status SystemError(absl::string_view path, absl::string_view what) {
  return absl::ErrnoToStatus(errno, absl::StrCat(path, ": ", what));
}

// One entry of the header, its offsets checked against its shape and the file's data.
absl::StatusOr<TensorView> ParseEntry(const JsonDocument& document, const std::string& name,
                                      const json& entry, absl::string_view data) {
  const std::string where = absl::StrCat(document.file, ": tensor '", name, "'");
  if (!entry.is_object()) {
    return absl::DataLossError(
        absl::StrCat(where, ": expected an object, got ", JsonForMessage(entry)));
  }
  for (const auto& member : entry.items()) {
    if (member.key() == "dtype" || member.key() == "shape" || member.key() == "data_offsets")
      continue;
    return absl::DataLossError(absl::StrCat(
        where, ": expected the fields dtype, shape and data_offsets, got '", member.key(), "'"));
  }
  for (const char* field : {"dtype", "shape", "data_offsets"}) {
    if (!entry.contains(field))
      return absl::DataLossError(absl::StrCat(where, ": expected a field ", field, ", got none"));
  }

  TensorView view;
  const json& dtype = entry["dtype"];
  const DtypeRow* row = std::find_if(
      std::begin(kDtypes), std::end(kDtypes),
      [&](const DtypeRow& candidate) { return dtype == json(std::string(candidate.name)); });
  if (row == std::end(kDtypes)) {
    return absl::DataLossError(absl::StrCat(where, ": dtype: expected one of ",
                                            absl::StrJoin(DtypeNames(), ", "), "; got ",
                                            JsonForMessage(dtype)));
  }
  view.dtype = row->dtype;

  const std::optional<std::vector<int64_t>> shape = NonNegativeIntegers(entry["shape"]);
  if (!shape.has_value()) {
    return absl::DataLossError(absl::StrCat(where,
                                            ": shape: expected an array of integers >= 0, got ",
                                            JsonForMessage(entry["shape"])));
  }
  view.shape = *shape;

  const std::optional<std::vector<int64_t>> offsets = NonNegativeIntegers(entry["data_offsets"]);
  if (!offsets.has_value() || offsets->size() != 2 || (*offsets)[0] > (*offsets)[1]) {
    return absl::DataLossError(
        absl::StrCat(where, ": data_offsets: expected [begin, end] with 0 <= begin <= end, got ",
                     JsonForMessage(entry["data_offsets"])));
  }
  const int64_t begin = (*offsets)[0];
  const int64_t end = (*offsets)[1];
  if (end > static_cast<int64_t>(data.size())) {
    return absl::DataLossError(
        absl::StrCat(where, ": data_offsets: expected an end <= ", data.size(),
                     ", the bytes of data in the file, got ", end, " (is the file cut short?)"));
  }
  const std::optional<int64_t> bytes = NumBytes(view.dtype, view.shape);
  if (!bytes.has_value() || *bytes != end - begin) {
    return absl::DataLossError(absl::StrCat(
        where, ": expected ", bytes.has_value() ? absl::StrCat(*bytes) : "an addressable number of",
        " bytes for dtype ", row->name, " and shape ", ShapeText(view.shape), ", got ", end - begin,
        " in data_offsets [", begin, ", ", end, "]"));
  }
  view.bytes = data.substr(begin, end - begin);
  return view;
}

// Every byte of the data belongs to exactly one tensor.
absl::Status CheckCoverage(absl::string_view path, const std::map<std::string, TensorView>& tensors,
                           absl::string_view data) {
  struct Extent {
    int64_t begin, end;
    const std::string* name;
  };
  std::vector<Extent> extents;
  for (const auto& [name, view] : tensors) {
    const int64_t begin = view.bytes.data() - data.data();
    extents.push_back({begin, begin + static_cast<int64_t>(view.bytes.size()), &name});
  }
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  int64_t covered = 0;
  const std::string* previous = nullptr;
  for (const Extent& extent : extents) {
    if (extent.begin < covered) {
      return absl::DataLossError(absl::StrCat(
          path, ": tensor '", *extent.name, "': expected data from byte ", covered,
          " on, got byte ", extent.begin, ", which overlaps tensor '", *previous, "'"));
    }
    if (extent.begin > covered) {
      return absl::DataLossError(
          absl::StrCat(path, ": tensor '", *extent.name, "': expected data from byte ", covered,
                       " on, got byte ", extent.begin, ", which leaves a hole of ",
                       extent.begin - covered, " bytes"));
    }
    covered = extent.end;
    previous = extent.name;
  }
  if (covered != static_cast<int64_t>(data.size())) {
    return absl::DataLossError(absl::StrCat(path, ": expected ", covered,
                                            " bytes of data, the end of the last tensor, got ",
                                            data.size()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view DtypeName(SafetensorsDtype dtype) { return RowOf(dtype).name; }

int64_t DtypeSize(SafetensorsDtype dtype) { return RowOf(dtype).size; }

int64_t TensorView::NumElements() const {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return count;
}

absl::StatusOr<std::unique_ptr<SafetensorsFile>> SafetensorsFile::Open(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return SystemError(path, "cannot open");
  absl::Cleanup close_file = [descriptor] { close(descriptor); };
  struct stat info;
  if (fstat(descriptor, &info) != 0) return SystemError(path, "cannot read its size");
  if (!S_ISREG(info.st_mode))
    return absl::InvalidArgumentError(absl::StrCat(path, ": expected a file, got something else"));
  if (info.st_size < kLengthBytes) {
    return absl::DataLossError(absl::StrCat(path, ": expected at least ", kLengthBytes,
                                            " bytes, the length of the header, got ",
                                            info.st_size));
  }
  void* data = mmap(nullptr, info.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (data == MAP_FAILED) return SystemError(path, "cannot map");
  auto file = std::unique_ptr<SafetensorsFile>(
      new SafetensorsFile(path, static_cast<const char*>(data), info.st_size));
  ALIDADE_RETURN_IF_ERROR(file->ParseHeader());
  return file;
}

SafetensorsFile::~SafetensorsFile() { munmap(const_cast<char*>(data_), size_); }

absl::Status SafetensorsFile::ParseHeader() {
  uint64_t length = 0;
  std::memcpy(&length, data_, sizeof(length));
  const uint64_t longest = std::min<uint64_t>(size_ - kLengthBytes, kMaxHeaderBytes);
  if (length > longest) {
    return absl::DataLossError(absl::StrCat(
        path_, ": header: expected a length <= ", longest, ", ",
        longest == kMaxHeaderBytes ? "the longest that is read" : "what the file holds", ", got ",
        length));
  }
  const absl::string_view header(data_ + kLengthBytes, length);
  const absl::string_view data(data_ + kLengthBytes + length, size_ - kLengthBytes - length);
  if (header.empty() || header[0] != '{') {
    return absl::DataLossError(absl::StrCat(
        path_, ": header: expected '{' as its first byte, got ",
        header.empty() ? "an empty header" : JsonForMessage(std::string(header.substr(0, 8)))));
  }
  ALIDADE_ASSIGN_OR_RETURN(const JsonDocument document, ParseJson(header, path_), "in the header");
  for (const auto& member : document.root.items()) {
    if (member.key() != kMetadataName) {
      ALIDADE_ASSIGN_OR_RETURN(tensors_[member.key()],
                               ParseEntry(document, member.key(), member.value(), data));
      continue;
    }
    if (!member.value().is_object()) {
      return absl::DataLossError(absl::StrCat(path_, ": ", kMetadataName,
                                              ": expected an object of strings, got ",
                                              JsonForMessage(member.value())));
    }
    for (const auto& entry : member.value().items()) {
      if (!entry.value().is_string()) {
        return absl::DataLossError(absl::StrCat(path_, ": ", kMetadataName, ".", entry.key(),
                                                ": expected a string, got ",
                                                JsonForMessage(entry.value())));
      }
      metadata_[entry.key()] = entry.value().get<std::string>();
    }
  }
  return CheckCoverage(path_, tensors_, data);
}

absl::StatusOr<TensorView> SafetensorsFile::Find(absl::string_view name) const {
  const auto found = tensors_.find(std::string(name));
  if (found != tensors_.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, view] : tensors_) names.push_back(known);
  const std::string nearest = NearestName(name, names);
  return absl::NotFoundError(
      absl::StrCat(path_, ": no tensor '", name, "'",
                   nearest.empty() ? "" : absl::StrCat("; the nearest is '", nearest, "'")));
}

absl::Status WriteSafetensors(const std::string& path,
                              const std::map<std::string, TensorView>& tensors,
                              const SafetensorsMetadata& metadata) {
  std::vector<const std::pair<const std::string, TensorView>*> order;
  for (const auto& tensor : tensors) {
    const TensorView& view = tensor.second;
    const std::optional<int64_t> bytes = NumBytes(view.dtype, view.shape);
    if (tensor.first == kMetadataName) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": the name '", kMetadataName, "' is reserved by the format"));
    }
    if (!bytes.has_value() || *bytes != static_cast<int64_t>(view.bytes.size())) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": tensor '", tensor.first, "': expected ", bytes.value_or(-1),
                       " bytes for dtype ", DtypeName(view.dtype), " and shape ",
                       ShapeText(view.shape), ", got ", view.bytes.size()));
    }
    order.push_back(&tensor);
  }
  // Larger elements first: all data is then aligned to its element size.
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) {
    return std::make_pair(-DtypeSize(a->second.dtype), a->first) <
           std::make_pair(-DtypeSize(b->second.dtype), b->first);
  });

  json header = json::object();
  if (!metadata.empty()) header[kMetadataName] = metadata;
  int64_t offset = 0;
  for (const auto* tensor : order) {
    const TensorView& view = tensor->second;
    const int64_t end = offset + static_cast<int64_t>(view.bytes.size());
    header[tensor->first] = {{"dtype", std::string(DtypeName(view.dtype))},
                             {"shape", view.shape},
                             {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
  // The data begins at a multiple of eight; the format allows trailing spaces in the header for
  // this.
  while (text.size() % kLengthBytes != 0) text += ' ';
  if (static_cast<int64_t>(text.size()) > kMaxHeaderBytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": header: expected at most ",
                                                   kMaxHeaderBytes, " bytes, got ", text.size()));
  }

  std::string bytes(kLengthBytes, '\0');
  const uint64_t length = text.size();
  std::memcpy(bytes.data(), &length, sizeof(length));
  bytes.reserve(kLengthBytes + text.size() + offset);
  bytes += text;
  for (const auto* tensor : order) absl::StrAppend(&bytes, tensor->second.bytes);
  return WriteFile(path, bytes);
}

}  // namespace alidade
