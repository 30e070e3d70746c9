// A batch of equal rows: what planner questions are asked of before there is a real one.

#ifndef ALIDADE_COMPILER_TOOLS_PREFC_EVENBATCH_H_
#define ALIDADE_COMPILER_TOOLS_PREFC_EVENBATCH_H_

#include <cstdint>

#include "compiler/schedule/schedule.h"
#include "compiler/schedule/signature.h"

namespace alidade::pref {

struct EvenSizes {
  int64_t rows = 8;
  int64_t tokens = 128;               // of each response of a row, or of each member
  int64_t members = 4, segments = 4;  // of a row
  schedule::HeadShape head = {.hidden = 4096, .vocabulary = 32000, .requires_grad = true};
};

// All hidden states are given; those that the signature differentiates want their gradient, and
// with head.requires_grad so do the heads.
schedule::Problem evenProblem(const schedule::Signature& signature, const EvenSizes& sizes);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TOOLS_PREFC_EVENBATCH_H_
