#ifndef ALIDADE_COMMON_TESTING_TESTING_H_
#define ALIDADE_COMMON_TESTING_TESTING_H_

// What tests of every storey need: a folder of their own, relative errors, and where shared
// benchmark files lie.

#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace alidade {

// A new empty folder under the test's temporary folder.
std::string TempFolder();

// ||a - b||_2 / max(||b||_2, floor); infinite when the sizes differ or a value is not finite.
double RelativeError(absl::Span<const double> a, absl::Span<const double> b, double floor = 1e-30);

// The folder of real benchmark files, if this machine has it: $ALIDADE_SHARED, or `shared/data`
// beside the checkout. A test that needs it says that it skips where it is absent.
std::optional<std::string> SharedDataFolder();

}  // namespace alidade

#endif  // ALIDADE_COMMON_TESTING_TESTING_H_
