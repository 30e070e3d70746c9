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

namespace alidade::schedule {

// The smallest set of scores after which every weight of a distribution's token cotangent is known.
enum class Granularity {
  kKnown,  // before any score: data, lengths, hyperparameters, scores of distributions without
           // gradient
  kToken,  // the token's own score
  kRow,    // the scores of all tokens of the row, in all responses and views
  kBatch,  // the scores of all rows
};

// What the cotangent of a distribution depends on. Printed by `prefc explain`.
struct Coupling {
  Granularity granularity = Granularity::kBatch;
  // Unknown scalars per granule: 1 when one number scales known weights, 2 for two independent
  // ones, and so on; 0 when everything is known before the forward pass.
  int64_t rank = 0;
  // False: the cotangent of the logits is w * (onehot - softmax) with one weight per token. True:
  // it is dense.
  bool dense = false;
  // One sentence for people: which operation decides.
  std::string reason;
};

// A model's scores of one response under one view of the visual input.
struct Distribution {
  std::string model;           // policy, reference, reference(2), old_policy
  std::string response;        // chosen, rejected, response, mismatched
  std::string view = "clean";  // clean, corrupted, retrieved, blank, adversarial
  std::string view_argument;   // how the view is made, such as crop; empty when the view has none
  bool shared_view = false;    // policy and reference must see the very same transformed input
  bool requires_grad = false;  // a gradient flows to this distribution's hidden states and head
  Coupling coupling;           // meaningful only with requires_grad

  // "policy.chosen"; other views append "@view" or "@view(argument)", shared ones "+shared":
  // "policy.chosen@corrupted(crop)". The name is the key of inputs, outputs, command lines and
  // files everywhere.
  std::string Name() const;
};

// One vocabulary operation on one distribution. Reads are distinct: an objective that mentions one
// twice lists it once.
struct VocabularyRead {
  std::string op = "logprob";  // the operation's mnemonic
  int64_t distribution = 0;    // index into Signature::distributions
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

struct Signature {
  std::string name;                         // the objective's symbol
  std::string paper;                        // "arXiv:2305.18290"
  std::string doc;                          // the comment above the definition; may be empty
  std::vector<Distribution> distributions;  // in the order of first mention
  std::vector<VocabularyRead> reads;   // in the order of first mention: AlidadeScalarArgs::reads
  std::vector<std::string> responses;  // in the order of first mention: AlidadeScalarArgs::offsets
  std::vector<Hyperparameter>
      hyperparameters;  // in the order of declaration: AlidadeScalarArgs::hyperparameters
  std::vector<std::string> metrics;  // in the order of the yield: AlidadeScalarArgs::results + 1

  // Index of the distribution called `name`, or nullopt.
  std::optional<int64_t> FindDistribution(absl::string_view name) const;
  // Index of the response role called `name`, or nullopt.
  std::optional<int64_t> FindResponse(absl::string_view name) const;
  // Number of reads that have a cotangent.
  int64_t num_cotangents() const;
  // Models in the order of first mention; `with_gradient` keeps those of distributions that require
  // a gradient.
  std::vector<std::string> Models(bool with_gradient = false) const;
};

// Spelling used in JSON and explanations: known, token, row, batch.
absl::string_view GranularityName(Granularity granularity);

// Canonical text: fixed member order, two-space indent, trailing newline. Infinite bounds are the
// strings "inf", "-inf".
std::string SignatureToJson(const Signature& signature);

// Reads SignatureToJson's text. Errors name the member, expected and got; unknown members are
// errors.
absl::StatusOr<Signature> SignatureFromJson(absl::string_view json);

// The invariants that the other readers rely on: at least one distribution, unique names, indices
// in range, defaults in their ranges, cotangents numbered in order. Errors name the member.
absl::Status ValidateSignature(const Signature& signature);

}  // namespace alidade::schedule

#endif  // ALIDADE_COMPILER_SCHEDULE_SIGNATURE_H_
