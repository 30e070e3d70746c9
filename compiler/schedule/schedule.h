#ifndef ALIDADE_COMPILER_SCHEDULE_SCHEDULE_H_
#define ALIDADE_COMPILER_SCHEDULE_SCHEDULE_H_

// A schedule: the order in which heads, row kernels and the scalar block run, as a flat list of
// steps over chunks of packed tokens. It is data. The runtime walks it with LibTorch's GEMMs and
// generated code; the interpreter beside this file walks the same list in plain double precision.
//
// With z = head x the logits of a token and D = d loss / d z of all tokens, one row per token:
//   dHidden = D head        dHead = D^T hidden
// A distribution is separable when the cotangent of each token's logits is one number w times a row
// Z that the token alone decides (for a log-probability onehot(label) - softmax). Then D = w * Z:
//   dHidden = w * (Z head)     the weight factors out of the row: it may come late (F)
//   dHead  += Z^T (w * hidden) the weight is inside the sum over tokens: it must be known (S2, S3),
//                              or one number for the tokens that are summed (D)
// Other distributions (an entropy, a divergence, two reads with gradient) need D itself, and so
// their weights, before any GEMM.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "compiler/schedule/signature.h"

namespace alidade::schedule {

enum class Kind {
  kR,   // no gradient: reads and the scalar block only
  kS2,  // all logits of the distributions with gradient at once
  kS3,  // chunks of whole rows; the weights of a chunk's rows are known once its own scores are
  kF,   // chunks of tokens; hidden gradients are scaled at the end (the head is frozen), or the
        // weights are known before any score
  kD,   // S3 in which a row that fits no chunk is taken in pieces: its Z^T hidden is accumulated
        // without the row's weight, which is one number, and added with it
  kRC,  // chunks of tokens, twice: scores first, then the logits again with all weights known
};
absl::string_view KindName(Kind kind);  // "R", "S2", "S3", "F", "D", "RC"

// What a head maps: hidden states [.., hidden] to logits [.., vocabulary]. What a row kernel sees
// is
//   soft_cap * tanh((z + bias) / soft_cap) * inverse_temperature     (no cap: soft_cap = 0)
struct HeadShape {
  int64_t hidden = 0;  // 0 when all distributions of the model are given as logits
  int64_t vocabulary = 0;
  bool requires_grad = false;
  // A model whose head is the very same tensor; empty: none, or this is the one that others name.
  std::string same_as;
  bool has_bias = false, bias_requires_grad = false;
  // The gradients of head and bias are added to what their buffers hold, instead of written.
  bool adds_gradient = false;
  double inverse_temperature = 1, soft_cap = 0;
};

// What the caller gives and wants for one distribution. At most one of provided, logits and absent;
// none of them: hidden states are given.
struct DistributionUse {
  bool provided = false;         // log-probabilities are given: no head, no hidden states
  bool hidden_gradient = false;  // d loss / d hidden is wanted
  bool logits = false;           // logits are given: no GEMM
  bool logits_gradient = false;  // d loss / d logits is wanted
  bool logits_in_place = false;  // and may take the place of the logits
  bool absent = false;           // nothing is given: R then computes reads of the others, no loss
};

// One call of an objective, without its numbers.
struct Problem {
  // By axis in signature order: [points of the parent + 1]; parents come before children.
  std::vector<std::vector<int64_t>> offsets;
  std::vector<DistributionUse> uses;  // by distribution in signature order
  // By model; models whose distributions are all provided or absent may be missing.
  std::map<std::string, HeadShape> heads;
  int64_t element_bytes = 4;  // of hidden states, heads and logits: 4 for f32, 2 for bf16

  int64_t num_rows() const {
    return offsets.empty() ? 0 : static_cast<int64_t>(offsets[0].size()) - 1;
  }
};

// Errors (invalid argument) name distribution or head, expected and got: sizes that do not fit the
// signature; heads that are missing; log-probabilities given where the objective reads more; the
// two sides of a divergence with different vocabularies. MakePlan asks this first.
absl::Status ValidateProblem(const Signature& signature, const Problem& problem);

// The first point of axis `axis` that lies in row `row` or a later one; of the number of rows: the
// number of points. Points of rows [a, b) are FirstPoint(a) .. FirstPoint(b) - 1.
int64_t FirstPoint(const Signature& signature, const Problem& problem, int64_t axis, int64_t row);

// Number of packed tokens of distribution `d`, and the first of them in a row.
int64_t NumTokens(const Signature& signature, const Problem& problem, int64_t d);
int64_t FirstToken(const Signature& signature, const Problem& problem, int64_t d, int64_t row);

// Whether the logit cotangent of distribution `d` is needed: for its hidden states, for a head or
// bias that requires a gradient, or as a result.
bool IsActive(const Signature& signature, const Problem& problem, int64_t d);

// Whether two models have the same head tensor.
bool SharesHead(const Problem& problem, const std::string& a, const std::string& b);

// Indices into Signature::reads of the reads that distribution `d` is the (primary) subject of, in
// order; the i-th is the i-th read of its row program.
std::vector<int64_t> ReadsOf(const Signature& signature, int64_t d);

// Whether the logit cotangent of `d` is w * Z as above; then WeightOf is the index of w among the
// cotangents.
bool IsSeparable(const Signature& signature, int64_t d);
int64_t WeightOf(const Signature& signature, int64_t d);

// How the logits of a segment become a gradient.
enum class Form {
  kNone,      // they do not
  kFactored,  // to Z with the scores (mode 1); the weight is applied to x, u or dHidden
  kWeighted,  // to D once the cotangents are known (mode 2)
};

// Tokens [begin, end) of one distribution.
struct Segment {
  int64_t distribution = 0;
  int64_t begin = 0, end = 0;
  Form form = Form::kNone;
  // Where the logits of the same tokens of the distribution's partner are: a chunk and the row in
  // it at which they begin; -1 without a partner.
  int64_t partner_chunk = -1, partner_row = 0;
};

// Where the logits of a chunk lie.
enum class Place {
  kWorkspace,
  kPartner,       // the second logits buffer of the workspace, at Chunk::partner_begin
  kHeadGradient,  // memory of the gradient model's head gradient, which no step has written yet
  kInput,         // what the caller gave; one segment. Mode 2 only where it may be overwritten
  kOutput,        // d loss / d logits of the distribution; one segment
};

// Tokens that go through one head in one GEMM; segments lie one after another in the chunk's
// buffers, those with gradient last.
struct Chunk {
  std::string model;  // its head is used; other segments may belong to models that share it
  std::vector<Segment> segments;
  Place place = Place::kWorkspace;
  int64_t partner_begin = 0;  // in elements; kPartner

  int64_t num_tokens() const;
  // Rows of the chunk's buffers before the first segment with gradient; the gradient GEMMs take the
  // rows from there to num_tokens().
  int64_t gradient_begin() const;
};

enum class StepOp {
  kGather,       // chunk: hidden rows -> x [C, H]
  kHeadGemm,     // chunk: z [C, V] = x head^T
  kCopyLogits,   // chunk: z = given logits
  kRowKernel,    // chunk: with `reads`, all reads from z; factored segments become Z (mode 1), the
                 // rest stays (mode 0). With `gradient`, weighted segments become D (mode 2), and
                 // without `reads` others are left alone. With `indexes`, only the argmax reads
                 // (mode 0), because other reads of this or a later chunk take them as their index
  kKnownBlock,   // what couples rows but needs no score with gradient, over the whole batch
  kScalarBlock,  // rows [row_begin, row_end): `gradient` computes cotangents, `results` keeps loss,
                 // metrics and new state. Only with `results` may it reduce over ranks
  kScaleInput,   // chunk: x rows of factored segments *= their weights
  kHeadGradGemm,  // chunk: dHead = z^T x, or += if `accumulate`
  kBiasGrad,    // chunk: dBias = z^T w (factored segments: their weights; weighted ones: 1), or +=
  kHiddenGemm,  // chunk: u [C, H] = z head; u takes the place of x
  kScatterHidden,  // chunk: dHidden rows = u; those of factored segments times w if `scaled`
  kAccumulate,  // chunk of one segment: G = z^T x, or += if `accumulate`; G [V, H] of the segment's
                // distribution, and column sums of z [V] if the bias requires a gradient
  kAddAccumulator,  // distribution: dHead = w G, or += if `accumulate`; w the weight of the row
                    // row_begin; the bias likewise
  kScaleHidden,     // distribution: dHidden rows [begin, end) *= their weights
  kClearHead,       // dHead = 0, dBias = 0: no token has reached them
};
absl::string_view StepOpName(StepOp op);

struct Step {
  StepOp op = StepOp::kGather;
  int64_t chunk = -1;                  // index into Schedule::chunks
  int64_t distribution = -1;           // kAddAccumulator, kScaleHidden
  int64_t row_begin = 0, row_end = 0;  // kScalarBlock; kAddAccumulator: row_begin
  int64_t begin = 0, end = 0;          // kScaleHidden: tokens
  bool indexes = false, reads = false, gradient = false, results = false, scaled = false,
       accumulate = false;
};

struct Schedule {
  Kind kind = Kind::kR;
  // The model whose head the active distributions with hidden states go through; empty: none.
  std::string gradient_model;
  std::vector<Chunk> chunks;
  std::vector<Step> steps;
  // Distributions with an accumulator [V, H] and [V] (D only).
  std::vector<int64_t> accumulators;

  // Sizes of the shared buffers in elements: z of the largest chunk in the workspace, all partner
  // logits of the largest chunk, x and u of the largest chunk (one memory).
  int64_t max_logits = 0, max_partner_logits = 0, max_hidden = 0;
  int64_t accumulator_floats = 0;  // of all accumulators, f32
  int64_t element_bytes = 4;
  int64_t workspace_bytes() const {
    return (max_logits + max_partner_logits + max_hidden) * element_bytes + accumulator_floats * 4;
  }

  // One line per step, for `prefc explain --steps`, tests and people.
  std::string Print(const Signature& signature) const;
};

// Tokens that one chunk may hold; a chunk of S3 holds whole rows, and at least one.
struct ChunkLimits {
  int64_t gradient_tokens = 0;  // distributions with gradient
  // Distributions without, in the workspace or in the head gradient's memory.
  int64_t reference_tokens = 0;
  // Given logits that are copied to where their gradient is wanted; 0: all of a distribution.
  int64_t copy_tokens = 0;
  // Distributions without gradient whose head is the gradient model's go through the same GEMM (S2,
  // S3, F; not those that known values depend on).
  bool share_head = false;
};

// The steps of `kind`. Legality is the planner's business; this only lays out what was chosen. kR
// ignores gradients.
Schedule BuildSchedule(const Signature& signature, const Problem& problem, Kind kind,
                       const ChunkLimits& limits);

}  // namespace alidade::schedule

#endif  // ALIDADE_COMPILER_SCHEDULE_SCHEDULE_H_
