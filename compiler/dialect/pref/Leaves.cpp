// Operations whose results come from outside the formula: axes, values, checks.

#include <cmath>

#include "llvm/ADT/StringSet.h"

#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/dialect/pref/OpSupport.h"

namespace alidade::pref {

using mlir::failure;
using mlir::success;
using mlir::Value;
using Active = llvm::ArrayRef<bool>;
using InferredTypes = llvm::SmallVectorImpl<mlir::Type>;
using MaybeLocation = std::optional<mlir::Location>;
using Operands = llvm::ArrayRef<const RealTensor*>;
using Pulled = llvm::MutableArrayRef<Value>;

// No gradient passes to data, choices that are still open, state, places and random numbers.
void InputOp::buildVjp(mlir::OpBuilder&, Value, Active, Pulled) {}
void OptionOp::buildVjp(mlir::OpBuilder&, Value, Active, Pulled) {}
void StateOp::buildVjp(mlir::OpBuilder&, Value, Active, Pulled) {}
void PositionOp::buildVjp(mlir::OpBuilder&, Value, Active, Pulled) {}
void PairIndexOp::buildVjp(mlir::OpBuilder&, Value, Active, Pulled) {}
void UniformOp::buildVjp(mlir::OpBuilder&, Value, Active, Pulled) {}

bool UniformOp::isValueOnly() { return true; }

static mlir::LogicalResult verifyName(mlir::Operation* op, llvm::StringRef label,
                                      llvm::StringRef what, llvm::StringRef name) {
  if (isIdentifier(name)) return success();
  return op->emitOpError() << label << " " << what
                           << ": expected an identifier of [a-z0-9_], got \"" << name << "\"";
}

static mlir::Type pathType(mlir::MLIRContext* context, Axis axis) {
  return ValueType::get(context, pathOf(axis));
}

//===--- pref.input ---===//

mlir::LogicalResult InputOp::inferReturnTypes(mlir::MLIRContext* context, MaybeLocation location,
                                              Adaptor adaptor, InferredTypes& inferred) {
  llvm::ArrayRef<Axis> axes = adaptor.getAxes().getValue();
  if (!areValueAxes(axes)) {
    if (!location) return failure();
    return mlir::emitError(*location)
           << "'" << getOperationName() << "' op (C2) axes of a value: expected " << valueAxesText()
           << ", got " << toString(axes);
  }
  inferred.push_back(ValueType::get(context, axes));
  return success();
}

mlir::LogicalResult InputOp::verify() { return verifyName(*this, "(C1)", "name", getName()); }

RealTensor InputOp::evaluate(Operands, const EvaluationContext& context) {
  return RealTensor{llvm::to_vector<3>(axesOf(getResult())), context.inputs.at(getName().str())};
}

//===--- pref.option ---===//

mlir::LogicalResult OptionOp::inferReturnTypes(mlir::MLIRContext* context, MaybeLocation location,
                                               Adaptor adaptor, InferredTypes& inferred) {
  if (adaptor.getValues().empty()) {
    if (!location) return failure();
    return mlir::emitError(*location)
           << "'" << getOperationName() << "' op (C3) expected at least one case, got none";
  }
  return inferElementwiseType(context, location, getOperationName(), adaptor.getValues(), inferred);
}

llvm::SmallVector<llvm::StringRef> OptionOp::getCaseNames() {
  return llvm::to_vector(getCases().getAsValueRange<mlir::StringAttr>());
}

Value OptionOp::getValueOf(llvm::StringRef name) {
  for (auto [text, value] : llvm::zip(getCaseNames(), getValues()))
    if (text == name) return value;
  return {};
}

mlir::LogicalResult OptionOp::verify() {
  if (failed(verifyName(*this, "(C2)", "name", getName()))) return failure();
  llvm::SmallVector<llvm::StringRef> names = getCaseNames();
  if (names.size() != getValues().size())
    return emitOpError() << "cases: expected a name for each of " << getValues().size()
                         << " values, got " << names.size();
  llvm::StringSet<> seen;
  for (llvm::StringRef name : names) {
    if (failed(verifyName(*this, "(C2)", "case", name))) return failure();
    if (!seen.insert(name).second)
      return emitOpError() << "(C2) case \"" << name << "\" is given twice";
  }
  if (!seen.contains(getDefaultCase()))
    return emitOpError() << "(C3) default: expected one of " << llvm::join(names, ", ")
                         << ", got \"" << getDefaultCase() << "\""
                         << didYouMean(getDefaultCase(), names);
  return success();
}

RealTensor OptionOp::evaluate(Operands operands, const EvaluationContext& context) {
  auto chosen = context.options.find(getName().str());
  llvm::StringRef name = chosen == context.options.end() ? getDefaultCase() : chosen->second;
  RealTensor result = zerosOf(*this, context);
  for (auto [text, value] : llvm::zip(getCaseNames(), operands)) {
    if (text != name) continue;
    context.forEachPoint(result.axes, [&, value = value](Point point) {
      result.data[point.index()] = value->data[broadcastPoint(value->axes, point)];
    });
  }
  return result;
}

//===--- pref.state, pref.update ---===//

mlir::LogicalResult StateOp::inferReturnTypes(mlir::MLIRContext* context, MaybeLocation, Adaptor,
                                              InferredTypes& inferred) {
  inferred.push_back(ValueType::get(context, {}));
  return success();
}

mlir::LogicalResult StateOp::verify() {
  // With dots where composition made it: bco_pair.reward_mean.
  if (!isDottedIdentifier(getName()) && failed(verifyName(*this, "(C1)", "name", getName())))
    return failure();
  if (std::isfinite(getDefaultNumber())) return success();
  return emitOpError() << "(C2) " << getName() << ": expected a finite default, got "
                       << formatNumber(getDefaultNumber());
}

RealTensor StateOp::evaluate(Operands, const EvaluationContext& context) {
  return RealTensor{{}, {context.states.at(getName().str())}};
}

mlir::LogicalResult UpdateOp::verify() {
  if (axesOf(getX()).empty()) return success();
  mlir::InFlightDiagnostic diagnostic = emitOpError() << "(C1) " << getName()
                                                      << ": expected a value of axes [], got "
                                                      << toString(axesOf(getX()));
  diagnostic.attachNote(getX().getLoc()) << "the value";
  return diagnostic;
}

//===--- places and random numbers ---===//

mlir::LogicalResult PositionOp::inferReturnTypes(mlir::MLIRContext* context, MaybeLocation,
                                                 Adaptor adaptor, InferredTypes& inferred) {
  inferred.push_back(pathType(context, adaptor.getAxis().getValue()));
  return success();
}

RealTensor PositionOp::evaluate(Operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  Axis axis = getAxis().getValue();
  size_t depth = result.axes.size();
  context.forEachPoint(result.axes, [&](Point point) {
    int64_t begin = axis.isRow() ? 0 : context.offsetsOf(axis)[point.at(depth - 1)];
    result.data[point.index()] = point.index() - begin;
  });
  return result;
}

mlir::LogicalResult PairIndexOp::inferReturnTypes(mlir::MLIRContext* context, MaybeLocation,
                                                  Adaptor, InferredTypes& inferred) {
  inferred.push_back(pathType(context, Axis::pair()));
  return success();
}

RealTensor PairIndexOp::evaluate(Operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  const std::vector<int64_t>& members = context.offsetsOf(Axis::member());
  const std::vector<int64_t>& pairs = context.offsetsOf(Axis::pair());
  context.forEachPoint(result.axes, [&](Point point) {
    int64_t row = point.at(1);
    auto [first, second] = pairMembers(point.index() - pairs[row], members[row + 1] - members[row]);
    result.data[point.index()] = getSide() == PairSide::First ? first : second;
  });
  return result;
}

mlir::LogicalResult UniformOp::inferReturnTypes(mlir::MLIRContext* context, MaybeLocation location,
                                                Adaptor adaptor, InferredTypes& inferred) {
  if (!axesOf(adaptor.getSeed()).empty()) {
    if (!location) return failure();
    mlir::InFlightDiagnostic diagnostic = mlir::emitError(*location)
                                          << "'" << getOperationName()
                                          << "' op (C1) seed: expected axes [], got "
                                          << toString(axesOf(adaptor.getSeed()));
    diagnostic.attachNote(adaptor.getSeed().getLoc())
        << "this value has axes " << toString(axesOf(adaptor.getSeed()));
    return diagnostic;
  }
  inferred.push_back(pathType(context, adaptor.getAxis().getValue()));
  return success();
}

RealTensor UniformOp::evaluate(Operands operands, const EvaluationContext& context) {
  RealTensor result = zerosOf(*this, context);
  for (size_t point = 0; point < result.data.size(); ++point)
    result.data[point] = uniformAt(operands[0]->data[0], point);
  return result;
}

}  // namespace alidade::pref
