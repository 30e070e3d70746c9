#ifndef ALIDADE_COMPILER_TESTING_CONTRAST_H_
#define ALIDADE_COMPILER_TESTING_CONTRAST_H_

// A small objective written by hand, in place of compiled code, so that planner, interpreter and
// executor are tested without the compiler. With w, l the sums over tokens of policy minus
// reference log-probabilities of two responses:
//   loss = mean over rows of (w - l - target)^2 + weight * mean over rows of -mean over tokens of
//   policy(chosen) metric "gap" = mean over rows of (w - l)

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "compiler/schedule/signature.h"

namespace alidade::testing {

inline schedule::Signature ContrastSignature() {
  const schedule::Coupling row = {
      .granularity = schedule::Granularity::kRow, .rank = 2, .reason = "a square of sums"};
  schedule::Signature signature;
  signature.name = "contrast";
  signature.doc = "squared distance of a gap from a target";
  signature.distributions = {
      {.model = "policy", .response = "chosen", .requires_grad = true, .coupling = row, .axis = 0},
      {.model = "policy",
       .response = "rejected",
       .requires_grad = true,
       .coupling = row,
       .axis = 1},
      {.model = "reference", .response = "chosen", .axis = 0},
      {.model = "reference", .response = "rejected", .axis = 1},
  };
  signature.reads = {{.distribution = 0, .cotangent = 0},
                     {.distribution = 1, .cotangent = 1},
                     {.distribution = 2},
                     {.distribution = 3}};
  signature.axes = {{.kind = "token", .name = "chosen"}, {.kind = "token", .name = "rejected"}};
  AssignRowPrograms(signature);
  signature.hyperparameters = {
      {.name = "target",
       .default_value = 2,
       .low = 0,
       .high = HUGE_VAL,
       .low_open = true,
       .high_open = true},
      {.name = "weight",
       .default_value = 0.25,
       .low = 0,
       .high = 1,
       .low_open = false,
       .high_open = false},
  };
  signature.metrics = {"gap"};
  return signature;
}

// The scalar block over rows [row_begin, row_end), in AlidadeScalarArgs' terms for any number type.
// Null cotangents are skipped; results may be null.
template <typename T>
void ContrastScalars(const T* const* reads, const int64_t* const* offsets, const T* hyperparameters,
                     T* const* cotangents, T* results, int64_t row_begin, int64_t row_end,
                     int64_t num_rows) {
  double loss = 0, gap_sum = 0;
  for (int64_t row = row_begin; row < row_end; ++row) {
    const int64_t* c = offsets[0] + row;
    const int64_t* r = offsets[1] + row;
    double gap = 0, chosen = 0;
    for (int64_t t = c[0]; t < c[1]; ++t) gap += double{reads[0][t]} - double{reads[2][t]};
    for (int64_t t = r[0]; t < r[1]; ++t) gap -= double{reads[1][t]} - double{reads[3][t]};
    for (int64_t t = c[0]; t < c[1]; ++t) chosen += reads[0][t];
    const double count = std::max<int64_t>(1, c[1] - c[0]);
    const double distance = gap - hyperparameters[0];
    loss += distance * distance - hyperparameters[1] * chosen / count;
    gap_sum += gap;
    for (int64_t t = c[0]; cotangents[0] != nullptr && t < c[1]; ++t) {
      cotangents[0][t] = (2 * distance - hyperparameters[1] / count) / num_rows;
    }
    for (int64_t t = r[0]; cotangents[1] != nullptr && t < r[1]; ++t)
      cotangents[1][t] = -2 * distance / num_rows;
  }
  if (results == nullptr) return;
  results[0] = loss / num_rows;
  results[1] = gap_sum / num_rows;
}

}  // namespace alidade::testing

#endif  // ALIDADE_COMPILER_TESTING_CONTRAST_H_
