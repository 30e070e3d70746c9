#ifndef ALIDADE_COMPILER_SCHEDULE_PLANNER_H_
#define ALIDADE_COMPILER_SCHEDULE_PLANNER_H_

// Chooses an exact schedule for one call from the coupling facts of the signature, the shapes, what
// requires a gradient and a memory budget. Nothing looks at the objective's name. Explain() says
// what was considered and why each lost.
//
//   ALIDADE_ASSIGN_OR_RETURN(Plan plan, MakePlan(signature, problem, {}));
//   Run(plan.schedule);
//   std::cout << plan.Explain();

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/signature.h"

namespace alidade::schedule {

// Speeds of a machine in the cost model. Only ratios matter for the choice; the defaults are two
// AVX2 cores.
struct Machine {
  std::string name = "cpu";
  double gemm_flops = 124e9;       // FLOP/s of a large GEMM
  double gemm_half_rows = 45;      // rows at which a GEMM runs at half that rate
  double bytes_per_second = 10e9;  // memory bandwidth of streaming passes
  double exps_per_second = 2e9;    // exponentials in the row kernel
  double step_seconds = 0;         // to start a step
  double cache_bytes = 2 << 20;    // logits that are still near after they were copied
  int64_t largest_chunk = 2048;    // tokens that an automatic budget has room for
};

// "cpu": the defaults; "h100", "h200": datasheet and published rates of long bf16 head GEMMs.
// Others are errors with the nearest name.
absl::StatusOr<Machine> FindMachine(absl::string_view name);

struct PlanOptions {
  std::string schedule;             // a KindName to insist on; empty: choose
  int64_t memory_budget_bytes = 0;  // workspace limit; 0: AutomaticBudget
  int64_t chunk_tokens = 0;         // tokens per chunk; 0: as many as the budget allows
  Machine machine;
};

// One way to run the call, legal or not.
struct Candidate {
  Kind kind = Kind::kS2;
  bool legal = false;  // exact
  bool within_budget = false;
  std::string reason;  // why it is not legal, or why it lost, or "chosen: ..."
  ChunkLimits limits;
  int64_t num_chunks = 0;
  double flops = 0;          // of all GEMMs, reference distributions included
  double traffic_bytes = 0;  // logits, head gradient and heads, to and from memory
  int64_t workspace_bytes = 0;
  double seconds = 0;  // by the cost model
};

struct Plan {
  Schedule schedule;
  std::vector<Candidate> candidates;  // S2, S3, F, D, RC; empty for R
  int64_t budget_bytes = 0;
  bool budget_is_automatic = true;
  std::string machine;  // Machine::name

  // The table of candidates with shapes, coupling facts and reasons; several lines,
  // newline-terminated.
  std::string Explain(const Signature& signature, const Problem& problem) const;
};

// The budget when none is given: three fifths of the logits of the distributions with gradient (of
// all that are scored, when none has one). Storing them all as LibTorch's autograd does takes three
// times those logits, so this stays below a quarter of it. At least 8 MiB so that small calls are
// not cut up, at most what chunks of `machine.largest_chunk` tokens need.
int64_t AutomaticBudget(const Signature& signature, const Problem& problem,
                        const Machine& machine = {});

// Errors: a problem that does not fit the signature (ValidateProblem); an unknown schedule, or one
// that is not exact here, asked for; a budget that no exact schedule meets (says what each would
// need); gradients through more than one model. Where nothing requires a gradient the schedule is
// R, whatever was asked for.
absl::StatusOr<Plan> MakePlan(const Signature& signature, const Problem& problem,
                              const PlanOptions& options);

}  // namespace alidade::schedule

#endif  // ALIDADE_COMPILER_SCHEDULE_PLANNER_H_
