// One call of an objective on named arrays by compiled code; nothing of MLIR is linked for it.

#ifndef ALIDADE_COMPILER_TOOLS_PREFC_COMPILEDCALL_H_
#define ALIDADE_COMPILER_TOOLS_PREFC_COMPILEDCALL_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/runtime/objective.h"
#include "compiler/schedule/planner.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/signature.h"
#include "compiler/tools/prefc/Arrays.h"

namespace alidade::pref {

struct Call {
  Arrays inputs;  // Arrays.h says how they are named
  std::map<std::string, double> hyperparameters;
  bool frozenHead = false;  // no gradient of any head or bias
  std::string schedule;     // a Kind's name, or empty: the planner chooses; "R": no gradient
  int64_t memoryBudget = 0, chunkTokens = 0;
  std::map<std::string, double> temperatures, softCaps;  // by model
  std::string device = "cpu";                            // compiled code only: or "cuda"
  bool bf16 = false;  // compiled code on a GPU only: hidden states, heads and logits are bf16
};

struct CallResult {
  Arrays outputs;
  std::string schedule;  // what ran
};

// The call with everything checked as runtime::Apply checks it, and the plan.
struct PlannedCall {
  schedule::Problem problem;
  std::vector<double> hyperparameters;  // in signature order
  schedule::Plan plan;
};
absl::StatusOr<PlannedCall> planCall(const schedule::Signature& signature, const Call& call);

// In f32, or bf16 where the call says so. Gradients of all distributions, heads and biases that the
// signature differentiates (heads and biases: unless frozen).
absl::StatusOr<CallResult> runCompiled(const runtime::Objective& objective, const Call& call);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TOOLS_PREFC_COMPILEDCALL_H_
