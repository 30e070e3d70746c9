// Preference pairs of the world: prompts about new images x the model's own samples x an annotator
// (world.md section 3).

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/progress/progress.h"
#include "common/provenance/digest.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"
#include "datasets/annotators/agreement.h"
#include "datasets/annotators/annotators.h"
#include "datasets/annotators/oracle.h"
#include "datasets/builders/builder.h"
#include "datasets/builders/world_shard.h"
#include "datasets/responders/model_responder.h"
#include "datasets/schema/dataset_writer.h"
#include "datasets/schema/records.h"
#include "datasets/worlds/language.h"
#include "datasets/worlds/world.h"

namespace alidade::datasets {
namespace {

constexpr int64_t kShardImages = 64;
constexpr int64_t kMaxImages = 1000000;
constexpr int64_t kMaxSamples = 64;
constexpr absl::string_view kOracle = "oracle";
constexpr std::array<absl::string_view, 2> kKinds = {"caption", "yes_no"};

struct Settings {
  WorldPreset preset;
  int64_t images = 0;
  int64_t samples = 0;
  int64_t questions_per_answer = 0;
  double temperature = 0;
  std::string annotator;
  nlohmann::json annotator_config;
};

// A name of counts such as "agreement.caption.1.-1": the annotator's label, then the oracle's.
std::string AgreementName(absl::string_view kind, int label, int oracle_label) {
  return absl::StrCat("agreement.", kind, ".", label, ".", oracle_label);
}

void AddPrompts(const Settings& settings, WorldItem& item, std::vector<Prompt>& prompts) {
  prompts.push_back(
      MakeCaptionPrompt(item.scene, absl::StrCat(item.id, "/caption"), item.image_name));
  std::vector<int> categories;
  for (const WorldObject& object : item.scene.objects) categories.push_back(object.category);
  item.stream.Shuffle(categories);
  categories.resize(settings.questions_per_answer);
  while (static_cast<int64_t>(categories.size()) < 2 * settings.questions_per_answer) {
    const int category = DrawAbsentCategory(item.scene, item.stream);
    if (std::find(categories.begin(), categories.end(), category) == categories.end())
      categories.push_back(category);
  }
  for (const int category : categories) {
    prompts.push_back(MakePresencePrompt(item.scene, category,
                                         absl::StrCat(item.id, "/is_there_", Noun(category)),
                                         item.image_name));
  }
}

// Responses that may stand in a pair: those that end, distinct from one another.
std::vector<size_t> Candidates(const Prompt& prompt, const std::vector<Response>& responses,
                               Shard& shard) {
  std::vector<size_t> candidates;
  for (size_t s = 0; s < responses.size(); ++s) {
    if (!responses[s].ended || responses[s].text.empty()) {
      shard.statistics[absl::StrCat("samples_without_end.", prompt.kind)] += 1;
      continue;
    }
    if (prompt.kind == "yes_no" && responses[s].text != "yes" && responses[s].text != "no") {
      shard.statistics["samples_neither_yes_nor_no"] += 1;
      continue;
    }
    const bool repeated = std::any_of(candidates.begin(), candidates.end(), [&](size_t other) {
      return responses[other].text == responses[s].text;
    });
    if (!repeated) candidates.push_back(s);
  }
  return candidates;
}

// The best candidate against the worst; the first of equals.
void AddPair(const Prompt& prompt, const std::vector<Response>& responses,
             const std::vector<double>& scores, const std::vector<double>* oracle,
             const std::string& annotator, Shard& shard) {
  const std::vector<size_t> candidates = Candidates(prompt, responses, shard);
  shard.statistics[absl::StrCat("prompts.", prompt.kind)] += 1;
  if (candidates.size() < 2) {
    shard.statistics[absl::StrCat("prompts_with_one_response.", prompt.kind)] += 1;
    return;
  }
  if (oracle != nullptr) {
    std::vector<double> mine, truth;
    for (const size_t s : candidates) {
      mine.push_back(scores[s]);
      truth.push_back((*oracle)[s]);
    }
    PreferenceLabels labels;
    labels.Add(mine, truth);
    for (size_t i = 0; i < labels.a.size(); ++i) {
      shard.statistics[AgreementName(prompt.kind, labels.a[i], labels.b[i])] += 1;
    }
  }
  size_t best = candidates[0];
  size_t worst = candidates[0];
  for (const size_t s : candidates) {
    if (scores[s] > scores[best]) best = s;
    if (scores[s] < scores[worst]) worst = s;
  }
  if (scores[best] == scores[worst]) {
    shard.statistics[absl::StrCat("ties.", prompt.kind)] += 1;
    return;
  }
  PreferenceRecord record;
  record.id = prompt.id;
  record.image = prompt.image;
  record.prompt = prompt.text;
  record.chosen = responses[best].text;
  record.rejected = responses[worst].text;
  record.kind = prompt.kind;
  record.annotator = annotator;
  record.chosen_score = scores[best];
  record.rejected_score = scores[worst];
  record.end = prompt.end;
  shard.records.push_back(ToJsonLine(record));
  shard.statistics[absl::StrCat("records.", prompt.kind)] += 1;
  if (oracle != nullptr) {
    const double difference = (*oracle)[best] - (*oracle)[worst];
    const absl::string_view name = difference > 0   ? "oracle_agrees."
                                   : difference < 0 ? "oracle_disagrees."
                                                    : "oracle_ties.";
    shard.statistics[absl::StrCat(name, prompt.kind)] += 1;
  }
}

// Turns the counts of labels into kappas: "oracle.kappa.caption", ..., "oracle.kappa" over all.
absl::Status DeriveKappa(DatasetWriter::Statistics& statistics) {
  PreferenceLabels all;
  for (const absl::string_view kind : kKinds) {
    PreferenceLabels labels;
    for (int label = -1; label <= 1; ++label) {
      for (int oracle_label = -1; oracle_label <= 1; ++oracle_label) {
        const auto count = statistics.find(AgreementName(kind, label, oracle_label));
        if (count == statistics.end()) continue;
        labels.a.insert(labels.a.end(), static_cast<size_t>(count->second), label);
        labels.b.insert(labels.b.end(), static_cast<size_t>(count->second), oracle_label);
      }
    }
    // Where it does not exist (too few pairs, or all the same) it is not stated.
    const absl::StatusOr<double> kappa = CohenKappa(labels.a, labels.b);
    if (kappa.ok()) statistics[absl::StrCat("oracle.kappa.", kind)] = *kappa;
    all.a.insert(all.a.end(), labels.a.begin(), labels.a.end());
    all.b.insert(all.b.end(), labels.b.begin(), labels.b.end());
  }
  const absl::StatusOr<double> kappa = CohenKappa(all.a, all.b);
  if (kappa.ok()) statistics["oracle.kappa"] = *kappa;
  statistics["oracle.compared_pairs"] = static_cast<double>(all.a.size());
  return absl::OkStatus();
}

class WorldPairs : public Builder {
 public:
  std::string name() const override { return "world_pairs"; }
  int64_t version() const override { return 1; }
  std::string description() const override {
    return "Preference pairs about new pictures of the procedural world. The model answers every "
           "prompt several times; an "
           "annotator scores its answers; the best stands against the worst, ties are dropped. "
           "Prompts: one caption, and "
           "yes/no questions about present and absent objects, kept where the model gave both "
           "answers.";
  }
  std::vector<std::string> inputs() const override { return {"model"}; }
  nlohmann::json defaults() const override {
    return {{"preset", "hard"},
            {"images", 2000},
            {"samples", 4},
            {"temperature", 1.0},
            {"questions_per_answer", 3},
            {"annotator", std::string(kOracle)},
            {"annotator_config", nlohmann::json::object()}};
  }

  absl::StatusOr<nlohmann::json> Resolve(const nlohmann::json& config) const override {
    ALIDADE_ASSIGN_OR_RETURN(nlohmann::json resolved, FillDefaults(config, defaults(), name()));
    ALIDADE_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(resolved));
    const std::vector<std::string> annotators = AnnotatorNames();
    if (std::find(annotators.begin(), annotators.end(), settings.annotator) == annotators.end()) {
      return WithContext(UnknownNameError("annotator", settings.annotator, annotators), name(),
                         ": config: annotator");
    }
    return resolved;
  }

  absl::Status Build(const BuildRequest& request) const override;

 private:
  absl::StatusOr<Settings> ReadSettings(const nlohmann::json& resolved) const;
  absl::StatusOr<Shard> MakeShard(const Settings& settings, uint64_t seed, int64_t begin,
                                  int64_t end, Responder& model, Annotator& annotator) const;
};

absl::StatusOr<Settings> WorldPairs::ReadSettings(const nlohmann::json& resolved) const {
  Settings settings;
  ALIDADE_ASSIGN_OR_RETURN(settings.preset, FindWorldPreset(resolved["preset"].get<std::string>()),
                           name(), ": config: preset");
  auto read = [&](absl::string_view field, int64_t low, int64_t high, int64_t& value) {
    value = resolved[std::string(field)].get<int64_t>();
    if (value >= low && value <= high) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(name(), ": config: ", field, ": expected ", low, "..", high, ", got ", value));
  };
  ALIDADE_RETURN_IF_ERROR(read("images", 1, kMaxImages, settings.images));
  ALIDADE_RETURN_IF_ERROR(read("samples", 2, kMaxSamples, settings.samples));
  ALIDADE_RETURN_IF_ERROR(
      read("questions_per_answer", 0, kWorldMinObjects, settings.questions_per_answer));
  settings.temperature = resolved["temperature"].get<double>();
  if (!(settings.temperature > 0) || !std::isfinite(settings.temperature)) {
    return absl::InvalidArgumentError(
        absl::StrCat(name(), ": config: temperature: expected > 0, got ", settings.temperature));
  }
  settings.annotator = resolved["annotator"].get<std::string>();
  settings.annotator_config = resolved["annotator_config"];
  return settings;
}

absl::StatusOr<Shard> WorldPairs::MakeShard(const Settings& settings, uint64_t seed, int64_t begin,
                                            int64_t end, Responder& model,
                                            Annotator& annotator) const {
  Shard shard;
  ShardImages images;
  std::vector<Prompt> prompts;
  for (int64_t index = begin; index < end; ++index) {
    WorldItem item(settings.preset, "pairs", seed, index);
    ALIDADE_RETURN_IF_ERROR(images.Add(item, shard));
    AddPrompts(settings, item, prompts);
  }
  ResponseOptions options;
  options.samples = settings.samples;
  options.temperature = settings.temperature;
  options.seed = seed;
  options.stream = "pairs";
  ALIDADE_ASSIGN_OR_RETURN(const auto responses, model.Respond(images, prompts, options));
  ALIDADE_ASSIGN_OR_RETURN(const auto scores, annotator.Score(images, prompts, responses));
  std::vector<std::vector<double>> oracle;
  if (settings.annotator != kOracle) {
    ALIDADE_ASSIGN_OR_RETURN(oracle, MakeOracle()->Score(images, prompts, responses));
  }
  for (size_t i = 0; i < prompts.size(); ++i) {
    AddPair(prompts[i], responses[i], scores[i], oracle.empty() ? nullptr : &oracle[i],
            annotator.name(), shard);
  }
  return shard;
}

absl::Status WorldPairs::Build(const BuildRequest& request) const {
  ALIDADE_RETURN_IF_ERROR(CheckInputs(*this, request));
  DatasetCard card;
  ALIDADE_ASSIGN_OR_RETURN(card.config, Resolve(request.config));
  ALIDADE_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(card.config));
  const std::string& model_folder = request.inputs.at("model");
  card.name = absl::StrCat("world_", settings.preset.name, "_pairs_", settings.annotator);
  card.kind = std::string(kPreferences);
  card.builder = name();
  card.builder_version = version();
  card.seed = static_cast<int64_t>(request.seed);
  card.description = description();
  if (!PathExists(model_folder)) {
    return absl::NotFoundError(absl::StrCat(
        name(), ": inputs: model: expected a model folder, got no such folder: ", model_folder));
  }
  ALIDADE_ASSIGN_OR_RETURN(card.inputs["model"], FolderDigest(model_folder), name(),
                           ": inputs: model");
  const int64_t num_shards = (settings.images + kShardImages - 1) / kShardImages;

  ALIDADE_ASSIGN_OR_RETURN(const std::unique_ptr<Responder> model, LoadModelResponder(model_folder),
                           name());
  ALIDADE_ASSIGN_OR_RETURN(
      const std::unique_ptr<Annotator> annotator,
      MakeAnnotator(settings.annotator, {settings.annotator_config, model.get(), request.seed}),
      name(), ": config");
  ALIDADE_ASSIGN_OR_RETURN(DatasetWriter writer,
                           DatasetWriter::Start(request.folder, std::move(card), num_shards));
  if (writer.finished()) return absl::OkStatus();
  ALIDADE_ASSIGN_OR_RETURN(auto processor, WorldProcessorFiles(request.folder));
  writer.AddFiles(std::move(processor));

  std::optional<Progress> progress;
  if (!request.quiet) progress.emplace(name(), settings.images, "image");
  for (int64_t shard = 0; shard < num_shards; ++shard) {
    const int64_t end = std::min(settings.images, (shard + 1) * kShardImages);
    if (!writer.HasShard(shard)) {
      ALIDADE_ASSIGN_OR_RETURN(
          const Shard content,
          MakeShard(settings, request.seed, shard * kShardImages, end, *model, *annotator), name());
      ALIDADE_RETURN_IF_ERROR(writer.WriteShard(shard, content), name());
    }
    if (progress.has_value()) progress->Update(end);
  }
  if (progress.has_value()) progress->Finish();
  return settings.annotator == kOracle ? writer.Finish() : writer.Finish(&DeriveKappa);
}

const bool registered = RegisterBuilder(std::make_unique<WorldPairs>());

}  // namespace
}  // namespace alidade::datasets
