#ifndef ALIDADE_COMPILER_SCHEDULE_INTERPRET_ROW_H_
#define ALIDADE_COMPILER_SCHEDULE_INTERPRET_ROW_H_

// The row kernel's meaning in double precision: the value of a vocabulary read on one row of
// logits, and its gradient.

#include <cstdint>
#include <string>
#include <vector>

namespace alidade::schedule {

// From what the head gives to what a distribution is the softmax of:
//   x = soft_cap * tanh((z + bias) / soft_cap) * inverse_temperature     (no cap: soft_cap = 0)
struct HeadTransform {
  const double* bias = nullptr;  // [V] or none
  double inverse_temperature = 1, soft_cap = 0;

  std::vector<double> Apply(const double* z, int64_t vocabulary) const;
  // Overwrites z by d / d z, given d / d x.
  void PullBack(double* z, const std::vector<double>& gradient) const;
};

// What a read takes beside logits.
struct RowOperands {
  int64_t token = 0;  // the label, or the index of an *_at
  double scale = 1;   // g of logprob_mix
};

// `op` is a ReadOp's name; x [V], partner [V] where the operation has one, else empty.
double ReadRow(const std::string& op, const std::vector<double>& x,
               const std::vector<double>& partner, const RowOperands& operands);

// gradient [V] += weight * d read / d x. The operation has a gradient.
void AddReadGradient(const std::string& op, const std::vector<double>& x,
                     const std::vector<double>& partner, const RowOperands& operands, double weight,
                     std::vector<double>& gradient);

}  // namespace alidade::schedule

#endif  // ALIDADE_COMPILER_SCHEDULE_INTERPRET_ROW_H_
