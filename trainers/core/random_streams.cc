#include "trainers/core/random_streams.h"

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "nlohmann/json.hpp"

namespace alidade::trainers {

RandomStream& RandomStreams::Get(const std::string& name) {
  const auto found = streams_.find(name);
  if (found != streams_.end()) return found->second;
  return streams_.emplace(name, RandomStream(seed_, name)).first->second;
}

nlohmann::json RandomStreams::Save() const {
  nlohmann::json saved = nlohmann::json::object();
  for (const auto& [name, stream] : streams_) saved[name] = stream.SerializeState();
  return saved;
}

absl::Status RandomStreams::Restore(const nlohmann::json& saved) {
  streams_.clear();
  for (const auto& [name, state] : saved.items()) {
    if (!state.is_string()) {
      return absl::DataLossError(
          absl::StrCat("random stream ", name, ": expected its state as text, got ", state.dump()));
    }
    ALIDADE_RETURN_IF_ERROR(Get(name).RestoreState(state.get<std::string>()), "random stream ",
                            name);
  }
  return absl::OkStatus();
}

}  // namespace alidade::trainers
