#ifndef ALIDADE_COMPILER_TESTING_RANDOM_OBJECTIVE_H_
#define ALIDADE_COMPILER_TESTING_RANDOM_OBJECTIVE_H_

// Random objectives that are well-typed and smooth enough to be run: text that uses the operations
// of the dialect in combinations that nobody would write, so that derivation and schedules are
// tested on more than what is shipped.
//
//   RandomObjective random = MakeRandomObjective(seed, HasOp);
//   deriveObjectiveText(random.text, "random.mlir", context);

#include <cstdint>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"

namespace alidade::testing {

struct RandomObjective {
  uint64_t seed = 0;
  // One objective called `random`. The names of its inputs say what they hold: "token..." indices
  // of the vocabulary, "segment..." of a row's segments or -1, "place..." of a token within its
  // row, "number..." anything.
  std::string text;
};

// The same for the same seed and operations. `has_op("pref.sort")`: whether the dialect has it.
RandomObjective MakeRandomObjective(uint64_t seed,
                                    const std::function<bool(absl::string_view)>& has_op);

}  // namespace alidade::testing

#endif  // ALIDADE_COMPILER_TESTING_RANDOM_OBJECTIVE_H_
