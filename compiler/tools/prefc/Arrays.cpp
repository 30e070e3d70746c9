#include "compiler/tools/prefc/Arrays.h"

#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/files.h"
#include "common/safetensors/safetensors.h"
#include "common/status/status.h"
#include "nlohmann/json.hpp"

namespace alidade::pref {
namespace {

using Json = nlohmann::ordered_json;

template <typename T, typename Out>
void appendElements(absl::string_view bytes, std::vector<Out>& out) {
  for (size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    out.push_back(static_cast<Out>(value));
  }
}

Json toJson(const Array& array, size_t dim, int64_t& at) {
  if (dim == array.shape.size()) {
    const int64_t i = at++;
    return array.isInteger ? Json(array.integers[i]) : Json(array.reals[i]);
  }
  Json list = Json::array();
  for (int64_t i = 0; i < array.shape[dim]; ++i) list.push_back(toJson(array, dim + 1, at));
  return list;
}

// Appends the numbers of nested lists; false where lists of one depth differ in length or an
// element is no number.
bool flatten(const Json& json, size_t dim, Array& array) {
  if (!json.is_array()) {
    if (!json.is_number() || dim != array.shape.size()) return false;
    array.isInteger &= json.is_number_integer();
    array.reals.push_back(json.get<double>());
    if (json.is_number_integer()) array.integers.push_back(json.get<int64_t>());
    return true;
  }
  const int64_t length = json.size();
  if (dim == array.shape.size() && array.reals.empty()) array.shape.push_back(length);
  if (dim >= array.shape.size() || array.shape[dim] != length) return false;
  for (const Json& item : json) {
    if (!flatten(item, dim + 1, array)) return false;
  }
  return true;
}

absl::StatusOr<Arrays> arraysFromJson(const Json& json, const std::string& where) {
  Arrays arrays;
  for (const auto& [name, value] : json.items()) {
    Array array;
    array.isInteger = true;
    if (!flatten(value, 0, array)) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ".", name, ": expected a number or even lists of numbers"));
    }
    if (array.isInteger) {
      array.reals.clear();
    } else {
      array.integers.clear();
    }
    arrays[name] = std::move(array);
  }
  return arrays;
}

}  // namespace

Array Array::ofReals(std::vector<int64_t> shape, std::vector<double> values) {
  Array array;
  array.shape = std::move(shape);
  array.reals = std::move(values);
  return array;
}

Array Array::ofIntegers(std::vector<int64_t> values) {
  Array array;
  array.shape = {static_cast<int64_t>(values.size())};
  array.isInteger = true;
  array.integers = std::move(values);
  return array;
}

absl::StatusOr<Arrays> readArrays(const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(const std::unique_ptr<SafetensorsFile> file,
                           SafetensorsFile::Open(path));
  Arrays arrays;
  for (const auto& [name, view] : file->tensors()) {
    Array array;
    array.shape = view.shape;
    switch (view.dtype) {
      case SafetensorsDtype::kF64:
        appendElements<double>(view.bytes, array.reals);
        break;
      case SafetensorsDtype::kF32:
        appendElements<float>(view.bytes, array.reals);
        break;
      case SafetensorsDtype::kI64:
        array.isInteger = true;
        appendElements<int64_t>(view.bytes, array.integers);
        break;
      case SafetensorsDtype::kI32:
        array.isInteger = true;
        appendElements<int32_t>(view.bytes, array.integers);
        break;
      default:
        return absl::InvalidArgumentError(absl::StrCat(path, ": tensor '", name,
                                                       "': expected F64, F32, I64 or I32, got ",
                                                       DtypeName(view.dtype)));
    }
    arrays[name] = std::move(array);
  }
  return arrays;
}

absl::Status writeArrays(const std::string& path, const Arrays& arrays) {
  std::map<std::string, TensorView> views;
  for (const auto& [name, array] : arrays) {
    const char* data = array.isInteger ? reinterpret_cast<const char*>(array.integers.data())
                                       : reinterpret_cast<const char*>(array.reals.data());
    const size_t size = 8 * (array.isInteger ? array.integers.size() : array.reals.size());
    views[name] = {array.isInteger ? SafetensorsDtype::kI64 : SafetensorsDtype::kF64, array.shape,
                   absl::string_view(data, size)};
  }
  return WriteSafetensors(path, views);
}

std::string arraysToJson(const Arrays& arrays) {
  Json json = Json::object();
  for (const auto& [name, array] : arrays) {
    int64_t at = 0;
    json[name] = toJson(array, 0, at);
  }
  return json.dump(1) + "\n";
}

// One case. `where` names the file, and the case where it is not the first.
static absl::StatusOr<Golden> goldenFromJson(const Json& json, const std::string& where) {
  const auto refuse = [&](absl::string_view member, absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": ", member, ": ", what));
  };
  if (!json.is_object())
    return absl::InvalidArgumentError(absl::StrCat(where, ": expected an object"));
  if (!json.contains("origin")) return refuse("origin", "missing");
  if (!json["origin"].is_string()) return refuse("origin", "expected a string");
  Golden golden;
  golden.origin = json["origin"].get<std::string>();
  for (const char* member : {"hyperparameters", "outputs"}) {
    if (!json.contains(member)) return refuse(member, "missing");
  }
  for (const auto& [name, value] : json["hyperparameters"].items()) {
    if (!value.is_number())
      return refuse(absl::StrCat("hyperparameters.", name), "expected a number");
    golden.hyperparameters[name] = value.get<double>();
  }
  const Json options = json.value("options", Json::object());
  for (const auto& [name, value] : options.items()) {
    if (!value.is_string()) return refuse(absl::StrCat("options.", name), "expected a string");
    golden.options[name] = value.get<std::string>();
  }
  ALIDADE_ASSIGN_OR_RETURN(
      golden.inputs, arraysFromJson(json.value("inputs", Json::object()), where + ": inputs"));
  ALIDADE_ASSIGN_OR_RETURN(golden.outputs, arraysFromJson(json["outputs"], where + ": outputs"));
  return golden;
}

absl::StatusOr<std::vector<Golden>> readGoldens(const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded())
    return absl::InvalidArgumentError(absl::StrCat(path, ": not valid JSON"));
  ALIDADE_ASSIGN_OR_RETURN(Golden first, goldenFromJson(json, path));
  if (!json.contains("inputs"))
    return absl::InvalidArgumentError(absl::StrCat(path, ": inputs: missing"));
  std::vector<Golden> goldens = {std::move(first)};
  for (const Json& item : json.value("cases", Json::array())) {
    ALIDADE_ASSIGN_OR_RETURN(
        Golden golden,
        goldenFromJson(item, absl::StrCat(path, ": cases[", goldens.size() - 1, "]")));
    golden.inputs.insert(goldens[0].inputs.begin(), goldens[0].inputs.end());
    goldens.push_back(std::move(golden));
  }
  return goldens;
}

absl::StatusOr<Golden> readGolden(const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(std::vector<Golden> goldens, readGoldens(path));
  return std::move(goldens[0]);
}

}  // namespace alidade::pref
