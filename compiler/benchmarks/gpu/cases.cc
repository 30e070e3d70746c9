#include "compiler/benchmarks/gpu/cases.h"

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace alidade::gpu {

absl::Status WriteCase(const std::string& path, const Case& written) {
  pref::Arrays arrays;
  for (const auto& [name, array] : written.inputs) arrays["in." + name] = array;
  for (const auto& [name, array] : written.expected) arrays["out." + name] = array;
  return pref::writeArrays(path, arrays);
}

absl::StatusOr<Case> ReadCase(const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(const pref::Arrays arrays, pref::readArrays(path));
  Case read;
  for (const auto& [name, array] : arrays) {
    if (name.rfind("in.", 0) == 0) {
      read.inputs[name.substr(3)] = array;
    } else if (name.rfind("out.", 0) == 0) {
      read.expected[name.substr(4)] = array;
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": ", name, ": expected a name that begins with in. or out."));
    }
  }
  return read;
}

}  // namespace alidade::gpu
