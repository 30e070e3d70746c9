// pref.apply: assembly, verification, and the answers of a term that is always inlined before it is
// asked.

#include <limits>

#include "llvm/ADT/StringSet.h"

#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/dialect/pref/OpSupport.h"

namespace alidade::pref {

using mlir::failure;
using mlir::success;
using UnresolvedOperand = mlir::OpAsmParser::UnresolvedOperand;

//===--- assembly ---===//

// `{` name `=` %value, ... `}`, or nothing.
mlir::ParseResult parseBindings(mlir::OpAsmParser& parser,
                                llvm::SmallVectorImpl<UnresolvedOperand>& values,
                                llvm::SmallVectorImpl<mlir::Type>& types, mlir::ArrayAttr& names) {
  llvm::SmallVector<mlir::Attribute> bound;
  auto parseBinding = [&]() -> mlir::ParseResult {
    llvm::StringRef name;
    if (parser.parseKeyword(&name) || parser.parseEqual() ||
        parser.parseOperand(values.emplace_back()))
      return failure();
    types.push_back(UnresolvedType::get(parser.getContext()));
    bound.push_back(parser.getBuilder().getStringAttr(name));
    return success();
  };
  if (parser.parseCommaSeparatedList(mlir::AsmParser::Delimiter::OptionalBraces, parseBinding))
    return failure();
  names = parser.getBuilder().getArrayAttr(bound);
  return success();
}

void printBindings(mlir::OpAsmPrinter& printer, mlir::Operation*, mlir::OperandRange values,
                   mlir::TypeRange, mlir::ArrayAttr names) {
  if (names.empty()) return;
  printer << " {";
  llvm::interleaveComma(llvm::zip(names, values), printer.getStream(), [&](auto binding) {
    printer << llvm::cast<mlir::StringAttr>(std::get<0>(binding)).getValue() << " = "
            << std::get<1>(binding);
  });
  printer << "}";
}

// `[` option `=` "case", ... `]`, or nothing.
mlir::ParseResult parseChoices(mlir::OpAsmParser& parser, mlir::ArrayAttr& options,
                               mlir::ArrayAttr& cases) {
  llvm::SmallVector<mlir::Attribute> names, chosen;
  auto parseChoice = [&]() -> mlir::ParseResult {
    llvm::StringRef name;
    std::string choice;
    if (parser.parseKeyword(&name) || parser.parseEqual() || parser.parseString(&choice))
      return failure();
    names.push_back(parser.getBuilder().getStringAttr(name));
    chosen.push_back(parser.getBuilder().getStringAttr(choice));
    return success();
  };
  if (parser.parseCommaSeparatedList(mlir::AsmParser::Delimiter::OptionalSquare, parseChoice))
    return failure();
  options = parser.getBuilder().getArrayAttr(names);
  cases = parser.getBuilder().getArrayAttr(chosen);
  return success();
}

void printChoices(mlir::OpAsmPrinter& printer, mlir::Operation*, mlir::ArrayAttr options,
                  mlir::ArrayAttr cases) {
  if (options.empty()) return;
  printer << " [";
  llvm::interleaveComma(llvm::zip(options, cases), printer.getStream(), [&](auto choice) {
    printer << llvm::cast<mlir::StringAttr>(std::get<0>(choice)).getValue() << " = "
            << std::get<1>(choice);
  });
  printer << "]";
}

//===--- verification ---===//

static mlir::LogicalResult verifyOnce(ApplyOp op, llvm::StringRef what, mlir::ArrayAttr names) {
  llvm::StringSet<> seen;
  for (mlir::Attribute name : names) {
    llvm::StringRef text = llvm::cast<mlir::StringAttr>(name).getValue();
    if (!seen.insert(text).second) return op.emitOpError() << what << " \"" << text << "\" twice";
  }
  return success();
}

mlir::LogicalResult ApplyOp::verify() {
  if (getValues().size() != getHyperparameters().size())
    return emitOpError() << "(C1) expected a name for each of " << getValues().size()
                         << " values, got " << getHyperparameters().size();
  if (getOptions().size() != getCases().size())
    return emitOpError() << "(C2) expected a case for each of " << getOptions().size()
                         << " options, got " << getCases().size();
  if (failed(verifyOnce(*this, "(C1) binds hyperparameter", getHyperparameters())) ||
      failed(verifyOnce(*this, "(C2) chooses option", getOptions())))
    return failure();
  for (auto [name, value] : llvm::zip(getHyperparameters(), getValues())) {
    if (axesOf(value).empty()) continue;
    mlir::InFlightDiagnostic diagnostic = emitOpError()
                                          << "(C1) hyperparameter " << name
                                          << ": expected axes [], got " << toString(axesOf(value));
    diagnostic.attachNote(value.getLoc()) << "this value has axes " << toString(axesOf(value));
    return diagnostic;
  }
  if (getLabel() && !isIdentifier(*getLabel()))
    return emitOpError() << "(C3) label: expected an identifier of [a-z0-9_], got \"" << *getLabel()
                         << "\"";
  return success();
}

mlir::LogicalResult ApplyOp::inferReturnTypes(mlir::MLIRContext* context,
                                              std::optional<mlir::Location>, Adaptor,
                                              llvm::SmallVectorImpl<mlir::Type>& inferred) {
  inferred.push_back(ValueType::get(context, {}));
  return success();
}

//===--- never asked ---===//

// Differentiation and interpreter refuse an objective that still applies others.
void ApplyOp::buildVjp(mlir::OpBuilder&, mlir::Value, llvm::ArrayRef<bool>,
                       llvm::MutableArrayRef<mlir::Value>) {}

RealTensor ApplyOp::evaluate(llvm::ArrayRef<const RealTensor*>, const EvaluationContext&) {
  return RealTensor{{}, {std::numeric_limits<double>::quiet_NaN()}};
}

}  // namespace alidade::pref
