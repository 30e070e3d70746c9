#ifndef ALIDADE_COMPILER_RUNTIME_JIT_OBJECT_LOADER_H_
#define ALIDADE_COMPILER_RUNTIME_JIT_OBJECT_LOADER_H_

// Links a relocatable object of the code generator into this process.
//
//   ALIDADE_ASSIGN_OR_RETURN(const AlidadeObjectiveTable* table, LoadObject(bytes, "dpo"));

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "compiler/runtime/abi.h"

namespace alidade::runtime {

// The CPU levels that this machine runs, least demanding first; empty when it lacks AVX2 or FMA.
std::vector<std::string> HostCpuLevels();

// The object's `alidade_objective_table`. The code stays loaded until the process ends. `what`
// names the object in errors: bytes that are no object of this machine, an undefined symbol, an
// object without a table. Thread safe.
absl::StatusOr<const AlidadeObjectiveTable*> LoadObject(absl::string_view bytes,
                                                        absl::string_view what);

}  // namespace alidade::runtime

#endif  // ALIDADE_COMPILER_RUNTIME_JIT_OBJECT_LOADER_H_
