#include "trainers/stages/sft/presets.h"

#include <functional>
#include <memory>

#include "common/files/files.h"
#include "common/models/mllm.h"
#include "common/models/presets.h"
#include "common/provenance/random_stream.h"
#include "common/registry/registry.h"
#include "common/status/status.h"
#include "common/text/tokenizer.h"
#include "datasets/worlds/language.h"

namespace alidade::trainers {
namespace {

using Writer = std::function<absl::Status(uint64_t seed, const std::string& folder)>;

absl::Status WriteTinyWorld(uint64_t seed, const std::string& folder) {
  ALIDADE_RETURN_IF_ERROR(MakeFolder(folder));
  ALIDADE_RETURN_IF_ERROR(datasets::WriteWorldProcessor(folder));
  ALIDADE_ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer,
                           Tokenizer::Load(JoinPath(folder, "tokenizer.json")));
  ALIDADE_ASSIGN_OR_RETURN(const models::MllmConfig config, models::TinyWorldConfig(*tokenizer));
  RandomStream stream(seed, "init");
  ALIDADE_ASSIGN_OR_RETURN(const models::Mllm model, models::Mllm::Initialize(config, stream));
  return model.Save(folder);
}

const Registry<Writer>& Presets() {
  static const Registry<Writer>* presets = [] {
    auto* registry = new Registry<Writer>("preset");
    registry->Register("tiny_world", &WriteTinyWorld);
    return registry;
  }();
  return *presets;
}

}  // namespace

absl::Status CheckPreset(absl::string_view name) { return Presets().Find(name).status(); }

absl::Status WritePreset(absl::string_view name, uint64_t seed, const std::string& folder) {
  ALIDADE_ASSIGN_OR_RETURN(const Writer* writer, Presets().Find(name));
  return (*writer)(seed, folder);
}

}  // namespace alidade::trainers
