#ifndef ALIDADE_COMPILER_SCHEDULE_ROW_PROGRAM_H_
#define ALIDADE_COMPILER_SCHEDULE_ROW_PROGRAM_H_

// What one row kernel computes from a row of logits: the vocabulary reads of one distribution.
// Distributions with equal programs share a kernel, so that an objective has as few kernels as it
// has kinds of distributions.
//
//   RowProgram program = {{{"logprob", true}, {"entropy", false}}};
//   program.separable();  // true: one weight per token scales the gradient

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace alidade::schedule {

// What is known of a vocabulary operation by its name. z are the logits of a row, y its label,
// p = softmax(z), q the softmax of the partner's logits.
struct ReadOp {
  absl::string_view name;
  absl::string_view meaning;
  bool has_gradient;  // false: the value is data to whatever uses it
  bool separable;     // d read / d z needs nothing but z and y: a weight can scale it later
  bool has_index;     // takes a token index per row: AlidadeRowArgs::indexes
  bool has_partner;   // reads a second row of logits: AlidadeRowArgs::partner
};

// All operations, by name:
//   logprob      z[y] - lse(z)
//   logprob_at   the same at a given token
//   logprob_mix  log softmax(g z - (g - 1) z_partner)[y]; no gradient to the partner
//   entropy      lse(z) - sum p z
//   collision    log sum p^2
//   logit        z[y]
//   logit_at     z at a given token
//   argmax       index of the largest logit, first of equals
//   kl_to        KL(p || q)
//   kl_from      KL(q || p)
absl::Span<const ReadOp> ReadOps();
// The operation called `name`, or null.
const ReadOp* FindReadOp(absl::string_view name);

struct RowRead {
  std::string op;         // ReadOp::name
  bool gradient = false;  // mode 2 takes a cotangent of this read
};

bool operator==(const RowRead& a, const RowRead& b);

struct RowProgram {
  std::vector<RowRead> reads;  // in the order of AlidadeRowArgs::reads

  // Some read needs the partner's logits.
  bool has_partner() const;
  // Exactly one read has a gradient, and it is separable: the kernel can write the unscaled
  // gradient before the weights are known (mode 1).
  bool separable() const;
  int64_t num_gradients() const;
  // "logprob* entropy": a star marks a read with gradient.
  std::string ToString() const;
};

bool operator==(const RowProgram& a, const RowProgram& b);

// At least one and at most ALIDADE_MAX_ROW_READS reads, all known, gradients only of operations
// that have one, at most one logprob_mix (a row has one scale), and nothing but *_at twice.
absl::Status ValidateRowProgram(const RowProgram& program);

}  // namespace alidade::schedule

#endif  // ALIDADE_COMPILER_SCHEDULE_ROW_PROGRAM_H_
