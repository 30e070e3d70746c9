#ifndef ALIDADE_DATASETS_ANNOTATORS_ANNOTATORS_H_
#define ALIDADE_DATASETS_ANNOTATORS_ANNOTATORS_H_

// Annotators by name. "oracle" is ours; others (agents) register themselves when they are linked.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "datasets/schema/factors.h"
#include "nlohmann/json.hpp"

namespace alidade::datasets {

struct AnnotatorRequest {
  nlohmann::json config = nlohmann::json::object();  // of the annotator; empty: its defaults
  Responder* model = nullptr;  // the model whose responses are judged; outlives the annotator
  uint64_t seed = 0;
};

using AnnotatorFactory =
    std::function<absl::StatusOr<std::unique_ptr<Annotator>>(const AnnotatorRequest& request)>;

// For a static initialiser: static const bool registered = RegisterAnnotator("name", factory).
// Aborts on a name twice.
bool RegisterAnnotator(absl::string_view name, AnnotatorFactory factory);

// Errors: unknown annotator (with the nearest name), those of the factory.
absl::StatusOr<std::unique_ptr<Annotator>> MakeAnnotator(absl::string_view name,
                                                         const AnnotatorRequest& request);
std::vector<std::string> AnnotatorNames();

}  // namespace alidade::datasets

#endif  // ALIDADE_DATASETS_ANNOTATORS_ANNOTATORS_H_
