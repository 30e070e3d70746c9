#ifndef ALIDADE_COMPILER_SCHEDULE_SIGNATURE_H_
#define ALIDADE_COMPILER_SCHEDULE_SIGNATURE_H_

// The contract of a compiled objective: what it reads, what it takes, what it reports, and the
// facts about the coupling of its gradients that decide which schedules are exact. Derived from the
// IR (compiler/transforms), embedded in the compiled object as JSON, read by the planner, the
// runtime, trainers and documentation. Nothing here names a paper's objective; a trainer that obeys
// the signature can train all of them.
//
//   absl::StatusOr<Signature> signature = SignatureFromJson(text);
//   for (const Distribution& d : signature->distributions) Provide(d.Name());

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "compiler/schedule/row_program.h"

namespace alidade::schedule {

// The smallest set of scores after which every weight of a distribution's token cotangent is known.
enum class Granularity {
  kKnown,  // before any score: data, lengths, hyperparameters, scores of distributions without
           // gradient
  kToken,  // the token's own scores
  kRow,    // the scores of all tokens of the row, in all responses and views
  kBatch,  // the scores of all rows
  kRanks,  // the scores of all rows of all ranks
};

// What the cotangent of a distribution depends on. Printed by `prefc explain`.
struct Coupling {
  Granularity granularity = Granularity::kBatch;
  // Unknown scalars per granule: 1 when one number scales known weights, 2 for two independent
  // ones, and so on; 0 when everything is known before the forward pass.
  int64_t rank = 0;
  // False: the cotangent of the logits is w * (onehot - softmax) with one weight per token. True:
  // it is dense (an entropy or a KL divergence carries gradient).
  bool dense = false;
  // True: the weight is one number per row (per member of a row), the same for all of its tokens.
  bool uniform = false;
  // One sentence for people: which operation decides.
  std::string reason;
};

// A ragged, packed set of points. `row` is the root and not listed: its points are the rows of the
// batch. The points of an axis that belong to point i of its parent are offsets[i] ..
// offsets[i + 1]. Offsets are given per axis, in the order of Signature::axes; those of `pair`
// follow from `member`: all i < j of the members of a row, (0, 1), (0, 2), ..., (1, 2), ...
struct Axis {
  std::string kind;     // token, member, segment, pair
  std::string name;     // the response of a token axis, the label set of a segment axis; else empty
  int64_t parent = -1;  // index into Signature::axes, less than the axis' own; -1: row

  // "token(chosen)", "member", "segment(phrase)", "pair".
  std::string Name() const;
};

// A model's scores of one response under one view of the visual input.
struct Distribution {
  std::string model;           // policy, reference, reference(2), old_policy
  std::string response;        // chosen, rejected, response, mismatched, member
  std::string view = "clean";  // clean, corrupted, retrieved, blank, adversarial
  std::string view_argument;   // how the view is made, such as crop; empty when the view has none
  bool shared_view = false;    // policy and reference must see the very same transformed input
  bool requires_grad = false;  // a gradient flows to this distribution's hidden states and head
  bool feeds_known = false;    // known values (Signature::known_values) depend on its reads
  Coupling coupling;           // meaningful only with requires_grad
  int64_t axis = 0;            // its tokens: index into Signature::axes
  // What the row kernel does with its logits: index into Signature::row_programs, whose reads are
  // this distribution's reads in the order of Signature::reads. -1: nothing but a partner's kernel
  // reads it.
  int64_t program = -1;
  // The distribution over the same tokens whose logits its row kernel reads beside its own: index
  // into Signature::distributions; -1: none.
  int64_t partner = -1;

  // "policy.chosen"; other views append "@view" or "@view(argument)", shared ones "+shared":
  // "policy.chosen@corrupted(crop)". The name is the key of inputs, outputs, command lines and
  // files everywhere.
  std::string Name() const;
};

// One vocabulary operation on one distribution. Reads are distinct: an objective that mentions one
// twice lists it once.
struct VocabularyRead {
  std::string op = "logprob";  // see RowRead
  int64_t distribution = 0;    // whose row kernel computes it: index into Signature::distributions
  int64_t partner = -1;        // the other distribution of a KL divergence or a mixture; -1: none
  // The token of logprob_at and logit_at: an input (index into Signature::inputs), or an argmax
  // read (index into Signature::reads, less than this read's own); both -1: none.
  int64_t index_input = -1;
  int64_t index_read = -1;
  // The factor g of logprob_mix: index into Signature::hyperparameters; -1: scale_constant.
  int64_t scale_hyper = -1;
  double scale_constant = 1;
  // Index into AlidadeScalarArgs::cotangents, counted over the reads with gradient in order; -1
  // without gradient.
  int64_t cotangent = -1;
};

struct Hyperparameter {
  std::string name;
  double default_value = 0;
  double low = 0, high = 0;  // infinities allowed
  bool low_open = true, high_open = true;
  std::string doc;  // one sentence; may be empty

  bool Contains(double value) const;
  std::string Range() const;  // "(0, inf)", "[0, 0.5)"
};

// Numbers that the caller gives with a batch: one per point. An index of a token or a point is an
// exact integer.
struct Input {
  std::string name;
  int64_t axis = kRow;  // the innermost axis: index into Signature::axes, or one of
  static constexpr int64_t kRow = -1;
  static constexpr int64_t kNone = -2;  // one number
  std::string doc;                      // one sentence; may be empty
};

// A number that lives from step to step: taken at the start of a step, given back at its end, kept
// in checkpoints.
struct State {
  std::string name;
  double default_value = 0;
  std::string doc;  // one sentence; may be empty
};

// A choice that was made when the objective was compiled.
struct Option {
  std::string name;
  std::string chosen;
  std::string default_case;
  std::vector<std::string> cases;
  std::string doc;  // one sentence; may be empty
};

struct Signature {
  std::string name;                             // the objective's symbol
  std::string paper;                            // "arXiv:2305.18290"
  std::string doc;                              // the comment above the definition; may be empty
  std::vector<Axis> axes;                       // first mention: AlidadeScalarArgs::offsets
  std::vector<Distribution> distributions;      // in the order of first mention
  std::vector<VocabularyRead> reads;            // first mention: AlidadeScalarArgs::reads
  std::vector<RowProgram> row_programs;         // distinct, in the order of the distributions
  std::vector<Hyperparameter> hyperparameters;  // declaration: AlidadeScalarArgs::hyperparameters
  std::vector<Input> inputs;                    // first mention: AlidadeScalarArgs::inputs
  std::vector<Option> options;                  // declaration
  std::vector<State> states;         // first mention: AlidadeScalarArgs::state, new_state
  std::vector<std::string> metrics;  // order of the yield: AlidadeScalarArgs::results + 1
  bool reduces_ranks = false;        // something is summed over all ranks
  // Number of values that couple rows but depend on no score with gradient. They are computed over
  // the whole batch before any row: AlidadeVariant::known. 0: none.
  int64_t known_values = 0;

  // Index of the distribution called `name`, or nullopt.
  std::optional<int64_t> FindDistribution(absl::string_view name) const;
  // Index of the axis whose Name() is `name`, or nullopt.
  std::optional<int64_t> FindAxis(absl::string_view name) const;
  // Index of the token axis of a response, or nullopt.
  std::optional<int64_t> FindResponse(absl::string_view response) const;
  // The responses of the token axes, in order.
  std::vector<std::string> Responses() const;
  // Number of reads that have a cotangent.
  int64_t num_cotangents() const;
  bool has_known() const { return known_values > 0; }
  // Names of the reads, in order; unique. The distribution's name for its logprob,
  // "<distribution>#<op>" for others; the second of a name appends "#2", and so on.
  std::vector<std::string> ReadNames() const;
  // Models in the order of first mention; `with_gradient` keeps those of distributions that require
  // a gradient.
  std::vector<std::string> Models(bool with_gradient = false) const;
};

// Spelling used in JSON and explanations: known, token, row, batch, ranks.
absl::string_view GranularityName(Granularity granularity);

// Canonical text: fixed member order, two-space indent, trailing newline. Infinite bounds are the
// strings "inf", "-inf".
std::string SignatureToJson(const Signature& signature);

// Reads SignatureToJson's text. Errors name the member, expected and got; unknown members are
// errors.
absl::StatusOr<Signature> SignatureFromJson(absl::string_view json);

// Fills row_programs, and the program of every distribution, from the reads.
void AssignRowPrograms(Signature& signature);

// The invariants that the other readers rely on: at least one distribution, unique names, indices
// in range, parents before children, row programs that agree with the reads, defaults in their
// ranges, cotangents numbered in order. Errors name the member.
absl::Status ValidateSignature(const Signature& signature);

}  // namespace alidade::schedule

#endif  // ALIDADE_COMPILER_SCHEDULE_SIGNATURE_H_
