// Axes of results from axes of operands.

#include "compiler/dialect/pref/OpSupport.h"
#include "compiler/dialect/pref/Pref.h"

namespace alidade::pref {

using mlir::failure;
using mlir::success;

static llvm::ArrayRef<Axis> axes(mlir::Value value) {
  return llvm::cast<ValueType>(value.getType()).getAxes();
}

// Calls fill on an error at the location; says nothing where builders ask without one.
static mlir::LogicalResult fail(std::optional<mlir::Location> location, llvm::StringRef op,
                                llvm::function_ref<void(mlir::InFlightDiagnostic&)> fill) {
  if (!location) return failure();
  mlir::InFlightDiagnostic diagnostic = mlir::emitError(*location) << "'" << op << "' op ";
  fill(diagnostic);
  return diagnostic;
}

mlir::LogicalResult inferElementwiseType(mlir::MLIRContext* context,
                                         std::optional<mlir::Location> location, llvm::StringRef op,
                                         mlir::ValueRange operands,
                                         llvm::SmallVectorImpl<mlir::Type>& inferred) {
  mlir::Value longest = operands.front();
  for (mlir::Value operand : operands)
    if (axes(operand).size() > axes(longest).size()) longest = operand;
  for (mlir::Value operand : operands) {
    if (isPrefix(axes(operand), axes(longest))) continue;
    return fail(location, op, [&](mlir::InFlightDiagnostic& diagnostic) {
      // The operand that comes first in the text is named first.
      bool operandFirst = llvm::find(operands, operand) < llvm::find(operands, longest);
      mlir::Value first = operandFirst ? operand : longest,
                  second = operandFirst ? longest : operand;
      diagnostic << "(C1) cannot combine axes " << toString(axes(first)) << " with "
                 << toString(axes(second)) << ": one must be a prefix of the other";
      diagnostic.attachNote(first.getLoc()) << "this value has axes " << toString(axes(first));
      diagnostic.attachNote(second.getLoc()) << "this value has axes " << toString(axes(second));
    });
  }
  inferred.push_back(longest.getType());
  return success();
}

mlir::LogicalResult inferReductionType(mlir::MLIRContext* context,
                                       std::optional<mlir::Location> location, llvm::StringRef op,
                                       mlir::Value operand, AxisKind axis,
                                       llvm::SmallVectorImpl<mlir::Type>& inferred) {
  llvm::ArrayRef<Axis> own = axes(operand);
  if (own.empty() || own.back().getKind() != axis) {
    llvm::SmallVector<AxisKind> kinds;
    for (Axis other : own) kinds.push_back(other.getKind());
    return fail(location, op, [&](mlir::InFlightDiagnostic& diagnostic) {
      diagnostic << "(C1) cannot reduce " << stringifyAxisKind(axis) << " of a value with axes "
                 << toString(own) << ": it must be the last axis";
      if (own.size() >= 2 && llvm::is_contained(kinds, axis))
        diagnostic << "; reduce it over " << stringifyAxisKind(kinds.back()) << " first";
      diagnostic.attachNote(operand.getLoc()) << "this value has axes " << toString(own);
    });
  }
  inferred.push_back(ValueType::get(context, own.drop_back()));
  return success();
}

using InferredTypes = llvm::SmallVectorImpl<mlir::Type>;

static mlir::LogicalResult inferScalar(mlir::MLIRContext* context, InferredTypes& inferred) {
  inferred.push_back(ValueType::get(context, {}));
  return success();
}

mlir::LogicalResult HyperOp::inferReturnTypes(mlir::MLIRContext* context,
                                              std::optional<mlir::Location>, Adaptor,
                                              InferredTypes& inferred) {
  return inferScalar(context, inferred);
}

mlir::LogicalResult ConstantOp::inferReturnTypes(mlir::MLIRContext* context,
                                                 std::optional<mlir::Location>, Adaptor,
                                                 InferredTypes& inferred) {
  return inferScalar(context, inferred);
}

mlir::LogicalResult CountOp::inferReturnTypes(mlir::MLIRContext* context,
                                              std::optional<mlir::Location>, Adaptor adaptor,
                                              InferredTypes& inferred) {
  llvm::SmallVector<Axis> path = llvm::to_vector(pathOf(adaptor.getAxis().getValue()));
  inferred.push_back(ValueType::get(context, llvm::ArrayRef<Axis>(path).drop_back()));
  return success();
}

mlir::LogicalResult BroadcastOp::inferReturnTypes(mlir::MLIRContext* context,
                                                  std::optional<mlir::Location> location,
                                                  Adaptor adaptor, InferredTypes& inferred) {
  llvm::ArrayRef<Axis> own = axes(adaptor.getX()), target = adaptor.getAxes().getValue();
  if (!areValueAxes(target)) {
    return fail(location, getOperationName(), [&](mlir::InFlightDiagnostic& diagnostic) {
      diagnostic << "(C1) axes of a value: expected " << valueAxesText() << ", got "
                 << toString(target);
    });
  }
  if (own.size() >= target.size() || !isPrefix(own, target)) {
    return fail(location, getOperationName(), [&](mlir::InFlightDiagnostic& diagnostic) {
      diagnostic << "(C1) cannot broadcast axes " << toString(own) << " to " << toString(target)
                 << ": expected a proper prefix";
      diagnostic.attachNote(adaptor.getX().getLoc()) << "this value has axes " << toString(own);
    });
  }
  inferred.push_back(ValueType::get(context, target));
  return success();
}

}  // namespace alidade::pref
