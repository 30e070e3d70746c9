#include "experiments/workflow/config.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files/files.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/message.h"

namespace alidade::experiments {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;

std::vector<std::string> FieldNames(const Descriptor* type) {
  std::vector<std::string> names;
  for (int i = 0; i < type->field_count(); ++i) names.push_back(type->field(i)->name());
  return names;
}

// Enumeration of the field called `name` somewhere below `type`; null where there is none.
const EnumDescriptor* FindEnumOfField(const Descriptor* type, absl::string_view name,
                                      std::set<const Descriptor*>& seen) {
  if (!seen.insert(type).second) return nullptr;
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->name() == name && field->enum_type() != nullptr) return field->enum_type();
    if (field->message_type() != nullptr) {
      if (const EnumDescriptor* found = FindEnumOfField(field->message_type(), name, seen)) {
        return found;
      }
    }
  }
  return nullptr;
}

// What protobuf's parser says, in the words of our messages and with the nearest known name.
std::string Reword(const std::string& message) {
  const std::vector<std::string> parts = absl::StrSplit(message, '"');
  if (absl::StrContains(message, "has no field named") && parts.size() >= 4) {
    const Descriptor* type =
        Experiment::descriptor()->file()->pool()->FindMessageTypeByName(parts[1]);
    if (type != nullptr) {
      return absl::StrCat("expected a field of ", type->name(), ", got \"", parts[3], "\"",
                          Suggestion(parts[3], FieldNames(type)));
    }
  }
  if (absl::StartsWith(message, "Unknown enumeration value of") && parts.size() >= 4) {
    std::set<const Descriptor*> seen;
    const EnumDescriptor* type = FindEnumOfField(Experiment::descriptor(), parts[3], seen);
    if (type != nullptr) {
      std::vector<std::string> names;
      for (int i = 0; i < type->value_count(); ++i) names.push_back(type->value(i)->name());
      return absl::StrCat(parts[3], ": expected a value of ", type->name(), ", got \"", parts[1],
                          "\"", Suggestion(parts[1], names));
    }
  }
  std::string reworded = message;
  if (!reworded.empty() && reworded.back() == '.') reworded.pop_back();
  if (!reworded.empty()) reworded[0] = absl::ascii_tolower(reworded[0]);
  return reworded;
}

// Keeps the first error, located.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  explicit FirstError(std::string path) : path_(std::move(path)) {}

  void AddError(int line, int column, const std::string& message) override {
    if (!error_.empty()) return;
    error_ = absl::StrCat(path_, ":", line + 1, ":", column + 1, ": ", Reword(message));
    message_ = Reword(message);
  }
  void AddWarning(int line, int column, const std::string& message) override {
    AddError(line, column, message);
  }

  const std::string& error() const { return error_; }
  const std::string& message() const { return message_; }

 private:
  std::string path_;
  std::string error_;
  std::string message_;
};

// The first string field of a message: what its elements are told apart by.
const FieldDescriptor* KeyField(const Descriptor* type) {
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (!field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) return field;
  }
  return nullptr;
}

// The other field of a message that is a name and one value; null for any other message.
const FieldDescriptor* ValueField(const Descriptor* type) {
  const FieldDescriptor* key = KeyField(type);
  if (key == nullptr || type->field_count() != 2) return nullptr;
  const FieldDescriptor* value = type->field(key->index() == 0 ? 1 : 0);
  return value->is_repeated() || value->message_type() != nullptr ? nullptr : value;
}

// Value of an override as it stands in text format; empty where it cannot be one value or one list.
std::string ValueText(const FieldDescriptor* field, absl::string_view value) {
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING && !absl::StartsWith(value, "[")) {
    return absl::StrCat("\"", absl::CEscape(value), "\"");
  }
  const bool list = absl::StartsWith(value, "[") && absl::EndsWith(value, "]");
  const absl::string_view body = list ? value.substr(1, value.size() - 2) : value;
  if (list != field->is_repeated()) return "";
  std::vector<std::string> items;
  for (absl::string_view item : absl::StrSplit(body, ',', absl::SkipWhitespace())) {
    item = absl::StripAsciiWhitespace(item);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      items.push_back(absl::StrCat("\"", absl::CEscape(item), "\""));
      continue;
    }
    const bool plain = std::all_of(item.begin(), item.end(), [](unsigned char c) {
      return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '+' || c == '_';
    });
    if (!plain) return "";
    items.push_back(std::string(item));
  }
  if (!list) return items.size() == 1 ? items[0] : "";
  return absl::StrCat("[", absl::StrJoin(items, ", "), "]");
}

// Where an override goes: the message that holds the last field, and the way to it for `Where`.
struct OverrideTarget {
  Message* message = nullptr;
  const FieldDescriptor* field = nullptr;
  std::string trail;  // "stage[3].sft.loop.steps"
};

absl::StatusOr<OverrideTarget> Descend(Message* message, std::string trail,
                                       absl::Span<const std::string> names) {
  OverrideTarget target;
  for (size_t i = 0; i < names.size(); ++i) {
    const Descriptor* type = message->GetDescriptor();
    const FieldDescriptor* field = type->FindFieldByName(names[i]);
    if (field == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("expected a field of ", type->name(),
                                                     ", got \"", names[i], "\"",
                                                     Suggestion(names[i], FieldNames(type))));
    }
    absl::StrAppend(&trail, trail.empty() ? "" : ".", names[i]);
    const bool last = i + 1 == names.size();
    if (field->message_type() == nullptr) {
      if (!last) {
        return absl::InvalidArgumentError(
            absl::StrCat(names[i], ": expected the end of the path, got \".", names[i + 1], "\""));
      }
      return OverrideTarget{message, field, trail};
    }
    if (last) {
      return absl::InvalidArgumentError(
          absl::StrCat(names[i], ": expected one of its fields after it: ",
                       absl::StrJoin(FieldNames(field->message_type()), ", ")));
    }
    const Reflection* reflection = message->GetReflection();
    if (!field->is_repeated()) {
      message = reflection->MutableMessage(message, field);
      continue;
    }
    const FieldDescriptor* key = KeyField(field->message_type());
    std::vector<std::string> keys;
    int found = -1;
    for (int k = 0; key != nullptr && k < reflection->FieldSize(*message, field); ++k) {
      const Message& element = reflection->GetRepeatedMessage(*message, field, k);
      keys.push_back(element.GetReflection()->GetString(element, key));
      if (keys.back() == names[i + 1]) found = k;
    }
    // A setting with a name and a value is one thing to a person: "hyperparameter.beta", there
    // already or not.
    const FieldDescriptor* value = ValueField(field->message_type());
    if (found < 0 && value != nullptr && i + 2 == names.size()) {
      Message* element = reflection->AddMessage(message, field);
      element->GetReflection()->SetString(element, key, names[i + 1]);
      found = reflection->FieldSize(*message, field) - 1;
    }
    if (found < 0) {
      return absl::InvalidArgumentError(absl::StrCat(names[i], ": expected the name of one of its ",
                                                     keys.size(), " elements, got \"", names[i + 1],
                                                     "\"", Suggestion(names[i + 1], keys)));
    }
    absl::StrAppend(&trail, "[", found, "]");
    message = reflection->MutableRepeatedMessage(message, field, found);
    ++i;
    if (i + 1 == names.size() && value != nullptr) {
      return OverrideTarget{message, value, trail};  // name and value are both the override's
    }
    if (i + 1 == names.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat(names[i], ": expected one of its fields after it: ",
                       absl::StrJoin(FieldNames(field->message_type()), ", ")));
    }
  }
  return absl::InvalidArgumentError("expected a path, got nothing before \"=\"");
}

absl::Status Assign(const OverrideTarget& target, absl::string_view value) {
  const FieldDescriptor* field = target.field;
  const std::string text = ValueText(field, value);
  if (text.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        field->name(), ": expected ", field->is_repeated() ? "a list [a, b]" : "one value",
        " of type ", field->type_name(), ", got \"", value, "\""));
  }
  const std::string snippet = absl::StrCat(field->name(), ": ", text);
  std::unique_ptr<Message> parsed(target.message->New());
  FirstError error("value");
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(snippet, parsed.get())) {
    return absl::InvalidArgumentError(absl::StrCat(field->name(), ": expected a value of type ",
                                                   field->type_name(), ", got \"", value, "\" (",
                                                   error.message(), ")"));
  }
  if (field->is_repeated()) {
    target.message->GetReflection()->ClearField(target.message, field);
  }
  target.message->MergeFrom(*parsed);
  return absl::OkStatus();
}

// Trail of a path as `overrides_` spells it.
std::string Trail(const Message& root, absl::Span<const PathStep> path) {
  std::string trail;
  const Descriptor* type = root.GetDescriptor();
  for (const PathStep& step : path) {
    absl::StrAppend(&trail, trail.empty() ? "" : ".", step.field);
    const FieldDescriptor* field = type == nullptr ? nullptr : type->FindFieldByName(step.field);
    if (field == nullptr) break;
    if (field->is_repeated() && field->message_type() != nullptr) {
      absl::StrAppend(&trail, "[", step.index, "]");
    }
    type = field->message_type();
  }
  return trail;
}

}  // namespace

std::string Suggestion(absl::string_view name, const std::vector<std::string>& known) {
  const std::string nearest = NearestName(name, known);
  if (!nearest.empty()) return absl::StrCat("; did you mean \"", nearest, "\"?");
  if (known.empty()) return "; none is known";
  return absl::StrCat("; known: ", absl::StrJoin(known, ", "));
}

std::string KindOf(const Stage& stage) {
  const auto* oneof = Stage::descriptor()->FindOneofByName("kind");
  const FieldDescriptor* field = stage.GetReflection()->GetOneofFieldDescriptor(stage, oneof);
  return field == nullptr ? "" : field->name();
}

std::vector<std::string> StageKindNames() {
  std::vector<std::string> names;
  const auto* oneof = Stage::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < oneof->field_count(); ++i) names.push_back(oneof->field(i)->name());
  return names;
}

std::string CanonicalText(const Message& message) {
  TextFormat::Printer printer;
  printer.SetUseShortRepeatedPrimitives(false);
  std::string text;
  printer.PrintToString(message, &text);
  return text;
}

void FillDefaults(Message& message) {
  const Descriptor* type = message.GetDescriptor();
  const Reflection* reflection = message.GetReflection();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->is_repeated()) {
      if (field->message_type() == nullptr) continue;
      for (int k = 0; k < reflection->FieldSize(message, field); ++k) {
        FillDefaults(*reflection->MutableRepeatedMessage(&message, field, k));
      }
      continue;
    }
    const bool in_oneof = field->real_containing_oneof() != nullptr;
    const bool set = reflection->HasField(message, field);
    if (in_oneof && !set) continue;
    if (field->message_type() != nullptr) {
      FillDefaults(*reflection->MutableMessage(&message, field));
      continue;
    }
    if (set || !field->has_default_value()) continue;
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        reflection->SetInt32(&message, field, field->default_value_int32());
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        reflection->SetInt64(&message, field, field->default_value_int64());
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        reflection->SetUInt32(&message, field, field->default_value_uint32());
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        reflection->SetUInt64(&message, field, field->default_value_uint64());
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        reflection->SetDouble(&message, field, field->default_value_double());
        break;
      case FieldDescriptor::CPPTYPE_FLOAT:
        reflection->SetFloat(&message, field, field->default_value_float());
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        reflection->SetBool(&message, field, field->default_value_bool());
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        reflection->SetEnum(&message, field, field->default_value_enum());
        break;
      case FieldDescriptor::CPPTYPE_STRING:
        reflection->SetString(&message, field, field->default_value_string());
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        break;
    }
  }
}

absl::StatusOr<ExperimentFile> ExperimentFile::Read(const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path), "while reading the experiment");
  return Parse(path, text);
}

absl::StatusOr<ExperimentFile> ExperimentFile::Parse(const std::string& path,
                                                     const std::string& text) {
  ExperimentFile file;
  file.path_ = path;
  file.experiment_ = std::make_unique<Experiment>();
  file.positions_ = std::make_unique<TextFormat::ParseInfoTree>();
  FirstError error(path);
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.WriteLocationsTo(file.positions_.get());
  if (!parser.ParseFromString(text, file.experiment_.get()) || !error.error().empty()) {
    return absl::InvalidArgumentError(error.error());
  }
  return file;
}

absl::Status ExperimentFile::Override(const std::string& assignment, const std::string& origin) {
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, " ", assignment, ": expected path=value, got no \"=\""));
  }
  const std::string path = assignment.substr(0, equals);
  const std::string value = assignment.substr(equals + 1);
  std::vector<std::string> names = absl::StrSplit(path, '.');
  Message* message = experiment_.get();
  std::string trail;
  std::vector<std::string> ids;
  for (int i = 0; i < experiment_->stage_size(); ++i) {
    Stage* stage = experiment_->mutable_stage(i);
    ids.push_back(stage->id());
    if (stage->id() != names[0] || KindOf(*stage).empty()) continue;
    const FieldDescriptor* kind = Stage::descriptor()->FindFieldByName(KindOf(*stage));
    message = stage->GetReflection()->MutableMessage(stage, kind);
    trail = absl::StrCat("stage[", i, "].", kind->name());
    names.erase(names.begin());
    break;
  }
  if (trail.empty() && Experiment::descriptor()->FindFieldByName(names[0]) == nullptr) {
    std::vector<std::string> known = ids;
    for (const std::string& name : FieldNames(Experiment::descriptor())) known.push_back(name);
    return absl::InvalidArgumentError(absl::StrCat(
        origin, " ", assignment, ": expected the id of a stage or a field of Experiment, got \"",
        names[0], "\"", Suggestion(names[0], known)));
  }
  absl::StatusOr<OverrideTarget> target = Descend(message, trail, names);
  absl::Status status = target.ok() ? Assign(*target, value) : target.status();
  if (!status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, " ", assignment, ": ", status.message()));
  }
  overrides_[target->trail] = absl::StrCat(origin, " ", assignment);
  return absl::OkStatus();
}

absl::Status ExperimentFile::ApplySmoke() {
  for (int i = 0; i < experiment_->smoke_size(); ++i) {
    ALIDADE_RETURN_IF_ERROR(
        Override(experiment_->smoke(i), absl::StrCat(Where({{"smoke", i}}), ": smoke:")));
  }
  experiment_->clear_smoke();
  return absl::OkStatus();
}

void ExperimentFile::FillDefaults() { ::alidade::experiments::FillDefaults(*experiment_); }

std::string ExperimentFile::Where(absl::Span<const PathStep> path) const {
  for (size_t length = path.size(); length > 0; --length) {
    const auto overridden = overrides_.find(Trail(*experiment_, path.subspan(0, length)));
    if (overridden != overrides_.end()) return overridden->second;
  }
  const TextFormat::ParseInfoTree* tree = positions_.get();
  const Descriptor* type = experiment_->GetDescriptor();
  TextFormat::ParseLocation found(0, 0);
  for (const PathStep& step : path) {
    const FieldDescriptor* field = type == nullptr ? nullptr : type->FindFieldByName(step.field);
    if (field == nullptr || tree == nullptr) break;
    const int index = field->is_repeated() ? step.index : -1;
    const TextFormat::ParseLocation location = tree->GetLocation(field, index);
    if (location.line < 0) break;
    found = location;
    type = field->message_type();
    tree = type == nullptr ? nullptr : tree->GetTreeForNested(field, index);
  }
  return absl::StrCat(path_, ":", found.line + 1, ":", found.column + 1);
}

std::string ExperimentFile::WhereInStage(int index, absl::Span<const PathStep> path) const {
  std::vector<PathStep> full = {{"stage", index}};
  const std::string kind = KindOf(experiment_->stage(index));
  if (!kind.empty()) full.push_back({kind});
  full.insert(full.end(), path.begin(), path.end());
  return Where(full);
}

absl::Status ExperimentFile::ErrorInStage(int index, absl::Span<const PathStep> path,
                                          absl::string_view message) const {
  return absl::InvalidArgumentError(absl::StrCat(WhereInStage(index, path), ": stage \"",
                                                 experiment_->stage(index).id(), "\": ", message));
}

}  // namespace alidade::experiments
