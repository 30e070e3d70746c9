// Evaluation of operations in double precision: what the interpreter hands to
// TermOpInterface::evaluate.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_EVALUATION_H_
#define ALIDADE_COMPILER_DIALECT_PREF_EVALUATION_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "compiler/dialect/pref/Axes.h"

namespace alidade::pref {

// A number for every point of the axes: one, [numRows], or packed over the tokens of all rows.
struct RealTensor {
  llvm::SmallVector<Axis, 2> axes;
  std::vector<double> data;
};

// The batch and the scalars that an objective is evaluated on. Complete and consistent: whoever
// makes it has checked.
struct EvaluationContext {
  int64_t numRows = 0;
  // [numRows + 1]: tokens of row b of a response are offsets[b] .. offsets[b + 1].
  std::map<ResponseRole, std::vector<int64_t>> offsets;
  // By name of the distribution, packed.
  std::map<std::string, std::vector<double>> logProbs;
  std::map<std::string, double> hyperparameters;

  // Number of points of a value with these axes.
  int64_t numPoints(llvm::ArrayRef<Axis> axes) const;
  // Calls fn(point, row) for every point in order; row is 0 for a single number.
  void forEachPoint(llvm::ArrayRef<Axis> axes,
                    llvm::function_ref<void(int64_t point, int64_t row)> fn) const;
};

// The point of an operand with `axes` that a result's (point, row) reads: prefix broadcasting.
inline int64_t broadcastPoint(llvm::ArrayRef<Axis> axes, llvm::ArrayRef<Axis> resultAxes,
                              int64_t point, int64_t row) {
  if (axes.size() == resultAxes.size()) return point;
  return axes.empty() ? 0 : row;
}

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_DIALECT_PREF_EVALUATION_H_
