#ifndef ALIDADE_COMPILER_RUNTIME_OBJECTIVE_H_
#define ALIDADE_COMPILER_RUNTIME_OBJECTIVE_H_

// What a trainer sees of the compiler: a compiled objective, found by name and options, applied to
// hidden states and heads.
//
//   ALIDADE_ASSIGN_OR_RETURN(const Objective* objective, FindObjective("dpo"));
//   ObjectiveInputs inputs;
//   for (const Distribution& d : objective->signature().distributions)
//     inputs.distributions[d.Name()] = Score(d);
//   inputs.heads = {{"policy", policy.head()}, {"reference", reference.head()}};
//   ALIDADE_ASSIGN_OR_RETURN(ObjectiveOutputs outputs, Apply(*objective, inputs));
//   outputs.loss.backward();
//
// Tensors stay owned by the caller; results own their memory. All tensors of a call are on one
// device, the CPU or a GPU, except offsets, which are always on the CPU. Two calls on the same
// inputs give the same bits. Calls from several threads are safe.
//
// On a GPU a call never waits for the device. Labels are then checked on the device (a label out of
// range fails LibTorch's next synchronisation), and heads and hidden states may be bf16. A call can
// be captured into a CUDA graph after one ordinary call with the same offsets.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/tensor/named_tensors.h"
#include "compiler/runtime/abi.h"
#include "compiler/runtime/kernels.h"
#include "compiler/schedule/planner.h"
#include "compiler/schedule/signature.h"

namespace alidade::runtime {

using schedule::Distribution;
using schedule::Hyperparameter;
using schedule::Signature;

// A compiled objective: its signature and the code for this machine's CPU. Lives as long as the
// process.
class Objective {
 public:
  // Reads a table written by the code generator. `table` must outlive the objective. Errors:
  // another ABI version, an unreadable signature, no variant that this CPU can run.
  static absl::StatusOr<std::unique_ptr<Objective>> FromTable(const AlidadeObjectiveTable* table);

  const Signature& signature() const { return signature_; }
  const AlidadeObjectiveTable& table() const { return *table_; }
  // The variant chosen for this CPU.
  const AlidadeVariant& variant() const { return *variant_; }
  // The code for tensors on `device`; that of a GPU is loaded at the first call. Errors: no driver,
  // no LibTorch for GPUs, a GPU that is too old, a device that is neither.
  absl::StatusOr<const Kernels*> KernelsFor(c10::Device device) const;

 private:
  Objective(const AlidadeObjectiveTable* table, const AlidadeVariant* variant, Signature signature)
      : table_(table), variant_(variant), signature_(std::move(signature)), cpu_kernels_(variant) {}

  const AlidadeObjectiveTable* table_;
  const AlidadeVariant* variant_;
  Signature signature_;
  CpuKernels cpu_kernels_;
  mutable std::mutex mutex_;
  mutable std::map<int64_t, std::unique_ptr<Kernels>> gpu_kernels_;  // by device index
};

// Compile-time choices by name: {{"f_divergence_type", "js_divergence"}}. Absent ones take their
// default.
using Options = std::map<std::string, std::string>;

// The objective linked into this program under `name` (//compiler/objectives links all) and
// compiled with `options`. Errors give the nearest known name of an unknown objective, option or
// case; other options than the compiled ones need CompileObjectiveFile of runtime/jit.
absl::StatusOr<const Objective*> FindObjective(absl::string_view name, const Options& options = {});

// Names that FindObjective knows, sorted.
std::vector<std::string> ObjectiveNames();

// The scored tokens of one distribution, rows packed one after another; masked positions do not
// appear. One of hidden, logits and logp is given.
struct ScoredTokens {
  at::Tensor hidden;  // [M, H] f32 or (GPU) bf16: row i is the state that predicts labels[i]
  at::Tensor logp;    // [M] f32: log-probabilities computed before; may require a gradient itself.
                      // Only where the objective reads nothing else of the distribution
  at::Tensor labels;  // [M] i64, each in [0, V); not needed with logp
  // i64 on the CPU, from 0, never falling: tokens of row r are [offsets[r], offsets[r + 1]), [B +
  // 1]; of the response `member`, tokens of member k, [members + 1].
  at::Tensor offsets;
  at::Tensor logits;  // [M, V], of the type of hidden; may require a gradient itself
  // The gradient of `logits` may take their place.
  bool overwrite_logits = false;
};

// Sums doubles over all ranks, in place; the same calls in the same order on every rank.
using AllReduce = std::function<void(absl::Span<double> values)>;

struct ObjectiveInputs {
  std::map<std::string, ScoredTokens>
      distributions;   // by Distribution::Name(); exactly those of the signature
  NamedTensors heads;  // by model: [V, H], of the type of hidden; needed where hidden is given
  std::map<std::string, double> hyperparameters;  // by name; absent ones take their default
  // By model: [V] f32; absent: none. Given logits hold their bias already.
  NamedTensors biases;
  // By model. What is scored is soft_cap * tanh((z + bias) / soft_cap) / temperature.
  std::map<std::string, double> temperatures;  // above 0; absent: 1
  std::map<std::string, double> soft_caps;     // at least 0; absent or 0: no cap
  // By Axis::Name(), for axes that no distribution brings: member, segment(phrase). i64 on the CPU,
  // [B + 1].
  NamedTensors offsets;
  NamedTensors inputs;  // the signature's data inputs by name: f32, packed over their points
  NamedTensors state;   // by name: [] f64; absent ones take their default
  // By model: f32 buffers [V, H] and [V] to which the gradient of the loss is added in the call
  // itself, whatever becomes of `loss`; heads and biases with a buffer get none in backward().
  NamedTensors head_gradients, bias_gradients;
  AllReduce all_reduce;  // for objectives that reduce over ranks; empty: one rank. CPU only
};

struct RunOptions {
  // "S2", "S3", "F", "D", "RC"; "R": no gradient, and distributions may be left out; empty: the
  // planner chooses.
  std::string schedule;
  int64_t memory_budget_bytes = 0;  // workspace limit; 0: the planner's rule
  int64_t chunk_tokens = 0;         // tokens per chunk; 0: the planner's rule
};

struct ObjectiveOutputs {
  // [] f32; differentiable once with respect to hidden states, heads, biases and given logits and
  // logp. Undefined when a distribution was left out (schedule R).
  at::Tensor loss;
  NamedTensors metrics;  // by name: [] f32
  // The vocabulary reads by Signature::ReadNames(), which is the distribution's name for its
  // log-probabilities: [M] f32, no gradient.
  NamedTensors logp;
  NamedTensors state;    // by name: [] f64, for the next step
  std::string schedule;  // what ran: S2, S3, F, D, RC, or R when nothing requires a gradient
};

// Computes the loss, the metrics and, where grad mode is on and tensors require it, all gradients
// in one go: backward() only scales them. Everything is checked first; each error names the tensor,
// expected and got.
absl::StatusOr<ObjectiveOutputs> Apply(const Objective& objective, const ObjectiveInputs& inputs,
                                       const RunOptions& options = {});

// The plan that Apply would follow. Its Explain() text is what `prefc explain` prints.
absl::StatusOr<schedule::Plan> PlanApply(const Objective& objective, const ObjectiveInputs& inputs,
                                         const RunOptions& options = {});

// Workspace is kept between calls, because fresh pages cost as much as half a GEMM. Gives it back
// to the allocator.
void ReleaseWorkspace();

}  // namespace alidade::runtime

#endif  // ALIDADE_COMPILER_RUNTIME_OBJECTIVE_H_
