#include "experiments/workflow/stage_kind.h"

namespace alidade::experiments {

const StageKind* FindKind(const StageKinds& kinds, const std::string& name) {
  for (const auto& kind : kinds) {
    if (kind->name() == name) return kind.get();
  }
  return nullptr;
}

}  // namespace alidade::experiments
