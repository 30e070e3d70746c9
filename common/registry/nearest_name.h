#ifndef ALIDADE_COMMON_REGISTRY_NEAREST_NAME_H_
#define ALIDADE_COMMON_REGISTRY_NEAREST_NAME_H_

// Typo suggestions for names that users type.

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace alidade {

// The candidate with the smallest edit distance to `name` (the first of several), or "" when even
// that one differs in more than half of the longer of the two.
std::string NearestName(absl::string_view name, const std::vector<std::string>& candidates);

// NotFound: "unknown benchmark 'pop'; did you mean 'pope'? known: chair, pope".
absl::Status UnknownNameError(absl::string_view kind, absl::string_view name,
                              const std::vector<std::string>& known);

}  // namespace alidade

#endif  // ALIDADE_COMMON_REGISTRY_NEAREST_NAME_H_
