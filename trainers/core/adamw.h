// AdamW, and the global norm of gradients.
#ifndef ALIDADE_TRAINERS_CORE_ADAMW_H_
#define ALIDADE_TRAINERS_CORE_ADAMW_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/tensor/named_tensors.h"
#include "trainers/core/training.pb.h"

namespace alidade::trainers {

// Adam with decoupled weight decay (arXiv:1711.05101, algorithm 2), for f32 parameters:
//   p -= lr * weight_decay * p;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
//   p -= lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)
class AdamW {
 public:
  // `parameters` are leaves that require gradients; they are shared, not copied.
  AdamW(const OptimizerConfig& config, const NamedTensors& parameters);

  // One update with the gradients that the parameters hold, then drops these. A parameter without a
  // gradient stays as it is, as in PyTorch: a vision tower may hold layers after the one that is
  // read. FAILED_PRECONDITION if none has one.
  absl::Status Step(double learning_rate);

  // Euclidean norm of all gradients together. Parameters without a gradient count as 0.
  double GradientNorm() const;
  // Multiplies all gradients.
  void ScaleGradients(double factor);
  // Drops all gradients.
  void ClearGradients();

  // Updates done so far: t above.
  int64_t num_updates() const { return num_updates_; }
  // Moments: "first_moment.<parameter>", "second_moment.<parameter>". Shared with this object.
  NamedTensors State() const;
  // Takes over saved moments. Errors name the tensor, expected and got.
  absl::Status Restore(const NamedTensors& state, int64_t num_updates);

 private:
  std::vector<at::Tensor> Gradients() const;

  OptimizerConfig config_;
  std::vector<std::string> names_;
  std::vector<at::Tensor> parameters_, first_, second_;
  int64_t num_updates_ = 0;
};

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_CORE_ADAMW_H_
