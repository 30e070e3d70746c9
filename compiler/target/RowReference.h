// What a row kernel must give, by plain f64 loops over the textbook formulas; for the tests of the
// CPU and of the GPU kernels.

#ifndef ALIDADE_COMPILER_TARGET_ROWREFERENCE_H_
#define ALIDADE_COMPILER_TARGET_ROWREFERENCE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/runtime/abi.h"
#include "compiler/schedule/row_program.h"

namespace alidade::pref {

// Programs that between them have every read, alone and together with others, with and without
// gradient, and every way in which a kernel writes a gradient.
std::vector<schedule::RowProgram> rowPrograms();

// Rows of logits and everything else that AlidadeRowArgs points to.
struct RowCase {
  schedule::RowProgram program;
  int64_t rows = 0, vocab = 0, stride = 0, partnerStride = 0;
  std::vector<float> logits, partner;          // [rows, stride], [rows, partnerStride]
  std::vector<int64_t> labels;                 // [rows]
  std::vector<std::vector<float>> indexes;     // per read; empty where it has none
  std::vector<std::vector<float>> cotangents;  // per read with gradient, [rows]
  float scale = 1.5f;                          // of logprob_mix
  std::vector<float> bias, partnerBias;        // [vocab] or empty
  float inverseTemperature = 1, softCap = 0, partnerInverseTemperature = 1, partnerSoftCap = 0;

  // Arguments for `logits` (a copy of this->logits) and `reads`, one array [rows] per read.
  AlidadeRowArgs arguments(float* logits, std::vector<std::vector<float>>& reads,
                           int32_t mode) const;
  // Bias, temperature or soft cap change the logits.
  bool isTransformed() const { return !bias.empty() || inverseTemperature != 1 || softCap != 0; }
  std::string describe() const;
};

// Normally distributed logits of standard deviation `spread`, rows a little further apart than
// `vocab`.
RowCase randomCase(const schedule::RowProgram& program, int64_t vocab, double spread,
                   unsigned seed);
// Gives it biases, temperatures and soft caps.
void transform(RowCase& rows, unsigned seed);

struct RowExpectation {
  std::vector<std::vector<double>> reads;  // per read, [rows]
  std::vector<double> gradient;            // [rows, vocab], by the logits
};

// `unscaled`: every cotangent is 1.
RowExpectation expect(const RowCase& rows, bool unscaled);

// The largest entropy or divergence of a row, or 1: their gradients hold differences of numbers of
// that size, which f32 keeps to its spacing only.
double denseScale(const RowCase& rows, const RowExpectation& expected, int64_t row);

// Norm of the difference between `got` ([rows, stride]) and the expected gradient of a row over the
// norm of the latter plus `floor`.
double gradientError(const RowCase& rows, const RowExpectation& expected,
                     const std::vector<float>& got, int64_t row, double floor);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TARGET_ROWREFERENCE_H_
