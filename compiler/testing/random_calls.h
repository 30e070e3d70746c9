#ifndef ALIDADE_COMPILER_TESTING_RANDOM_CALLS_H_
#define ALIDADE_COMPILER_TESTING_RANDOM_CALLS_H_

// Calls of any objective, made from its signature: random ones, ones at the ends of the range of
// log-probabilities, and the same call with its rows in another order. What data inputs and states
// mean only their objective knows, so their numbers are drawn from `samples`: a golden's inputs.

#include <cstdint>
#include <vector>

#include "compiler/schedule/signature.h"
#include "compiler/tools/prefc/Arrays.h"
#include "compiler/tools/prefc/Calls.h"

namespace alidade::testing {

// Offsets of every axis of the signature, in its order.
struct Layout {
  int64_t rows = 0;
  std::vector<std::vector<int64_t>> offsets;

  int64_t Points(int64_t axis) const;  // schedule::Input's numbering
};
// 1 to `most_tokens` tokens per sequence, 2 to 4 members and 1 to 3 segments per row.
Layout RandomLayout(const schedule::Signature& signature, int64_t rows, unsigned seed,
                    int64_t most_tokens = 6);
// The layout of a valid call.
Layout LayoutOf(const schedule::Signature& signature, const pref::Call& call);

struct CallShape {
  int64_t rows = 6, most_tokens = 6, hidden = 16, vocabulary = 41;
};
// Reals are f32 numbers, so that both precisions see the same inputs.
pref::Call RandomCall(const schedule::Signature& signature, const pref::Arrays& samples,
                      unsigned seed, const CallShape& shape = {});

// Two rows in which the log-probabilities of distribution d are near 0 or sum to -1e4 over the four
// tokens of a sequence, as bit d of `pattern` says. Given as log-probabilities where the objective
// reads nothing else, else as logits below a head of the identity.
pref::Call ExtremeCall(const schedule::Signature& signature, const pref::Arrays& samples,
                       unsigned pattern);

// The call with its rows in reverse order.
pref::Call Reversed(const schedule::Signature& signature, const pref::Call& call);

}  // namespace alidade::testing

#endif  // ALIDADE_COMPILER_TESTING_RANDOM_CALLS_H_
