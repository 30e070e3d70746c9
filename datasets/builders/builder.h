#ifndef ALIDADE_DATASETS_BUILDERS_BUILDER_H_
#define ALIDADE_DATASETS_BUILDERS_BUILDER_H_

// Builders make dataset folders. They are found by name:
//
//   ALIDADE_ASSIGN_OR_RETURN(const Builder* builder, FindBuilder("world_pairs"));
//   ALIDADE_ASSIGN_OR_RETURN(nlohmann::json config, builder->Resolve({{"images", 2000},
//   {"annotator", "oracle"}})); ALIDADE_RETURN_IF_ERROR(builder->Build({config, {{"model",
//   sft_folder}}, out_folder, seed}));
//
// Link //datasets/builders to have all of ours; an annotator outside this storey is linked by the
// binary that wants it.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace alidade::datasets {

struct BuildRequest {
  nlohmann::json config;  // an object; missing fields take the builder's defaults
  std::map<std::string, std::string> inputs;  // role -> folder
  std::string folder;                         // output; made if absent
  uint64_t seed = 0;                          // < 2^63
  bool quiet = false;                         // no progress line
};

class Builder {
 public:
  virtual ~Builder() = default;
  virtual std::string name() const = 0;
  // Goes up when any bit of the output can change.
  virtual int64_t version() const = 0;
  virtual std::string description() const = 0;
  // Roles of the folders that Build reads, e.g. {"model"}.
  virtual std::vector<std::string> inputs() const = 0;
  // Every field of the config with its default.
  virtual nlohmann::json defaults() const = 0;
  // Fills in the defaults. Errors: an unknown field (with the nearest name), a field of another
  // type or out of range.
  virtual absl::StatusOr<nlohmann::json> Resolve(const nlohmann::json& config) const = 0;
  // Writes the dataset. Killed at any moment and called again with the same request, it goes on
  // where it stopped and ends in the same bits; called on a finished dataset of the same request it
  // returns at once. Errors: as Resolve, a missing or unknown input, a folder that holds something
  // of another request, or that another process is writing.
  virtual absl::Status Build(const BuildRequest& request) const = 0;
};

// For a static initialiser; aborts on a name twice.
bool RegisterBuilder(std::unique_ptr<const Builder> builder);

// Errors: unknown builder (with the nearest name).
absl::StatusOr<const Builder*> FindBuilder(absl::string_view name);
std::vector<std::string> BuilderNames();

// For implementations. `config` over `defaults`: every field must be known and of its default's
// type (a number may be an integer where the default is not). `builder` stands in messages.
absl::StatusOr<nlohmann::json> FillDefaults(const nlohmann::json& config,
                                            const nlohmann::json& defaults,
                                            absl::string_view builder);
// Every role of builder.inputs() is given, and no other.
absl::Status CheckInputs(const Builder& builder, const BuildRequest& request);

}  // namespace alidade::datasets

#endif  // ALIDADE_DATASETS_BUILDERS_BUILDER_H_
