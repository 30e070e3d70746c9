#ifndef ALIDADE_COMPILER_BENCHMARKS_GPU_CASES_H_
#define ALIDADE_COMPILER_BENCHMARKS_GPU_CASES_H_

// A call and what it must give, as one safetensors file: inputs as `in.<name>`, outputs as
// `out.<name>`, named as compiler/tools/prefc/Arrays.h says. Hyperparameters have their defaults.

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "compiler/tools/prefc/Arrays.h"

namespace alidade::gpu {

inline constexpr char kCaseSuffix[] = ".safetensors";

struct Case {
  pref::Arrays inputs, expected;
};

absl::Status WriteCase(const std::string& path, const Case& written);
// Errors name the file and the tensor.
absl::StatusOr<Case> ReadCase(const std::string& path);

}  // namespace alidade::gpu

#endif  // ALIDADE_COMPILER_BENCHMARKS_GPU_CASES_H_
