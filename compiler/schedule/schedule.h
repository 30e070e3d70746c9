#ifndef ALIDADE_COMPILER_SCHEDULE_SCHEDULE_H_
#define ALIDADE_COMPILER_SCHEDULE_SCHEDULE_H_

// A schedule: the order in which heads, row kernels and the scalar block run, as a flat list of
// steps over chunks of packed tokens. It is data. The runtime walks it with LibTorch's GEMMs and
// generated code; the interpreter beside this file walks the same list in plain double precision.
//
// With Z = onehot(label) - softmax(hidden head^T), one row per token, and w the token's cotangent:
//   dHidden = w * (Z head)     the weight factors out of the row: it may come late (F)
//   dHead  += Z^T (w * hidden) the weight is inside the sum over tokens: it must be known (S2, S3)

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "compiler/schedule/signature.h"

namespace alidade::schedule {

enum class Kind {
  kR,   // no gradient: log-probabilities and the scalar block only
  kS2,  // all logits of the distributions with gradient at once
  kS3,  // chunks of whole rows; the weights of a chunk's rows are known once its own scores are
  kF,   // chunks of tokens; hidden gradients are scaled at the end; the head is frozen
};
absl::string_view KindName(Kind kind);  // "R", "S2", "S3", "F"

// What a head maps: hidden states [.., hidden] to logits [.., vocabulary].
struct HeadShape {
  int64_t hidden = 0;
  int64_t vocabulary = 0;
  bool requires_grad = false;
};

// What the caller gives and wants for one distribution.
struct DistributionUse {
  bool provided = false;         // log-probabilities are given: no head, no hidden states
  bool hidden_gradient = false;  // d loss / d hidden is wanted
};

// One call of an objective, without its numbers.
struct Problem {
  std::vector<std::vector<int64_t>> offsets;  // by response role in signature order: [rows + 1]
  std::vector<DistributionUse> uses;          // by distribution in signature order
  std::map<std::string, HeadShape>
      heads;  // by model; models whose distributions are all provided may be absent

  int64_t num_rows() const {
    return offsets.empty() ? 0 : static_cast<int64_t>(offsets[0].size()) - 1;
  }
};

// Number of packed tokens of distribution `d`.
int64_t NumTokens(const Signature& signature, const Problem& problem, int64_t d);

// Whether the logit cotangent of distribution `d` is needed: for its hidden states or for a head
// that requires a gradient.
bool IsActive(const Signature& signature, const Problem& problem, int64_t d);

// Tokens [begin, end) of one distribution.
struct Segment {
  int64_t distribution = 0;
  int64_t begin = 0, end = 0;
};

// Tokens that go through one head in one GEMM; segments lie one after another in the chunk's
// buffers.
struct Chunk {
  std::string model;
  std::vector<Segment> segments;
  // z lies in the memory of Schedule::gradient_model's head gradient, which no step has written
  // yet.
  bool borrows_head_gradient = false;
  int64_t num_tokens() const;
};

enum class StepOp {
  kGather,       // chunk: hidden rows and labels -> x [C, H], y [C]
  kHeadGemm,     // chunk: z [C, V] = x head^T
  kRowKernel,    // chunk: logp from z, y; with `gradient`, z becomes onehot - softmax
  kScalarBlock,  // rows [row_begin, row_end): `gradient` computes cotangents, `results` keeps loss
                 // and metrics
  kHiddenGemm,   // chunk: u [C, H] = z head
  kScatterHidden,  // chunk: dHidden rows = u, times the cotangent if `scaled`
  kScaleInput,     // chunk: x rows *= the cotangent
  kHeadGradGemm,   // chunk: dHead = z^T x, or += if `accumulate`
  kScaleHidden,    // distribution: dHidden rows *= the cotangent
};
absl::string_view StepOpName(StepOp op);

struct Step {
  StepOp op = StepOp::kGather;
  int64_t chunk = -1;                  // index into Schedule::chunks
  int64_t distribution = -1;           // kScaleHidden
  int64_t row_begin = 0, row_end = 0;  // kScalarBlock
  bool gradient = false, results = false, scaled = false, accumulate = false;
};

struct Schedule {
  Kind kind = Kind::kR;
  std::string gradient_model;  // the model whose distributions are active; empty for R
  std::vector<Chunk> chunks;
  std::vector<Step> steps;

  // Sizes of the shared buffers: the largest chunk's tokens, and its z (where not borrowed), x and
  // u in floats.
  int64_t max_tokens = 0, max_logits = 0, max_hidden = 0;
  int64_t workspace_bytes() const { return (max_logits + 2 * max_hidden) * 4 + max_tokens * 12; }

  // One line per step, for `prefc explain --steps`, tests and people.
  std::string Print(const Signature& signature) const;
};

// Tokens that one chunk may hold; a chunk of S3 holds whole rows, and at least one.
struct ChunkLimits {
  int64_t gradient_tokens = 0;  // distributions with gradient
  int64_t reference_tokens =
      0;  // distributions without, in the workspace or in the head gradient's memory
};

// The steps of `kind`. Legality is the planner's business; this only lays out what was chosen. kR
// ignores gradients.
Schedule BuildSchedule(const Signature& signature, const Problem& problem, Kind kind,
                       const ChunkLimits& limits);

}  // namespace alidade::schedule

#endif  // ALIDADE_COMPILER_SCHEDULE_SCHEDULE_H_
