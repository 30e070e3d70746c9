#ifndef ALIDADE_COMPILER_RUNTIME_EXECUTOR_H_
#define ALIDADE_COMPILER_RUNTIME_EXECUTOR_H_

// Walks a schedule: LibTorch's GEMMs into preallocated memory, the objective's generated row
// kernels and scalar block for the rest. Sums run in the order of the steps, whatever the number of
// threads. On a GPU every step is enqueued and none waits.

#include <map>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "compiler/runtime/bind.h"
#include "compiler/runtime/kernels.h"
#include "compiler/runtime/objective.h"
#include "compiler/schedule/schedule.h"

namespace alidade::runtime {

// Gradients are of the loss itself (upstream gradient 1); undefined tensors where none was wanted.
struct Execution {
  bool has_loss = false;
  at::Tensor results;                        // [1 + metrics] f32: loss, metrics
  at::Tensor new_state;                      // [states] f64
  std::vector<at::Tensor> reads;             // by read: [M] f32
  std::vector<at::Tensor> cotangents;        // by cotangent: d loss / d read [M] f32
  std::vector<at::Tensor> hidden_gradients;  // by distribution: [M, H]
  std::vector<at::Tensor> logits_gradients;  // by distribution: [M, V]
  // By model, f32: [V, H] and [V]. Those of buffers that the caller gave are these buffers.
  std::map<std::string, at::Tensor> head_gradients, bias_gradients;
};

// Inputs, kernels and schedule must belong together (BindInputs, KernelsFor, MakePlan). Throws what
// LibTorch throws: call it behind FenceTorch. Errors: of kernel launches.
absl::StatusOr<Execution> Execute(const Objective& objective, const Kernels& kernels,
                                  const BoundInputs& inputs, const schedule::Schedule& schedule);

}  // namespace alidade::runtime

#endif  // ALIDADE_COMPILER_RUNTIME_EXECUTOR_H_
