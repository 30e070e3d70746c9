#include "datasets/builders/builder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/json/json_fields.h"
#include "common/registry/nearest_name.h"
#include "common/registry/registry.h"
#include "common/status/status.h"

namespace alidade::datasets {
namespace {

Registry<std::unique_ptr<const Builder>>& Builders() {
  static auto* builders = new Registry<std::unique_ptr<const Builder>>("dataset builder");
  return *builders;
}

// Whether `value` may stand where `model` is the default.
bool SameType(const nlohmann::json& value, const nlohmann::json& model) {
  if (model.is_number_float()) return value.is_number();
  if (model.is_number_integer()) return value.is_number_integer();
  return value.type() == model.type();
}

}  // namespace

bool RegisterBuilder(std::unique_ptr<const Builder> builder) {
  const std::string name = builder->name();
  return Builders().Register(name, std::move(builder));
}

absl::StatusOr<const Builder*> FindBuilder(absl::string_view name) {
  ALIDADE_ASSIGN_OR_RETURN(const auto* builder, Builders().Find(name));
  return builder->get();
}

std::vector<std::string> BuilderNames() { return Builders().Names(); }

absl::StatusOr<nlohmann::json> FillDefaults(const nlohmann::json& config,
                                            const nlohmann::json& defaults,
                                            absl::string_view builder) {
  if (!config.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(builder, ": config: expected an object, got ", JsonForMessage(config)));
  }
  nlohmann::json resolved = defaults;
  for (const auto& [name, value] : config.items()) {
    if (!defaults.contains(name)) {
      std::vector<std::string> known;
      for (const auto& field : defaults.items()) known.push_back(field.key());
      const std::string nearest = NearestName(name, known);
      return absl::InvalidArgumentError(
          absl::StrCat(builder, ": config: unknown field '", name, "'",
                       nearest.empty() ? "" : absl::StrCat("; did you mean '", nearest, "'?"),
                       " known: ", absl::StrJoin(known, ", ")));
    }
    if (!SameType(value, defaults[name])) {
      return absl::InvalidArgumentError(
          absl::StrCat(builder, ": config: ", name, ": expected a value like ",
                       JsonForMessage(defaults[name]), ", got ", JsonForMessage(value)));
    }
    // An integer that stands for a number is that number, so that equal configs have equal texts.
    resolved[name] = defaults[name].is_number_float() ? nlohmann::json(value.get<double>()) : value;
  }
  return resolved;
}

absl::Status CheckInputs(const Builder& builder, const BuildRequest& request) {
  for (const std::string& role : builder.inputs()) {
    if (!request.inputs.contains(role)) {
      return absl::InvalidArgumentError(
          absl::StrCat(builder.name(), ": inputs: expected a folder for '", role, "', got none"));
    }
  }
  for (const auto& input : request.inputs) {
    const std::vector<std::string> known = builder.inputs();
    if (std::find(known.begin(), known.end(), input.first) == known.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          builder.name(), ": inputs: ", UnknownNameError("role", input.first, known).message()));
    }
  }
  if (request.seed > static_cast<uint64_t>(INT64_MAX)) {
    return absl::InvalidArgumentError(
        absl::StrCat(builder.name(), ": seed: expected less than 2^63, got ", request.seed));
  }
  return absl::OkStatus();
}

}  // namespace alidade::datasets
