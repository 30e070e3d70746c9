#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/status/status.h"
#include "datasets/builders/builder.h"
#include "experiments/workflow/stages/kinds.h"
#include "experiments/workflow/stages/roles.h"
#include "nlohmann/json.hpp"

namespace alidade::experiments {
namespace {

// Settings as the builder takes them. Errors are located at the setting.
absl::StatusOr<nlohmann::json> ConfigOf(const ExperimentFile& file, int index,
                                        const datasets::Builder& builder) {
  const nlohmann::json defaults = builder.defaults();
  std::vector<std::string> known;
  for (const auto& [name, value] : defaults.items()) known.push_back(name);
  nlohmann::json config = nlohmann::json::object();
  const BuildDataset& stage = file.experiment().stage(index).build_dataset();
  for (int i = 0; i < stage.setting_size(); ++i) {
    const std::string& name = stage.setting(i).name();
    const std::string& text = stage.setting(i).value();
    const std::vector<PathStep> name_path = {{"setting", i}, {"name"}};
    const std::vector<PathStep> value_path = {{"setting", i}, {"value"}};
    if (!defaults.contains(name)) {
      return file.ErrorInStage(index, name_path,
                               absl::StrCat("expected a setting of the builder ", builder.name(),
                                            ", got \"", name, "\"", Suggestion(name, known)));
    }
    if (config.contains(name)) {
      return file.ErrorInStage(index, name_path,
                               absl::StrCat("setting \"", name, "\" stands twice"));
    }
    if (defaults[name].is_string()) {
      config[name] = text;
      continue;
    }
    config[name] = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (config[name].is_discarded()) {
      return file.ErrorInStage(index, value_path,
                               absl::StrCat("setting \"", name, "\": expected a value like ",
                                            defaults[name].dump(), ", got \"", text, "\""));
    }
  }
  return config;
}

class BuildDatasetStage : public StageKind {
 public:
  explicit BuildDatasetStage(std::string code) : code_(std::move(code)) {}

  std::string name() const override { return "build_dataset"; }

  absl::Status Resolve(ExperimentFile& file, int index) const override {
    ALIDADE_ASSIGN_OR_RETURN(const datasets::Builder* builder, Builder(file, index));
    ALIDADE_ASSIGN_OR_RETURN(const nlohmann::json config, ConfigOf(file, index, *builder));
    const absl::StatusOr<nlohmann::json> resolved = builder->Resolve(config);
    if (!resolved.ok()) return file.ErrorInStage(index, {{"setting"}}, resolved.status().message());
    BuildDataset* stage = file.experiment().mutable_stage(index)->mutable_build_dataset();
    stage->clear_setting();
    for (const auto& [name, value] : resolved->items()) {
      Setting* setting = stage->add_setting();
      setting->set_name(name);
      setting->set_value(value.is_string() ? value.get<std::string>() : value.dump());
    }
    return absl::OkStatus();
  }

  absl::Status Check(const ExperimentFile& file, int index,
                     absl::Span<const int> needs) const override {
    ALIDADE_ASSIGN_OR_RETURN(const datasets::Builder* builder, Builder(file, index));
    std::vector<NeedCount> counts;
    for (const std::string& role : builder->inputs()) {
      const Role known = role == "model" ? Role::kModel : Role::kDataset;
      counts.push_back({known, 1, 1});
    }
    return CheckNeeds(file, index, needs, counts);
  }

  absl::StatusOr<std::string> CodeVersion(const ExperimentFile& file, int index) const override {
    ALIDADE_ASSIGN_OR_RETURN(const datasets::Builder* builder, Builder(file, index));
    return absl::StrCat(code_, " builder ", builder->name(), " ", builder->version());
  }

  absl::Status Run(const StageContext& context) const override {
    const BuildDataset& stage = context.stage->build_dataset();
    ALIDADE_ASSIGN_OR_RETURN(const datasets::Builder* builder,
                             datasets::FindBuilder(stage.builder()));
    datasets::BuildRequest request;
    const nlohmann::json defaults = builder->defaults();
    request.config = nlohmann::json::object();
    for (const Setting& setting : stage.setting()) {
      request.config[setting.name()] = defaults[setting.name()].is_string()
                                           ? nlohmann::json(setting.value())
                                           : nlohmann::json::parse(setting.value(), nullptr, false);
    }
    for (const std::string& role : builder->inputs()) {
      const bool model = role == "model";
      const std::vector<StageInput> inputs =
          InputsOf(context, model ? Role::kModel : Role::kDataset);
      request.inputs[role] = model ? ModelFolder(inputs[0]) : DatasetFolderOf(inputs[0]);
    }
    request.folder = JoinPath(context.folder, "dataset");
    request.seed = context.seed;
    return builder->Build(request);
  }

  std::vector<std::string> Results(const StageContext&) const override {
    return {"dataset/dataset.json", "dataset/images.jsonl", "dataset/records.jsonl"};
  }

 private:
  static absl::StatusOr<const datasets::Builder*> Builder(const ExperimentFile& file, int index) {
    const std::string& name = file.experiment().stage(index).build_dataset().builder();
    const absl::StatusOr<const datasets::Builder*> builder = datasets::FindBuilder(name);
    if (builder.ok()) return builder;
    return file.ErrorInStage(index, {{"builder"}}, builder.status().message());
  }

  std::string code_;
};

}  // namespace

std::unique_ptr<StageKind> MakeBuildDatasetStage(std::string code) {
  return std::make_unique<BuildDatasetStage>(std::move(code));
}

}  // namespace alidade::experiments
