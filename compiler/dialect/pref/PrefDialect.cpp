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
  return emitError() << "(C1) axes of a value: expected " << valueAxesText() << ", got "
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

Axis DistributionAttr::getTokenAxis() const { return Axis::token(getResponse()); }

std::string DistributionAttr::getModelName() const {
  std::string name = stringifyModelRole(getModel()).str();
  if (getModelIndex() != 1) name += "(" + std::to_string(getModelIndex()) + ")";
  return name;
}

std::string DistributionAttr::getName() const {
  std::string name = (getModelName() + "." + stringifyResponseRole(getResponse())).str();
  if (getView() != View::Clean) ((name += "@") += stringifyView(getView()));
  if (!getViewArgument().empty()) (((name += "(") += getViewArgument()) += ")");
  if (getShared()) name += "+shared";
  return name;
}

mlir::LogicalResult DistributionAttr::verify(
    llvm::function_ref<mlir::InFlightDiagnostic()> emitError, ModelRole model, unsigned modelIndex,
    ResponseRole, View view, llvm::StringRef argument, bool shared) {
  if (view == View::Corrupted && argument.empty())
    return emitError() << "(C1) view corrupted: expected the name of the corruption, as in "
                          "corrupted(\"crop\"), got none";
  if (view != View::Corrupted && !argument.empty())
    return emitError() << "(C1) view " << stringifyView(view) << ": expected no argument, got \""
                       << argument << "\"";
  if (!argument.empty() && !isIdentifier(argument))
    return emitError() << "(C2) view argument: expected an identifier of [a-z0-9_], got \""
                       << argument << "\"";
  if (modelIndex == 0 || (modelIndex > 1 && model != ModelRole::Reference))
    return emitError() << "(C3) index of a model: expected reference(k) with k at least 1, got "
                       << stringifyModelRole(model) << "(" << modelIndex << ")";
  if (shared && view == View::Clean)
    return emitError() << "(C4) shared: expected a view other than clean";
  return success();
}

// model (`(` index `)`)? `(` response `)`
static mlir::ParseResult parseModelAndResponse(mlir::AsmParser& parser, ModelRole& model,
                                               unsigned& modelIndex, ResponseRole& response) {
  if (parseCase<ModelRole>(parser, "a model", symbolizeModelRole,
                           {"policy", "reference", "old_policy"}, model) ||
      parser.parseLParen())
    return failure();
  mlir::OptionalParseResult index = parser.parseOptionalInteger(modelIndex);
  if (index.has_value() && (failed(*index) || parser.parseRParen() || parser.parseLParen()))
    return failure();
  return mlir::failure(parseResponseRole(parser, response) || parser.parseRParen());
}

mlir::ParseResult parseDistribution(mlir::AsmParser& parser, DistributionAttr& distribution) {
  llvm::SMLoc loc = parser.getCurrentLocation();
  ModelRole model;
  unsigned modelIndex = 1;
  ResponseRole response;
  View view = View::Clean;
  std::string argument;
  bool shared = false;
  if (parseModelAndResponse(parser, model, modelIndex, response)) return failure();
  if (succeeded(parser.parseOptionalKeyword("on"))) {
    if (parseCase<View>(parser, "a view", symbolizeView,
                        {"clean", "corrupted", "retrieved", "blank", "adversarial"}, view))
      return failure();
    if (succeeded(parser.parseOptionalLParen()) &&
        (parser.parseString(&argument) || parser.parseRParen()))
      return failure();
    shared = succeeded(parser.parseOptionalKeyword("shared"));
  }
  distribution = parser.getChecked<DistributionAttr>(loc, parser.getContext(), model, modelIndex,
                                                     response, view, argument, shared);
  return mlir::ParseResult(mlir::success(static_cast<bool>(distribution)));
}

void printDistribution(mlir::AsmPrinter& printer, DistributionAttr distribution) {
  printer << distribution.getModelName() << "(" << stringifyResponseRole(distribution.getResponse())
          << ")";
  if (distribution.getView() == View::Clean) return;
  printer << " on " << stringifyView(distribution.getView());
  if (!distribution.getViewArgument().empty())
    printer << "(\"" << distribution.getViewArgument() << "\")";
  if (distribution.getShared()) printer << " shared";
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
