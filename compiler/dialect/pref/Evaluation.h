// Evaluation of operations in double precision: what the interpreter hands to
// TermOpInterface::evaluate.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_EVALUATION_H_
#define ALIDADE_COMPILER_DIALECT_PREF_EVALUATION_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "compiler/dialect/pref/Axes.h"

namespace alidade::pref {

// A number for every point of the axes, packed: one for no axes, [numRows] for [row].
struct RealTensor {
  llvm::SmallVector<Axis, 3> axes;
  std::vector<double> data;
};

// A point of some axes, and the points it lies below.
class Point {
 public:
  explicit Point(llvm::ArrayRef<int64_t> path) : path(path) {}

  // Its packed index.
  int64_t index() const { return at(path.size()); }
  // Packed index of the ancestor on the first `depth` axes; 0 for none of them.
  int64_t at(size_t depth) const { return depth == 0 ? 0 : path[depth - 1]; }

 private:
  llvm::ArrayRef<int64_t> path;
};

// The batch and the scalars that an objective is evaluated on. Complete and consistent: whoever
// makes it has checked.
struct EvaluationContext {
  int64_t numRows = 0;
  // By toString(axis), for every axis but row: the points below point i of the parent axis are
  // offsets[i] .. offsets[i + 1].
  std::map<std::string, std::vector<int64_t>> offsets;
  // Values of the vocabulary operations, packed: in the order of readsOf.
  std::vector<std::vector<double>> reads;
  std::map<std::string, std::vector<double>> inputs;  // packed
  std::map<std::string, double> hyperparameters;
  std::map<std::string, double> states;        // at the start of the step
  std::map<std::string, std::string> options;  // those that differ from their defaults

  // Of an axis other than row.
  const std::vector<int64_t>& offsetsOf(Axis axis) const { return offsets.at(toString(axis)); }
  // Number of points of a value with these axes.
  int64_t numPoints(llvm::ArrayRef<Axis> axes) const;
  // Calls fn for every point in packed order; once for no axes.
  void forEachPoint(llvm::ArrayRef<Axis> axes, llvm::function_ref<void(Point point)> fn) const;
};

// The point of an operand with `axes` that a result's point reads: prefix broadcasting.
inline int64_t broadcastPoint(llvm::ArrayRef<Axis> axes, Point point) {
  return point.at(axes.size());
}

// Offsets of the pairs i < j from those of the members of the same rows.
std::vector<int64_t> pairOffsets(llvm::ArrayRef<int64_t> memberOffsets);
// The members (i, j) of pair number `index` of a row with `count` members.
std::pair<int64_t, int64_t> pairMembers(int64_t index, int64_t count);

// The number of pref.uniform in (0, 1): splitmix64's finaliser of a counter. `position` is that of
// the point in the packed order of the whole batch.
double uniformAt(double seed, int64_t position);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_DIALECT_PREF_EVALUATION_H_
