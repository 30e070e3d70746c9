#include "common/models/weights.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/json/json_fields.h"
#include "common/safetensors/safetensors.h"
#include "common/status/status.h"
#include "common/tensor/fence.h"
#include "common/tensor/named_tensors.h"
#include "nlohmann/json.hpp"

namespace alidade::models {
namespace {

struct DtypePair {
  SafetensorsDtype file;
  at::ScalarType torch;
};

constexpr DtypePair kDtypes[] = {
    {SafetensorsDtype::kF64, at::kDouble},    {SafetensorsDtype::kF32, at::kFloat},
    {SafetensorsDtype::kBF16, at::kBFloat16}, {SafetensorsDtype::kF16, at::kHalf},
    {SafetensorsDtype::kI64, at::kLong},      {SafetensorsDtype::kI32, at::kInt},
    {SafetensorsDtype::kU8, at::kByte},       {SafetensorsDtype::kBool, at::kBool},
};

at::ScalarType TorchDtype(SafetensorsDtype dtype) {
  for (const DtypePair& pair : kDtypes) {
    if (pair.file == dtype) return pair.torch;
  }
  ALIDADE_CHECK(false);
}

absl::StatusOr<SafetensorsDtype> FileDtype(at::ScalarType dtype) {
  for (const DtypePair& pair : kDtypes) {
    if (pair.torch == dtype) return pair.file;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("expected a dtype of the safetensors format, got ", c10::toString(dtype)));
}

}  // namespace

absl::Status CheckFinite(const at::Tensor& tensor, const std::string& name,
                         const std::string& where) {
  if (!tensor.is_floating_point() || tensor.numel() == 0) return absl::OkStatus();
  const at::Tensor finite = at::isfinite(tensor);
  if (finite.all().item<bool>()) return absl::OkStatus();
  const int64_t at = finite.reshape({-1}).logical_not().to(at::kByte).argmax().item<int64_t>();
  const double value = tensor.reshape({-1})[at].item<double>();
  return absl::DataLossError(absl::StrCat(where, ": tensor '", name,
                                          "': expected finite values, got ", value, " at element ",
                                          at, " of ", tensor.numel()));
}

absl::StatusOr<NamedTensors> LoadNamedTensors(const std::string& path,
                                              SafetensorsMetadata* metadata) {
  ALIDADE_ASSIGN_OR_RETURN(const std::unique_ptr<SafetensorsFile> file,
                           SafetensorsFile::Open(path));
  NamedTensors tensors;
  ALIDADE_RETURN_IF_ERROR(FenceTorch(absl::StrCat("loading ", path), [&]() -> absl::Status {
    for (const auto& [name, view] : file->tensors()) {
      const at::Tensor tensor =
          at::empty(view.shape, at::TensorOptions().dtype(TorchDtype(view.dtype)));
      if (!view.bytes.empty()) std::memcpy(tensor.data_ptr(), view.bytes.data(), view.bytes.size());
      ALIDADE_RETURN_IF_ERROR(CheckFinite(tensor, name, path));
      tensors.emplace(name, tensor);
    }
    return absl::OkStatus();
  }));
  if (metadata != nullptr) *metadata = file->metadata();
  return tensors;
}

absl::StatusOr<NamedTensors> LoadFolderTensors(const std::string& folder, std::string* where) {
  const std::string index = JoinPath(folder, "model.safetensors.index.json");
  *where = JoinPath(folder, "model.safetensors");
  if (PathExists(*where) || !PathExists(index)) return LoadNamedTensors(*where);
  *where = index;
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(index));
  ALIDADE_ASSIGN_OR_RETURN(const JsonDocument document, ParseJson(text, index));
  JsonFields fields(document);
  fields.Ignore("metadata");
  const nlohmann::json* files = fields.RequiredObject("weight_map");
  ALIDADE_RETURN_IF_ERROR(fields.Finish());

  std::map<std::string, std::string> file_of;
  NamedTensors tensors;
  for (const auto& member : files->items()) {
    if (!member.value().is_string()) {
      return absl::DataLossError(
          absl::StrCat(document.Where(absl::StrCat("weight_map.", member.key())),
                       ": expected the name of a file, got ", JsonForMessage(member.value())));
    }
    file_of[member.key()] = member.value().get<std::string>();
  }
  std::set<std::string> names;
  for (const auto& [tensor, file] : file_of) names.insert(file);
  for (const std::string& name : names) {
    ALIDADE_ASSIGN_OR_RETURN(NamedTensors part, LoadNamedTensors(JoinPath(folder, name)));
    for (auto& [tensor, value] : part) {
      const auto file = file_of.find(tensor);
      if (file == file_of.end() || file->second != name) {
        return absl::DataLossError(absl::StrCat(index, ": tensor '", tensor, "': expected in ",
                                                file == file_of.end() ? "no file" : file->second,
                                                ", got ", name));
      }
      tensors.emplace(tensor, std::move(value));
    }
  }
  for (const auto& [tensor, file] : file_of) {
    if (!tensors.contains(tensor)) {
      return absl::DataLossError(absl::StrCat(index, ": tensor '", tensor, "': expected in ", file,
                                              ", got no such tensor"));
    }
  }
  return tensors;
}

absl::Status SaveNamedTensors(const NamedTensors& tensors, const std::string& path,
                              const SafetensorsMetadata& metadata) {
  return FenceTorch(absl::StrCat("saving ", path), [&]() -> absl::Status {
    std::vector<at::Tensor> owners;  // of the bytes that the views point to
    std::map<std::string, TensorView> views;
    for (const auto& [name, tensor] : tensors) {
      if (!tensor.defined())
        return absl::InvalidArgumentError(absl::StrCat(path, ": tensor '", name, "' is undefined"));
      owners.push_back(tensor.detach().to(at::kCPU).contiguous());
      const at::Tensor& owner = owners.back();
      TensorView& view = views[name];
      ALIDADE_ASSIGN_OR_RETURN(view.dtype, FileDtype(owner.scalar_type()), path, ": tensor '", name,
                               "'");
      view.shape = owner.sizes().vec();
      view.bytes = absl::string_view(static_cast<const char*>(owner.data_ptr()), owner.nbytes());
    }
    return WriteSafetensors(path, views, metadata);
  });
}

}  // namespace alidade::models
