#ifndef ALIDADE_COMPILER_RUNTIME_CONTRAST_TESTUTIL_H_
#define ALIDADE_COMPILER_RUNTIME_CONTRAST_TESTUTIL_H_

// The hand-written objective of compiler/testing/contrast.h as a table of C++ functions, registered
// under its name, and a batch for it.

#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"
#include "compiler/runtime/abi.h"
#include "compiler/runtime/objective.h"

namespace alidade::runtime::testing {

constexpr int64_t kHidden = 6, kVocabulary = 11, kRows = 4;

const AlidadeObjectiveTable* ContrastTable();
const Objective& Contrast();

at::Tensor Integers(const std::vector<int64_t>& values);

// The same numbers at every call. Hidden states of the policy require a gradient with
// `train_hidden`, its head with `train_head`.
ObjectiveInputs ContrastInputs(bool train_head, bool train_hidden = true);

}  // namespace alidade::runtime::testing

#endif  // ALIDADE_COMPILER_RUNTIME_CONTRAST_TESTUTIL_H_
