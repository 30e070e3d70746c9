#include "datasets/annotators/annotators.h"

#include <utility>

#include "common/registry/registry.h"
#include "common/status/status.h"

namespace alidade::datasets {
namespace {

Registry<AnnotatorFactory>& Annotators() {
  static auto* annotators = new Registry<AnnotatorFactory>("annotator");
  return *annotators;
}

}  // namespace

bool RegisterAnnotator(absl::string_view name, AnnotatorFactory factory) {
  return Annotators().Register(name, std::move(factory));
}

absl::StatusOr<std::unique_ptr<Annotator>> MakeAnnotator(absl::string_view name,
                                                         const AnnotatorRequest& request) {
  ALIDADE_ASSIGN_OR_RETURN(const AnnotatorFactory* factory, Annotators().Find(name));
  ALIDADE_ASSIGN_OR_RETURN(std::unique_ptr<Annotator> annotator, (*factory)(request), "annotator '",
                           name, "'");
  return annotator;
}

std::vector<std::string> AnnotatorNames() { return Annotators().Names(); }

}  // namespace alidade::datasets
