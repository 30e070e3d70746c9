// Registration of the dialect; its types and attributes.

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"

#include "compiler/dialect/pref/OpSupport.h"
#include "compiler/dialect/pref/Pref.h"

#include "compiler/dialect/pref/PrefEnums.cpp.inc"

#include "compiler/dialect/pref/PrefDialect.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "compiler/dialect/pref/PrefAttributes.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "compiler/dialect/pref/PrefTypes.cpp.inc"

namespace alidade::pref {

using mlir::failure;
using mlir::success;

void PrefDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "compiler/dialect/pref/PrefTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "compiler/dialect/pref/PrefAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "compiler/dialect/pref/PrefOps.cpp.inc"
      >();
}

mlir::Operation* PrefDialect::materializeConstant(mlir::OpBuilder& builder, mlir::Attribute value,
                                                  mlir::Type type, mlir::Location loc) {
  auto number = llvm::dyn_cast<mlir::FloatAttr>(value);
  auto valueType = llvm::dyn_cast<ValueType>(type);
  if (!number || !valueType || !valueType.getAxes().empty()) return nullptr;
  return ConstantOp::create(builder, loc, number);
}

//===--- !pref.value ---===//

mlir::LogicalResult ValueType::verify(llvm::function_ref<mlir::InFlightDiagnostic()> emitError,
                                      llvm::ArrayRef<Axis> axes) {
  if (areValueAxes(axes)) return success();
  return emitError() << "(C1) axes of a value: expected [], [row] or [row, token(R)], got "
                     << toString(axes);
}

mlir::Type ValueType::parse(mlir::AsmParser& parser) {
  llvm::SmallVector<Axis> axes;
  llvm::SMLoc loc = parser.getCurrentLocation();
  if (parseAxisList(parser, axes, mlir::AsmParser::Delimiter::LessGreater)) return {};
  return parser.getChecked<ValueType>(loc, parser.getContext(), axes);
}

void ValueType::print(mlir::AsmPrinter& printer) const {
  printer << "<";
  printAxisList(printer, getAxes());
  printer << ">";
}

//===--- #pref.distribution ---===//

std::string DistributionAttr::getName() const {
  std::string name =
      (stringifyModelRole(getModel()) + "." + stringifyResponseRole(getResponse())).str();
  if (getView() != View::Clean) ((name += "@") += stringifyView(getView()));
  if (!getViewArgument().empty()) (((name += "(") += getViewArgument()) += ")");
  return name;
}

mlir::LogicalResult DistributionAttr::verify(
    llvm::function_ref<mlir::InFlightDiagnostic()> emitError, ModelRole, ResponseRole, View view,
    llvm::StringRef argument) {
  if (view == View::Corrupted && argument.empty())
    return emitError() << "(C1) view corrupted: expected the name of the corruption, as in "
                          "corrupted(\"crop\"), got "
                          "none";
  if (view != View::Corrupted && !argument.empty())
    return emitError() << "(C1) view " << stringifyView(view) << ": expected no argument, got \""
                       << argument << "\"";
  if (!argument.empty() && !isIdentifier(argument))
    return emitError() << "(C2) view argument: expected an identifier of [a-z0-9_], got \""
                       << argument << "\"";
  return success();
}

mlir::ParseResult parseDistribution(mlir::AsmParser& parser, DistributionAttr& distribution) {
  llvm::SMLoc loc = parser.getCurrentLocation();
  ModelRole model;
  ResponseRole response;
  View view = View::Clean;
  std::string argument;
  if (parseCase<ModelRole>(parser, "a model", symbolizeModelRole,
                           {"policy", "reference", "old_policy"}, model) ||
      parser.parseLParen() || parseResponseRole(parser, response) || parser.parseRParen())
    return failure();
  if (succeeded(parser.parseOptionalKeyword("on"))) {
    if (parseCase<View>(parser, "a view", symbolizeView,
                        {"clean", "corrupted", "retrieved", "blank"}, view))
      return failure();
    if (succeeded(parser.parseOptionalLParen()) &&
        (parser.parseString(&argument) || parser.parseRParen()))
      return failure();
  }
  distribution = parser.getChecked<DistributionAttr>(loc, parser.getContext(), model, response,
                                                     view, argument);
  return mlir::ParseResult(mlir::success(static_cast<bool>(distribution)));
}

void printDistribution(mlir::AsmPrinter& printer, DistributionAttr distribution) {
  printer << stringifyModelRole(distribution.getModel()) << "("
          << stringifyResponseRole(distribution.getResponse()) << ")";
  if (distribution.getView() == View::Clean) return;
  printer << " on " << stringifyView(distribution.getView());
  if (!distribution.getViewArgument().empty())
    printer << "(\"" << distribution.getViewArgument() << "\")";
}

mlir::Attribute DistributionAttr::parse(mlir::AsmParser& parser, mlir::Type) {
  DistributionAttr distribution;
  if (parser.parseLess() || parseDistribution(parser, distribution) || parser.parseGreater())
    return {};
  return distribution;
}

void DistributionAttr::print(mlir::AsmPrinter& printer) const {
  printer << "<";
  printDistribution(printer, *this);
  printer << ">";
}

//===--- #pref.axis, #pref.axes ---===//

mlir::Attribute AxisAttr::parse(mlir::AsmParser& parser, mlir::Type) {
  Axis axis = Axis::row();
  if (parser.parseLess() || parseAxis(parser, axis) || parser.parseGreater()) return {};
  return get(parser.getContext(), axis);
}

void AxisAttr::print(mlir::AsmPrinter& printer) const {
  printer << "<" << toString(getValue()) << ">";
}

mlir::Attribute AxesAttr::parse(mlir::AsmParser& parser, mlir::Type) {
  llvm::SmallVector<Axis> axes;
  if (parseAxisList(parser, axes, mlir::AsmParser::Delimiter::LessGreater)) return {};
  return get(parser.getContext(), axes);
}

void AxesAttr::print(mlir::AsmPrinter& printer) const {
  printer << "<";
  printAxisList(printer, getValue());
  printer << ">";
}

}  // namespace alidade::pref
