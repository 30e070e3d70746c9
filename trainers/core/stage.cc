#include "trainers/core/stage.h"

#include "absl/strings/str_cat.h"

namespace alidade::trainers {

absl::Status Stage::RestoreState(const NamedTensors& state) {
  if (state.empty()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("stage ", name(),
                                          ": expected a checkpoint without objective state, got ",
                                          state.begin()->first));
}

}  // namespace alidade::trainers
