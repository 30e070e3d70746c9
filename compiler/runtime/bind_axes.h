#ifndef ALIDADE_COMPILER_RUNTIME_BIND_AXES_H_
#define ALIDADE_COMPILER_RUNTIME_BIND_AXES_H_

// The offsets of one call, checked and put into the order of the signature's axes.

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/runtime/objective.h"

namespace alidade::runtime {

// By axis: [points of the parent + 1]. Token axes take theirs from the distributions over them
// (which must agree), or like all others from inputs.offsets; those of `pair` follow from `member`.
// All axes directly under `row` must have the same number of rows. `is_part`: axes that nothing
// brings are empty.
absl::StatusOr<std::vector<std::vector<int64_t>>> BindAxes(const Signature& signature,
                                                           const ObjectiveInputs& inputs,
                                                           bool is_part);

}  // namespace alidade::runtime

#endif  // ALIDADE_COMPILER_RUNTIME_BIND_AXES_H_
