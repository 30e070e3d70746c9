#ifndef ALIDADE_COMPILER_RUNTIME_EXECUTOR_H_
#define ALIDADE_COMPILER_RUNTIME_EXECUTOR_H_

// Walks a schedule: LibTorch's GEMMs into preallocated memory, the objective's generated row kernel
// and scalar block for the rest. Sums run in the order of the steps, whatever the number of
// threads.

#include <map>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "compiler/runtime/bind.h"
#include "compiler/runtime/objective.h"
#include "compiler/schedule/schedule.h"

namespace alidade::runtime {

// Gradients are of the loss itself (upstream gradient 1); undefined tensors where none was wanted.
struct Execution {
  at::Tensor results;                                // [1 + metrics]: loss, metrics
  std::vector<at::Tensor> logp;                      // by distribution: [M]
  std::vector<at::Tensor> cotangents;                // by distribution: d loss / d logp [M]
  std::vector<at::Tensor> hidden_gradients;          // by distribution: [M, H]
  std::map<std::string, at::Tensor> head_gradients;  // by model: [V, H]
};

// The inputs and the schedule must belong together (BindInputs, MakePlan). Throws what LibTorch
// throws: call it behind FenceTorch.
Execution Execute(const Objective& objective, const BoundInputs& inputs,
                  const schedule::Schedule& schedule);

}  // namespace alidade::runtime

#endif  // ALIDADE_COMPILER_RUNTIME_EXECUTOR_H_
