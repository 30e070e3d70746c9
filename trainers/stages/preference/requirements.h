// What an objective's signature asks of the trainer.
#ifndef ALIDADE_TRAINERS_STAGES_PREFERENCE_REQUIREMENTS_H_
#define ALIDADE_TRAINERS_STAGES_PREFERENCE_REQUIREMENTS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "compiler/runtime/objective.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "trainers/core/training.pb.h"
#include "trainers/stages/views/views.h"

namespace alidade::trainers {

inline constexpr char kPolicy[] = "policy";
inline constexpr char kReference[] = "reference";
inline constexpr char kCleanView[] = "clean";

// One forward pass over a batch: one model, one view of the images, one row per example and
// response.
struct ForwardPass {
  struct Read {
    std::string name;      // Distribution::Name()
    std::string response;  // chosen, rejected
    bool requires_grad = false;
  };
  std::string model;
  std::string view;                  // ViewName(), "clean" for the image itself
  const ViewMaker* maker = nullptr;  // null for "clean"
  std::vector<Read> reads;           // one per response
  bool requires_grad = false;        // of any read
};

// The passes that yield all distributions, in the order of first mention. Errors name the
// distribution and what is available: a model role, a response role or a view that no pair
// provides.
absl::StatusOr<std::vector<ForwardPass>> PlanPasses(const runtime::Signature& signature);

// Values by name, without defaults. Errors: an unknown name (with the nearest), a name twice, a
// value out of its range.
absl::StatusOr<std::map<std::string, double>> ResolveHyperparameters(
    const runtime::Signature& signature,
    const google::protobuf::RepeatedPtrField<Hyperparameter>& hyperparameters);

// Whether the objective's loss is a mean over rows, so that shares of a batch add up to it; tried
// on a few made-up rows.
absl::Status CheckMeanOverRows(const runtime::Objective& objective,
                               const std::map<std::string, double>& hyperparameters);

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_STAGES_PREFERENCE_REQUIREMENTS_H_
