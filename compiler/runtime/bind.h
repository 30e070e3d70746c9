#ifndef ALIDADE_COMPILER_RUNTIME_BIND_H_
#define ALIDADE_COMPILER_RUNTIME_BIND_H_

// The inputs of one call, checked against the signature and put into its order.

#include <map>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "compiler/runtime/objective.h"
#include "compiler/schedule/schedule.h"

namespace alidade::runtime {

struct BoundInputs {
  // Tensors of one distribution, as given: contiguous, on the CPU, of the documented types.
  struct Scores {
    at::Tensor hidden, logp, labels;
    bool logp_gradient = false;  // d loss / d logp is wanted
  };
  schedule::Problem problem;
  std::vector<Scores> distributions;        // in signature order
  std::map<std::string, at::Tensor> heads;  // by model
  std::vector<float> hyperparameters;       // in signature order
};

// Errors name the tensor or hyperparameter, expected and got. `want_gradients`: tensors that
// require a gradient get one where the signature lets it through.
absl::StatusOr<BoundInputs> BindInputs(const Signature& signature, const ObjectiveInputs& inputs,
                                       bool want_gradients);

}  // namespace alidade::runtime

#endif  // ALIDADE_COMPILER_RUNTIME_BIND_H_
