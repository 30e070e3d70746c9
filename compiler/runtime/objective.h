#ifndef ALIDADE_COMPILER_RUNTIME_OBJECTIVE_H_
#define ALIDADE_COMPILER_RUNTIME_OBJECTIVE_H_

// What a trainer sees of the compiler: a compiled objective, found by name, applied to hidden
// states and heads.
//
//   ALIDADE_ASSIGN_OR_RETURN(const Objective* objective, FindObjective("dpo"));
//   ObjectiveInputs inputs;
//   for (const Distribution& d : objective->signature().distributions)
//   inputs.distributions[d.Name()] = Score(d); inputs.heads = {{"policy", policy.head()},
//   {"reference", reference.head()}}; ALIDADE_ASSIGN_OR_RETURN(ObjectiveOutputs outputs,
//   Apply(*objective, inputs)); outputs.loss.backward();
//
// All tensors are on the CPU and stay owned by the caller; results own their memory. Two calls on
// the same inputs give the same bits. Calls from several threads are safe.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/tensor/named_tensors.h"
#include "compiler/runtime/abi.h"
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
  // another ABI version, an unreadable signature, a vocabulary operation that the executor lacks,
  // no variant that this CPU can run.
  static absl::StatusOr<std::unique_ptr<Objective>> FromTable(const AlidadeObjectiveTable* table);

  const Signature& signature() const { return signature_; }
  const AlidadeObjectiveTable& table() const { return *table_; }
  // The variant chosen for this CPU.
  const AlidadeVariant& variant() const { return *variant_; }

 private:
  Objective(const AlidadeObjectiveTable* table, const AlidadeVariant* variant, Signature signature)
      : table_(table), variant_(variant), signature_(std::move(signature)) {}

  const AlidadeObjectiveTable* table_;
  const AlidadeVariant* variant_;
  Signature signature_;
};

// The objective linked into this program under `name` (//compiler/objectives links all). The error
// of an unknown name gives the nearest known one.
absl::StatusOr<const Objective*> FindObjective(absl::string_view name);

// Names that FindObjective knows, sorted.
std::vector<std::string> ObjectiveNames();

// The scored tokens of one distribution, rows packed one after another; masked positions do not
// appear.
struct ScoredTokens {
  at::Tensor hidden;  // [M, H] f32: row i is the state that predicts labels[i]
  at::Tensor logp;    // [M] f32 instead of hidden: log-probabilities computed before; may require a
                      // gradient itself
  at::Tensor labels;  // [M] i64, each in [0, V); not needed with logp
  at::Tensor offsets;  // [B + 1] i64: tokens of row r are [offsets[r], offsets[r + 1])
};

struct ObjectiveInputs {
  std::map<std::string, ScoredTokens>
      distributions;   // by Distribution::Name(); exactly those of the signature
  NamedTensors heads;  // by model: [V, H] f32; needed where hidden states are given
  std::map<std::string, double> hyperparameters;  // by name; absent ones take their default
};

struct RunOptions {
  std::string schedule;             // "S2", "S3" or "F"; empty: the planner chooses
  int64_t memory_budget_bytes = 0;  // workspace limit; 0: the planner's rule
  int64_t chunk_tokens = 0;         // tokens per chunk; 0: the planner's rule
};

struct ObjectiveOutputs {
  at::Tensor
      loss;  // [] f32; differentiable once with respect to hidden states, heads and given logp
  NamedTensors metrics;  // by name: [] f32
  NamedTensors logp;     // by distribution: [M] f32, no gradient
  std::string schedule;  // what ran: S2, S3, F, or R when nothing requires a gradient
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
