// What the operations across points share: checks of axes, and loops over the points below a point.
// Private to this folder.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_CROSSPOINT_H_
#define ALIDADE_COMPILER_DIALECT_PREF_CROSSPOINT_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/dialect/pref/Pref.h"

namespace alidade::pref {

//===--- types ---===//

// Where an operation is checked, and under which name it complains. Without a location it fails
// silently, as builders want it.
struct CheckedOp {
  std::optional<mlir::Location> location;
  llvm::StringRef name;
};

// Fails, with an error at the operation that `fill` completes.
mlir::LogicalResult failAt(CheckedOp op, llvm::function_ref<void(mlir::InFlightDiagnostic&)> fill);

// (C1): the kind is that of the operand's last axis and, unless the list is empty, one of
// `allowed`. `verb` is what the operation does to an axis: "cannot sort row of a value with axes
// ...".
mlir::LogicalResult checkLastAxis(CheckedOp op, llvm::StringRef verb, mlir::Value operand,
                                  AxisKind axis, llvm::ArrayRef<AxisKind> allowed = {});
// An operand has exactly these axes. `what` names the constraint and the operand: "(C2) key".
mlir::LogicalResult checkAxes(CheckedOp op, llvm::StringRef what, mlir::Value operand,
                              llvm::ArrayRef<Axis> expected);
// The axes of an operand are a prefix of these.
mlir::LogicalResult checkPrefix(CheckedOp op, llvm::StringRef what, mlir::Value operand,
                                llvm::ArrayRef<Axis> limit);
// The operand's axes without the last one.
mlir::Type reducedType(mlir::Value operand);

//===--- points ---===//

// Points of the innermost axis below every point of its parent, [points of the parent + 1]: those
// of point p are spans[p] .. spans[p + 1].
std::vector<int64_t> spansOf(llvm::ArrayRef<Axis> axes, const EvaluationContext& context);

// The numbers of a tensor at every point of longer axes of which its own are a prefix.
std::vector<double> broadcastTo(const RealTensor& tensor, llvm::ArrayRef<Axis> axes,
                                const EvaluationContext& context);

// Points begin .. end of a span in ascending order of their keys: equal keys in the order of the
// points, nan after all numbers.
std::vector<int64_t> ascendingOrder(llvm::ArrayRef<double> keys, int64_t begin, int64_t end);

//===--- assembly ---===//

// `by` %key, or nothing.
mlir::ParseResult parseKey(mlir::OpAsmParser& parser,
                           std::optional<mlir::OpAsmParser::UnresolvedOperand>& key,
                           mlir::Type& type);
void printKey(mlir::OpAsmPrinter& printer, mlir::Operation*, mlir::Value key, mlir::Type);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_DIALECT_PREF_CROSSPOINT_H_
