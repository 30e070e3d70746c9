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
  // Tensors of one distribution, as given: contiguous, on the device, of the documented types.
  struct Scores {
    at::Tensor hidden, logits, logp, labels;
    bool logp_gradient = false;  // d loss / d logp is wanted
  };
  c10::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;  // of hidden states, heads and logits
  schedule::Problem problem;
  std::vector<Scores> distributions;                // in signature order
  std::map<std::string, at::Tensor> heads, biases;  // by model
  // By model: where gradients are added, for models that have one.
  std::map<std::string, at::Tensor> head_gradients, bias_gradients;
  std::vector<float> hyperparameters;  // in signature order
  std::vector<at::Tensor> inputs;      // in signature order: f32, one dimension
  at::Tensor state;                    // [states] f64, in signature order
  AllReduce all_reduce;
};

struct BindOptions {
  // Tensors that require a gradient get one where the signature lets it through.
  bool want_gradients = true;
  // Distributions may be left out, with the axes that only they bring.
  bool reads_only = false;
};

// Errors name the tensor or hyperparameter, expected and got. May throw what LibTorch throws.
absl::StatusOr<BoundInputs> BindInputs(const Signature& signature, const ObjectiveInputs& inputs,
                                       const BindOptions& options = {});

}  // namespace alidade::runtime

#endif  // ALIDADE_COMPILER_RUNTIME_BIND_H_
