#include "compiler/schedule/signature.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"
#include "nlohmann/json.hpp"

namespace alidade::schedule {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::pair<Granularity, absl::string_view> kGranularities[] = {
    {Granularity::kKnown, "known"},
    {Granularity::kToken, "token"},
    {Granularity::kRow, "row"},
    {Granularity::kBatch, "batch"},
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
    Fail(
        absl::StrCat(where_, ".", name, ": expected known, token, row or batch, got '", text, "'"));
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
  reader.Read("reason", coupling.reason);
  ALIDADE_RETURN_IF_ERROR(reader.Finish());
  return coupling;
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
  reader.Read("cotangent", read.cotangent);
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

}  // namespace

std::string Distribution::Name() const {
  std::string name = absl::StrCat(model, ".", response);
  if (view != "clean") absl::StrAppend(&name, "@", view);
  if (!view_argument.empty()) absl::StrAppend(&name, "(", view_argument, ")");
  if (shared_view) absl::StrAppend(&name, "+shared");
  return name;
}

bool Hyperparameter::Contains(double value) const {
  if (std::isnan(value)) return false;
  const bool above = low_open ? value > low : value >= low;
  const bool below = high_open ? value < high : value <= high;
  return above && below;
}

std::string Hyperparameter::Range() const {
  return absl::StrCat(low_open ? "(" : "[", low, ", ", high, high_open ? ")" : "]");
}

std::optional<int64_t> Signature::FindDistribution(absl::string_view name) const {
  for (size_t i = 0; i < distributions.size(); ++i) {
    if (distributions[i].Name() == name) return i;
  }
  return std::nullopt;
}

std::optional<int64_t> Signature::FindResponse(absl::string_view name) const {
  for (size_t i = 0; i < responses.size(); ++i) {
    if (responses[i] == name) return i;
  }
  return std::nullopt;
}

int64_t Signature::num_cotangents() const {
  return std::count_if(reads.begin(), reads.end(),
                       [](const VocabularyRead& read) { return read.cotangent >= 0; });
}

std::vector<std::string> Signature::Models(bool with_gradient) const {
  std::vector<std::string> models;
  for (const Distribution& distribution : distributions) {
    if (with_gradient && !distribution.requires_grad) continue;
    if (std::find(models.begin(), models.end(), distribution.model) == models.end()) {
      models.push_back(distribution.model);
    }
  }
  return models;
}

absl::string_view GranularityName(Granularity granularity) {
  for (const auto& [value, spelling] : kGranularities) {
    if (value == granularity) return spelling;
  }
  return "unknown";
}

std::string SignatureToJson(const Signature& signature) {
  Json distributions = Json::array();
  for (const Distribution& d : signature.distributions) {
    distributions.push_back(
        {{"model", d.model},
         {"response", d.response},
         {"view", d.view},
         {"view_argument", d.view_argument},
         {"shared_view", d.shared_view},
         {"requires_grad", d.requires_grad},
         {"coupling",
          {{"granularity", std::string(GranularityName(d.coupling.granularity))},
           {"rank", d.coupling.rank},
           {"dense", d.coupling.dense},
           {"reason", d.coupling.reason}}}});
  }
  Json reads = Json::array();
  for (const VocabularyRead& read : signature.reads) {
    reads.push_back(
        {{"op", read.op}, {"distribution", read.distribution}, {"cotangent", read.cotangent}});
  }
  Json hyperparameters = Json::array();
  for (const Hyperparameter& hyper : signature.hyperparameters) {
    hyperparameters.push_back({{"name", hyper.name},
                               {"default", hyper.default_value},
                               {"low", BoundToJson(hyper.low)},
                               {"high", BoundToJson(hyper.high)},
                               {"low_open", hyper.low_open},
                               {"high_open", hyper.high_open},
                               {"doc", hyper.doc}});
  }
  const Json json = {{"name", signature.name},
                     {"paper", signature.paper},
                     {"doc", signature.doc},
                     {"distributions", distributions},
                     {"reads", reads},
                     {"responses", signature.responses},
                     {"hyperparameters", hyperparameters},
                     {"metrics", signature.metrics}};
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
  const Json& distributions = reader.Array("distributions");
  const Json& reads = reader.Array("reads");
  reader.Read("responses", signature.responses);
  const Json& hyperparameters = reader.Array("hyperparameters");
  reader.Read("metrics", signature.metrics);
  ALIDADE_RETURN_IF_ERROR(reader.Finish());
  ALIDADE_RETURN_IF_ERROR(ParseAll(distributions, reader.Where("distributions"),
                                   DistributionFromJson, signature.distributions));
  ALIDADE_RETURN_IF_ERROR(ParseAll(reads, reader.Where("reads"), ReadFromJson, signature.reads));
  ALIDADE_RETURN_IF_ERROR(ParseAll(hyperparameters, reader.Where("hyperparameters"),
                                   HyperparameterFromJson, signature.hyperparameters));
  ALIDADE_RETURN_IF_ERROR(ValidateSignature(signature));
  return signature;
}

absl::Status ValidateSignature(const Signature& signature) {
  const auto fail = [](auto&&... parts) {
    return absl::InvalidArgumentError(absl::StrCat("signature.", parts...));
  };
  if (signature.name.empty()) return fail("name: expected a name, got \"\"");
  if (signature.distributions.empty())
    return fail("distributions: expected at least one, got none");
  std::set<std::string> names;
  for (const Distribution& distribution : signature.distributions) {
    if (!names.insert(distribution.Name()).second)
      return fail("distributions: '", distribution.Name(), "' twice");
    if (!signature.FindResponse(distribution.response).has_value()) {
      return fail("responses: '", distribution.response, "' of '", distribution.Name(),
                  "' missing");
    }
  }
  int64_t next_cotangent = 0;
  const int64_t num_distributions = signature.distributions.size();
  for (size_t i = 0; i < signature.reads.size(); ++i) {
    const VocabularyRead& read = signature.reads[i];
    if (read.distribution < 0 || read.distribution >= num_distributions) {
      return fail("reads[", i, "].distribution: expected [0, ", num_distributions, "), got ",
                  read.distribution);
    }
    const bool has_gradient = signature.distributions[read.distribution].requires_grad;
    const int64_t expected = has_gradient ? next_cotangent++ : -1;
    if (read.cotangent != expected) {
      return fail("reads[", i, "].cotangent: expected ", expected, ", got ", read.cotangent);
    }
  }
  for (const Hyperparameter& hyper : signature.hyperparameters) {
    if (!hyper.Contains(hyper.default_value)) {
      return fail("hyperparameters.", hyper.name, ".default: expected in ", hyper.Range(), ", got ",
                  hyper.default_value);
    }
  }
  return absl::OkStatus();
}

}  // namespace alidade::schedule
