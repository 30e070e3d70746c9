#include "common/json/json_fields.h"

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/registry/nearest_name.h"
#include "nlohmann/json.hpp"

namespace alidade {
namespace {

using nlohmann::json;

template <typename T>
struct Expected;
template <>
struct Expected<int64_t> {
  static constexpr absl::string_view kName = "an integer";
};
template <>
struct Expected<double> {
  static constexpr absl::string_view kName = "a number";
};
template <>
struct Expected<bool> {
  static constexpr absl::string_view kName = "true or false";
};
template <>
struct Expected<std::string> {
  static constexpr absl::string_view kName = "a string";
};
template <>
struct Expected<std::vector<std::string>> {
  static constexpr absl::string_view kName = "an array of strings";
};

template <typename T>
bool Convert(const json& value, T* result) {
  if constexpr (std::is_same_v<T, int64_t>) {
    if (!value.is_number_integer()) return false;
    if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
      return false;
  } else if constexpr (std::is_same_v<T, double>) {
    if (!value.is_number()) return false;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_boolean()) return false;
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!value.is_string()) return false;
  } else {
    if (!value.is_array()) return false;
    if (!std::all_of(value.begin(), value.end(), [](const json& item) { return item.is_string(); }))
      return false;
  }
  *result = value.get<T>();
  return true;
}

}  // namespace

std::string JsonForMessage(const json& value) {
  constexpr size_t kMaxLength = 60;
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace);
  if (text.size() > kMaxLength) text = text.substr(0, kMaxLength) + "...";
  return text;
}

std::string JsonDocument::Where(absl::string_view path) const {
  if (path.empty()) return file;
  const auto line = lines.find(std::string(path));
  if (line == lines.end()) return absl::StrCat(file, ": ", path);
  return absl::StrCat(file, ":", line->second, ": ", path);
}

JsonFields::JsonFields(const JsonDocument& document) : JsonFields(document, document.root, "") {}

JsonFields::JsonFields(const JsonDocument& document, const json& object, std::string path)
    : document_(document), object_(&object), path_(std::move(path)) {
  if (!object_->is_object()) {
    status_ = absl::InvalidArgumentError(absl::StrCat(
        document_.Where(path_), ": expected an object, got ", JsonForMessage(*object_)));
  }
}

std::string JsonFields::Path(absl::string_view name) const {
  return path_.empty() ? std::string(name) : absl::StrCat(path_, ".", name);
}

void JsonFields::Fail(absl::string_view name, absl::string_view message) {
  if (!status_.ok()) return;
  status_ = absl::InvalidArgumentError(absl::StrCat(document_.Where(Path(name)), ": ", message));
}

bool JsonFields::Has(absl::string_view name) const {
  return object_->is_object() && object_->contains(std::string(name));
}

const json* JsonFields::Find(absl::string_view name, bool required, absl::string_view expected) {
  known_.emplace_back(name);
  if (!status_.ok()) return nullptr;
  const auto found = object_->find(std::string(name));
  if (found != object_->end()) return &*found;
  if (required) {
    status_ = absl::InvalidArgumentError(absl::StrCat(
        document_.Where(path_), ": ", name, ": expected ", expected, ", got no such field"));
  }
  return nullptr;
}

template <typename T>
void JsonFields::Read(absl::string_view name, bool required, T* value) {
  const json* member = Find(name, required, Expected<T>::kName);
  if (member == nullptr || (member->is_null() && !required)) return;
  if (!Convert(*member, value))
    Fail(name, absl::StrCat("expected ", Expected<T>::kName, ", got ", JsonForMessage(*member)));
}

void JsonFields::Required(absl::string_view name, int64_t* value) { Read(name, true, value); }
void JsonFields::Required(absl::string_view name, double* value) { Read(name, true, value); }
void JsonFields::Required(absl::string_view name, bool* value) { Read(name, true, value); }
void JsonFields::Required(absl::string_view name, std::string* value) { Read(name, true, value); }
void JsonFields::Required(absl::string_view name, std::vector<std::string>* value) {
  Read(name, true, value);
}
void JsonFields::Optional(absl::string_view name, int64_t* value) { Read(name, false, value); }
void JsonFields::Optional(absl::string_view name, double* value) { Read(name, false, value); }
void JsonFields::Optional(absl::string_view name, bool* value) { Read(name, false, value); }
void JsonFields::Optional(absl::string_view name, std::string* value) { Read(name, false, value); }
void JsonFields::Optional(absl::string_view name, std::vector<std::string>* value) {
  Read(name, false, value);
}

const json* JsonFields::RequiredObject(absl::string_view name) {
  const json* member = Find(name, true, "an object");
  if (member == nullptr || member->is_object()) return member;
  Fail(name, absl::StrCat("expected an object, got ", JsonForMessage(*member)));
  return nullptr;
}

const json* JsonFields::RequiredArray(absl::string_view name) {
  const json* member = Find(name, true, "an array");
  if (member == nullptr || member->is_array()) return member;
  Fail(name, absl::StrCat("expected an array, got ", JsonForMessage(*member)));
  return nullptr;
}

const json* JsonFields::OptionalObject(absl::string_view name) {
  const json* member = Find(name, false, "an object");
  if (member == nullptr || member->is_null()) return nullptr;
  if (member->is_object()) return member;
  Fail(name, absl::StrCat("expected an object, got ", JsonForMessage(*member)));
  return nullptr;
}

const json* JsonFields::OptionalValue(absl::string_view name) {
  return Find(name, false, "a value");
}

void JsonFields::Ignore(absl::string_view name) { known_.emplace_back(name); }

void JsonFields::MustBe(absl::string_view name, const json& value) {
  const json* member = Find(name, false, "a value");
  if (member == nullptr || *member == value) return;
  Fail(name, absl::StrCat("expected ", JsonForMessage(value),
                          " (nothing else is implemented), got ", JsonForMessage(*member)));
}

void JsonFields::OneOf(absl::string_view name, std::string* value,
                       const std::vector<std::string>& choices) {
  Read(name, false, value);
  if (!status_.ok() || std::find(choices.begin(), choices.end(), *value) != choices.end()) return;
  const std::string nearest = NearestName(*value, choices);
  Fail(name,
       absl::StrCat("expected one of ", absl::StrJoin(choices, ", "), "; got \"", *value, "\"",
                    nearest.empty() ? "" : absl::StrCat("; did you mean '", nearest, "'?")));
}

void JsonFields::Expect(bool holds, absl::string_view name, absl::string_view expectation) {
  if (holds || !status_.ok()) return;
  const auto member = object_->find(std::string(name));
  Fail(name, absl::StrCat("expected ", expectation, ", got ",
                          member == object_->end() ? "no such field" : JsonForMessage(*member)));
}

absl::Status JsonFields::Finish() {
  if (!status_.ok()) return status_;
  for (const auto& member : object_->items()) {
    if (std::find(known_.begin(), known_.end(), member.key()) != known_.end()) continue;
    const std::string nearest = NearestName(member.key(), known_);
    Fail(member.key(),
         absl::StrCat("unknown field",
                      nearest.empty() ? "" : absl::StrCat("; did you mean '", nearest, "'?")));
    break;
  }
  return status_;
}

}  // namespace alidade
