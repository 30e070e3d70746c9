#ifndef ALIDADE_COMPILER_BENCHMARKS_GPU_STEP_DATA_H_
#define ALIDADE_COMPILER_BENCHMARKS_GPU_STEP_DATA_H_

// Inputs of one DPO step over an LM head, and what it must give in f64. peers.py draws the same
// numbers: same generator, same order.

#include <cstdint>
#include <string>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "c10/core/Device.h"

namespace alidade::gpu {

inline constexpr double kBeta = 0.1;

struct StepShape {
  int64_t pairs = 4, length = 2048, hidden = 4096, vocabulary = 128256;
  int64_t scored_percent = 100;  // the last tokens of every response
  // Labels have a mean negative log-likelihood of 1 to 2 nats instead of that of random numbers.
  bool peaked = false;

  int64_t scored() const { return length * scored_percent / 100; }  // per response
  int64_t tokens() const { return 2 * pairs * scored(); }           // that reach the head
  // "4x2048x4096x128256/25/peaked"
  std::string Name() const;
};

// PAIRSxLENGTHxHIDDENxVOCABULARY[/PERCENT][/peaked]
absl::StatusOr<StepShape> ParseStepShape(const std::string& text);

// Tokens 0 to pairs * length of `policy` and `reference` are chosen, the rest rejected.
struct StepData {
  StepShape shape;
  at::Tensor policy_head, reference_head;  // [V, H]
  at::Tensor policy, reference;            // [2 * pairs * length, H]
  at::Tensor labels;                       // [2 * pairs * length]
  // Scored tokens: indices into the tokens above, chosen first (on the device), and per response
  // offsets [pairs + 1] on the CPU.
  at::Tensor scored, offsets;
};

StepData MakeStepData(const StepShape& shape, c10::Device device, at::ScalarType dtype);

// In f64 from the rounded inputs, in chunks of tokens; of the scored tokens.
struct ExactStep {
  double loss = 0;
  at::Tensor logp;             // [tokens], policy
  at::Tensor reference_logp;   // [tokens]
  at::Tensor hidden_gradient;  // [tokens, H]
  at::Tensor head_gradient;    // [V, H]
  double mean_nll = 0;         // of the policy
};
ExactStep RunExactly(const StepData& data);

}  // namespace alidade::gpu

#endif  // ALIDADE_COMPILER_BENCHMARKS_GPU_STEP_DATA_H_
