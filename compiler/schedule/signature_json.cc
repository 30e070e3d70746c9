#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"
#include "compiler/schedule/signature.h"
#include "nlohmann/json.hpp"

namespace alidade::schedule {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::pair<Granularity, absl::string_view> kGranularities[] = {
    {Granularity::kKnown, "known"}, {Granularity::kToken, "token"}, {Granularity::kRow, "row"},
    {Granularity::kBatch, "batch"}, {Granularity::kRanks, "ranks"},
};

Json BoundToJson(double bound) {
  if (std::isinf(bound)) return bound > 0 ? "inf" : "-inf";
  return bound;
}

// Reads the members of one JSON object; remembers which were asked for, so that the rest can be
// refused.
class ObjectReader {
 public:
  ObjectReader(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object_.is_object())
      Fail(absl::StrCat(where_, ": expected an object, got ", object_.type_name()));
  }

  void Read(const char* name, std::string& value) {
    const Json* member = Member(name);
    if (member == nullptr) return;
    if (!member->is_string()) return Mismatch(name, "a string", *member);
    value = member->get<std::string>();
  }

  void Read(const char* name, bool& value) {
    const Json* member = Member(name);
    if (member == nullptr) return;
    if (!member->is_boolean()) return Mismatch(name, "true or false", *member);
    value = member->get<bool>();
  }

  void Read(const char* name, int64_t& value) {
    const Json* member = Member(name);
    if (member == nullptr) return;
    if (!member->is_number_integer()) return Mismatch(name, "an integer", *member);
    value = member->get<int64_t>();
  }

  void Read(const char* name, double& value) {
    const Json* member = Member(name);
    if (member == nullptr) return;
    if (member->is_string() && (*member == "inf" || *member == "-inf")) {
      value = *member == "inf" ? std::numeric_limits<double>::infinity()
                               : -std::numeric_limits<double>::infinity();
      return;
    }
    if (!member->is_number()) return Mismatch(name, "a number, \"inf\" or \"-inf\"", *member);
    value = member->get<double>();
  }

  void Read(const char* name, std::vector<std::string>& value) {
    const Json* member = Member(name);
    if (member == nullptr) return;
    if (!member->is_array()) return Mismatch(name, "an array of strings", *member);
    for (const Json& item : *member) {
      if (!item.is_string()) return Mismatch(name, "an array of strings", *member);
      value.push_back(item.get<std::string>());
    }
  }

  void Read(const char* name, Granularity& value) {
    std::string text;
    Read(name, text);
    for (const auto& [granularity, spelling] : kGranularities) {
      if (spelling == text) {
        value = granularity;
        return;
      }
    }
    Fail(absl::StrCat(where_, ".", name, ": expected known, token, row, batch or ranks, got '",
                      text, "'"));
  }

  // The member `name`, checked to be an array; an empty array after an error.
  const Json& Array(const char* name) {
    static const Json& empty = *new Json(Json::array());
    const Json* member = Member(name);
    if (member == nullptr) return empty;
    if (!member->is_array()) {
      Mismatch(name, "an array", *member);
      return empty;
    }
    return *member;
  }

  const Json& Object(const char* name) {
    static const Json& empty = *new Json(Json::object());
    const Json* member = Member(name);
    return member == nullptr ? empty : *member;
  }

  std::string Where(absl::string_view member) const { return absl::StrCat(where_, ".", member); }

  absl::Status Finish() {
    if (!status_.ok()) return status_;
    for (const auto& [name, value] : object_.items()) {
      if (known_.count(name) == 0) {
        return WithContext(UnknownNameError("member", name, Known()), where_);
      }
    }
    return absl::OkStatus();
  }

 private:
  const Json* Member(const char* name) {
    known_.insert(name);
    if (!status_.ok()) return nullptr;
    auto it = object_.find(name);
    if (it == object_.end()) {
      Fail(absl::StrCat(where_, ".", name, ": missing"));
      return nullptr;
    }
    return &*it;
  }

  void Mismatch(const char* name, absl::string_view expected, const Json& got) {
    Fail(absl::StrCat(where_, ".", name, ": expected ", expected, ", got ", got.dump()));
  }

  void Fail(std::string message) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(message);
  }

  std::vector<std::string> Known() const { return {known_.begin(), known_.end()}; }

  const Json& object_;
  std::string where_;
  std::set<std::string> known_;
  absl::Status status_;
};

absl::StatusOr<Coupling> CouplingFromJson(const Json& json, const std::string& where) {
  Coupling coupling;
  ObjectReader reader(json, where);
  reader.Read("granularity", coupling.granularity);
  reader.Read("rank", coupling.rank);
  reader.Read("dense", coupling.dense);
  reader.Read("uniform", coupling.uniform);
  reader.Read("reason", coupling.reason);
  ALIDADE_RETURN_IF_ERROR(reader.Finish());
  return coupling;
}

absl::StatusOr<Axis> AxisFromJson(const Json& json, const std::string& where) {
  Axis axis;
  ObjectReader reader(json, where);
  reader.Read("kind", axis.kind);
  reader.Read("name", axis.name);
  reader.Read("parent", axis.parent);
  ALIDADE_RETURN_IF_ERROR(reader.Finish());
  return axis;
}

absl::StatusOr<Distribution> DistributionFromJson(const Json& json, const std::string& where) {
  Distribution distribution;
  ObjectReader reader(json, where);
  reader.Read("model", distribution.model);
  reader.Read("response", distribution.response);
  reader.Read("view", distribution.view);
  reader.Read("view_argument", distribution.view_argument);
  reader.Read("shared_view", distribution.shared_view);
  reader.Read("requires_grad", distribution.requires_grad);
  reader.Read("feeds_known", distribution.feeds_known);
  reader.Read("axis", distribution.axis);
  reader.Read("program", distribution.program);
  reader.Read("partner", distribution.partner);
  const Json& coupling = reader.Object("coupling");
  ALIDADE_RETURN_IF_ERROR(reader.Finish());
  ALIDADE_ASSIGN_OR_RETURN(distribution.coupling,
                           CouplingFromJson(coupling, reader.Where("coupling")));
  return distribution;
}

absl::StatusOr<VocabularyRead> ReadFromJson(const Json& json, const std::string& where) {
  VocabularyRead read;
  ObjectReader reader(json, where);
  reader.Read("op", read.op);
  reader.Read("distribution", read.distribution);
  reader.Read("partner", read.partner);
  reader.Read("index_input", read.index_input);
  reader.Read("index_read", read.index_read);
  reader.Read("scale_hyper", read.scale_hyper);
  reader.Read("scale_constant", read.scale_constant);
  reader.Read("cotangent", read.cotangent);
  ALIDADE_RETURN_IF_ERROR(reader.Finish());
  return read;
}

absl::StatusOr<RowRead> RowReadFromJson(const Json& json, const std::string& where) {
  RowRead read;
  ObjectReader reader(json, where);
  reader.Read("op", read.op);
  reader.Read("gradient", read.gradient);
  ALIDADE_RETURN_IF_ERROR(reader.Finish());
  return read;
}

absl::StatusOr<Hyperparameter> HyperparameterFromJson(const Json& json, const std::string& where) {
  Hyperparameter hyper;
  ObjectReader reader(json, where);
  reader.Read("name", hyper.name);
  reader.Read("default", hyper.default_value);
  reader.Read("low", hyper.low);
  reader.Read("high", hyper.high);
  reader.Read("low_open", hyper.low_open);
  reader.Read("high_open", hyper.high_open);
  reader.Read("doc", hyper.doc);
  ALIDADE_RETURN_IF_ERROR(reader.Finish());
  return hyper;
}

// Parses every element of `array` with `parse` into `out`.
template <typename T, typename Parse>
absl::Status ParseAll(const Json& array, const std::string& where, Parse parse,
                      std::vector<T>& out) {
  for (size_t i = 0; i < array.size(); ++i) {
    ALIDADE_ASSIGN_OR_RETURN(T item, parse(array[i], absl::StrCat(where, "[", i, "]")));
    out.push_back(std::move(item));
  }
  return absl::OkStatus();
}

absl::StatusOr<RowProgram> RowProgramFromJson(const Json& json, const std::string& where) {
  RowProgram program;
  ObjectReader reader(json, where);
  const Json& reads = reader.Array("reads");
  ALIDADE_RETURN_IF_ERROR(reader.Finish());
  ALIDADE_RETURN_IF_ERROR(ParseAll(reads, reader.Where("reads"), RowReadFromJson, program.reads));
  return program;
}

absl::StatusOr<Input> InputFromJson(const Json& json, const std::string& where) {
  Input input;
  ObjectReader reader(json, where);
  reader.Read("name", input.name);
  reader.Read("axis", input.axis);
  reader.Read("doc", input.doc);
  ALIDADE_RETURN_IF_ERROR(reader.Finish());
  return input;
}

absl::StatusOr<State> StateFromJson(const Json& json, const std::string& where) {
  State state;
  ObjectReader reader(json, where);
  reader.Read("name", state.name);
  reader.Read("default", state.default_value);
  reader.Read("doc", state.doc);
  ALIDADE_RETURN_IF_ERROR(reader.Finish());
  return state;
}

absl::StatusOr<Option> OptionFromJson(const Json& json, const std::string& where) {
  Option option;
  ObjectReader reader(json, where);
  reader.Read("name", option.name);
  reader.Read("chosen", option.chosen);
  reader.Read("default", option.default_case);
  reader.Read("cases", option.cases);
  reader.Read("doc", option.doc);
  ALIDADE_RETURN_IF_ERROR(reader.Finish());
  return option;
}

Json CouplingToJson(const Coupling& coupling) {
  return {{"granularity", std::string(GranularityName(coupling.granularity))},
          {"rank", coupling.rank},
          {"dense", coupling.dense},
          {"uniform", coupling.uniform},
          {"reason", coupling.reason}};
}

Json DistributionToJson(const Distribution& d) {
  return {{"model", d.model},
          {"response", d.response},
          {"view", d.view},
          {"view_argument", d.view_argument},
          {"shared_view", d.shared_view},
          {"requires_grad", d.requires_grad},
          {"feeds_known", d.feeds_known},
          {"axis", d.axis},
          {"program", d.program},
          {"partner", d.partner},
          {"coupling", CouplingToJson(d.coupling)}};
}

Json ReadToJson(const VocabularyRead& read) {
  return {{"op", read.op},
          {"distribution", read.distribution},
          {"partner", read.partner},
          {"index_input", read.index_input},
          {"index_read", read.index_read},
          {"scale_hyper", read.scale_hyper},
          {"scale_constant", read.scale_constant},
          {"cotangent", read.cotangent}};
}

Json RowProgramToJson(const RowProgram& program) {
  Json reads = Json::array();
  for (const RowRead& read : program.reads)
    reads.push_back({{"op", read.op}, {"gradient", read.gradient}});
  return {{"reads", reads}};
}

Json HyperparameterToJson(const Hyperparameter& hyper) {
  return {{"name", hyper.name},
          {"default", hyper.default_value},
          {"low", BoundToJson(hyper.low)},
          {"high", BoundToJson(hyper.high)},
          {"low_open", hyper.low_open},
          {"high_open", hyper.high_open},
          {"doc", hyper.doc}};
}

Json AxisToJson(const Axis& axis) {
  return {{"kind", axis.kind}, {"name", axis.name}, {"parent", axis.parent}};
}

Json InputToJson(const Input& input) {
  return {{"name", input.name}, {"axis", input.axis}, {"doc", input.doc}};
}

Json StateToJson(const State& state) {
  return {{"name", state.name}, {"default", state.default_value}, {"doc", state.doc}};
}

Json OptionToJson(const Option& option) {
  return {{"name", option.name},
          {"chosen", option.chosen},
          {"default", option.default_case},
          {"cases", option.cases},
          {"doc", option.doc}};
}

template <typename T>
Json AllToJson(const std::vector<T>& items, Json (*convert)(const T&)) {
  Json array = Json::array();
  for (const T& item : items) array.push_back(convert(item));
  return array;
}

}  // namespace

absl::string_view GranularityName(Granularity granularity) {
  for (const auto& [value, spelling] : kGranularities) {
    if (value == granularity) return spelling;
  }
  return "unknown";
}

std::string SignatureToJson(const Signature& signature) {
  const Json json = {
      {"name", signature.name},
      {"paper", signature.paper},
      {"doc", signature.doc},
      {"axes", AllToJson(signature.axes, AxisToJson)},
      {"distributions", AllToJson(signature.distributions, DistributionToJson)},
      {"reads", AllToJson(signature.reads, ReadToJson)},
      {"row_programs", AllToJson(signature.row_programs, RowProgramToJson)},
      {"hyperparameters", AllToJson(signature.hyperparameters, HyperparameterToJson)},
      {"inputs", AllToJson(signature.inputs, InputToJson)},
      {"options", AllToJson(signature.options, OptionToJson)},
      {"states", AllToJson(signature.states, StateToJson)},
      {"metrics", signature.metrics},
      {"reduces_ranks", signature.reduces_ranks},
      {"known_values", signature.known_values}};
  return json.dump(2) + "\n";
}

absl::StatusOr<Signature> SignatureFromJson(absl::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return absl::InvalidArgumentError("signature: not valid JSON");
  Signature signature;
  ObjectReader reader(json, "signature");
  reader.Read("name", signature.name);
  reader.Read("paper", signature.paper);
  reader.Read("doc", signature.doc);
  reader.Read("metrics", signature.metrics);
  reader.Read("reduces_ranks", signature.reduces_ranks);
  reader.Read("known_values", signature.known_values);
  absl::Status status;
  const auto parse = [&](const char* name, auto convert, auto& out) {
    const Json& array = reader.Array(name);
    if (status.ok()) status = ParseAll(array, reader.Where(name), convert, out);
  };
  parse("axes", AxisFromJson, signature.axes);
  parse("distributions", DistributionFromJson, signature.distributions);
  parse("reads", ReadFromJson, signature.reads);
  parse("row_programs", RowProgramFromJson, signature.row_programs);
  parse("hyperparameters", HyperparameterFromJson, signature.hyperparameters);
  parse("inputs", InputFromJson, signature.inputs);
  parse("options", OptionFromJson, signature.options);
  parse("states", StateFromJson, signature.states);
  ALIDADE_RETURN_IF_ERROR(reader.Finish());
  ALIDADE_RETURN_IF_ERROR(status);
  ALIDADE_RETURN_IF_ERROR(ValidateSignature(signature));
  return signature;
}

}  // namespace alidade::schedule
