// Values that couple the rows of a batch but depend on no distribution with gradient: sums over
// rows of data, lengths or reference scores, a sort of them. A function of its own computes them
// over the whole batch, so that every range of rows can be worked on exactly.

#ifndef ALIDADE_COMPILER_CONVERSION_KNOWNVALUES_H_
#define ALIDADE_COMPILER_CONVERSION_KNOWNVALUES_H_

#include "compiler/dialect/pref/ObjectiveInfo.h"

namespace alidade::pref {

// knownValuesOf by where they are in AlidadeScalarArgs::known: [scalars()], then
// [rows()][num_rows].
class KnownValues {
 public:
  explicit KnownValues(ObjectiveOp objective) {
    for (mlir::Value value : knownValuesOf(objective))
      (axesOf(value).empty() ? scalarValues : rowValues).push_back(value);
  }

  bool empty() const { return scalarValues.empty() && rowValues.empty(); }
  llvm::ArrayRef<mlir::Value> scalars() const { return scalarValues; }  // []
  llvm::ArrayRef<mlir::Value> rows() const { return rowValues; }        // [row]
  bool contains(mlir::Value value) const {
    return llvm::is_contained(scalarValues, value) || llvm::is_contained(rowValues, value);
  }

 private:
  llvm::SmallVector<mlir::Value> scalarValues, rowValues;
};

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_CONVERSION_KNOWNVALUES_H_
