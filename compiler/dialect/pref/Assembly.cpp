// Parsing and printing of operations, and the inference of types that closes the parsing of an
// objective.

#include <cmath>
#include <cstring>

#include "llvm/ADT/StringExtras.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"

#include "compiler/dialect/pref/OpSupport.h"
#include "compiler/dialect/pref/Pref.h"

namespace alidade::pref {

using mlir::failure;
using mlir::success;

//===--- numbers and ranges ---===//

std::string formatNumber(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::string text;
  for (int digits = 1; digits <= 17; ++digits) {
    char buffer[40];
    std::snprintf(buffer, sizeof(buffer), "%.*g", digits, value);
    bool isExact = std::strtod(buffer, nullptr) == value;
    // The fewest digits, but rather "10" than "1e+01".
    if (isExact && text.empty()) text = buffer;
    if (isExact && !std::strchr(buffer, 'e') && std::strlen(buffer) <= text.size()) text = buffer;
  }
  // MLIR's lexer wants a point before an exponent.
  size_t exponent = text.find('e');
  if (exponent != std::string::npos && text.find('.') == std::string::npos)
    text.insert(exponent, ".0");
  return text;
}

static mlir::ParseResult parseReal(mlir::OpAsmParser& parser, bool allowInfinity, double& value) {
  bool negative = succeeded(parser.parseOptionalMinus());
  if (allowInfinity && succeeded(parser.parseOptionalKeyword("inf"))) {
    value = HUGE_VAL;
  } else {
    llvm::APInt integer;
    mlir::OptionalParseResult result = parser.parseOptionalInteger(integer);
    if (result.has_value()) {
      if (failed(*result)) return failure();
      value = integer.roundToDouble(/*isSigned=*/false);
    } else if (parser.parseFloat(value)) {
      return failure();
    }
  }
  if (negative) value = -value;
  return success();
}

mlir::ParseResult parseNumber(mlir::OpAsmParser& parser, mlir::FloatAttr& value) {
  double number;
  if (parseReal(parser, /*allowInfinity=*/false, number)) return failure();
  value = parser.getBuilder().getF64FloatAttr(number);
  return success();
}

void printNumber(mlir::OpAsmPrinter& printer, mlir::Operation*, mlir::FloatAttr value) {
  printer << formatNumber(value.getValueAsDouble());
}

mlir::ParseResult parseRange(mlir::OpAsmParser& parser, mlir::FloatAttr& low, mlir::FloatAttr& high,
                             mlir::UnitAttr& lowClosed, mlir::UnitAttr& highClosed) {
  mlir::Builder& builder = parser.getBuilder();
  double lowNumber, highNumber;
  if (succeeded(parser.parseOptionalLSquare()))
    lowClosed = builder.getUnitAttr();
  else if (parser.parseLParen())
    return failure();
  if (parseReal(parser, /*allowInfinity=*/true, lowNumber) || parser.parseComma() ||
      parseReal(parser, /*allowInfinity=*/true, highNumber))
    return failure();
  if (succeeded(parser.parseOptionalRSquare()))
    highClosed = builder.getUnitAttr();
  else if (parser.parseRParen())
    return failure();
  low = builder.getF64FloatAttr(lowNumber);
  high = builder.getF64FloatAttr(highNumber);
  return success();
}

static std::string rangeText(double low, double high, bool lowClosed, bool highClosed) {
  return (lowClosed ? "[" : "(") + formatNumber(low) + ", " + formatNumber(high) +
         (highClosed ? "]" : ")");
}

void printRange(mlir::OpAsmPrinter& printer, mlir::Operation*, mlir::FloatAttr low,
                mlir::FloatAttr high, mlir::UnitAttr lowClosed, mlir::UnitAttr highClosed) {
  printer << rangeText(low.getValueAsDouble(), high.getValueAsDouble(),
                       static_cast<bool>(lowClosed), static_cast<bool>(highClosed));
}

std::string HyperOp::getRangeText() {
  return rangeText(getLowNumber(), getHighNumber(), getLowClosed(), getHighClosed());
}

//===--- axes and predicates ---===//

mlir::ParseResult parseAxisKind(mlir::OpAsmParser& parser, AxisKindAttr& axis) {
  AxisKind kind;
  if (parseAxisKindName(parser, kind)) return failure();
  axis = AxisKindAttr::get(parser.getContext(), kind);
  return success();
}

void printAxisKind(mlir::OpAsmPrinter& printer, mlir::Operation*, AxisKindAttr axis) {
  printer << stringifyAxisKind(axis.getValue());
}

mlir::ParseResult parsePredicate(mlir::OpAsmParser& parser, PredicateAttr& predicate) {
  Predicate value;
  if (parseCase<Predicate>(parser, "a predicate", symbolizePredicate,
                           {"eq", "ne", "lt", "le", "gt", "ge"}, value))
    return failure();
  predicate = PredicateAttr::get(parser.getContext(), value);
  return success();
}

void printPredicate(mlir::OpAsmPrinter& printer, mlir::Operation*, PredicateAttr predicate) {
  printer << stringifyPredicate(predicate.getValue());
}

mlir::ParseResult parsePairSide(mlir::OpAsmParser& parser, PairSideAttr& side) {
  PairSide value;
  if (parseCase<PairSide>(parser, "a member of a pair", symbolizePairSide, {"first", "second"},
                          value))
    return failure();
  side = PairSideAttr::get(parser.getContext(), value);
  return success();
}

void printPairSide(mlir::OpAsmPrinter& printer, mlir::Operation*, PairSideAttr side) {
  printer << stringifyPairSide(side.getValue());
}

mlir::ParseResult parseAxis(mlir::OpAsmParser& parser, AxisAttr& axis) {
  Axis value = Axis::row();
  if (parseAxis(static_cast<mlir::AsmParser&>(parser), value)) return failure();
  axis = AxisAttr::get(parser.getContext(), value);
  return success();
}

void printAxis(mlir::OpAsmPrinter& printer, mlir::Operation*, AxisAttr axis) {
  printer << toString(axis.getValue());
}

mlir::ParseResult parseAxes(mlir::OpAsmParser& parser, AxesAttr& axes) {
  llvm::SmallVector<Axis> value;
  if (parseAxisList(parser, value, mlir::AsmParser::Delimiter::Square)) return failure();
  axes = AxesAttr::get(parser.getContext(), value);
  return success();
}

void printAxes(mlir::OpAsmPrinter& printer, mlir::Operation*, AxesAttr axes) {
  printer << toString(axes.getValue());
}

//===--- names of printed values ---===//

void HyperOp::getAsmResultNames(llvm::function_ref<void(mlir::Value, llvm::StringRef)> setName) {
  setName(getResult(), getName());
}

void InputOp::getAsmResultNames(llvm::function_ref<void(mlir::Value, llvm::StringRef)> setName) {
  setName(getResult(), getName());
}

void StateOp::getAsmResultNames(llvm::function_ref<void(mlir::Value, llvm::StringRef)> setName) {
  setName(getResult(), getName());
}

//===--- pref.yield ---===//

namespace {

struct NamedOperands {
  llvm::SmallVector<mlir::Attribute> names;
  llvm::SmallVector<mlir::OpAsmParser::UnresolvedOperand> operands;
};

}  // namespace

// "name" `=` %value, ...
static mlir::ParseResult parseNamedList(mlir::OpAsmParser& parser,
                                        mlir::AsmParser::Delimiter delimiter,
                                        NamedOperands& result) {
  return parser.parseCommaSeparatedList(delimiter, [&]() -> mlir::ParseResult {
    std::string name;
    if (parser.parseString(&name) || parser.parseEqual() ||
        parser.parseOperand(result.operands.emplace_back()))
      return failure();
    result.names.push_back(parser.getBuilder().getStringAttr(name));
    return success();
  });
}

static void printNamedList(mlir::OpAsmPrinter& printer, mlir::ArrayAttr names,
                           mlir::OperandRange operands) {
  llvm::interleaveComma(llvm::zip(names, operands), printer.getStream(), [&](auto pair) {
    printer << std::get<0>(pair) << " = " << std::get<1>(pair);
  });
}

// keyword `(` list `)`, or nothing.
static mlir::ParseResult parseNamedOperands(mlir::OpAsmParser& parser, llvm::StringRef keyword,
                                            NamedOperands& result) {
  if (failed(parser.parseOptionalKeyword(keyword))) return success();
  return parseNamedList(parser, mlir::AsmParser::Delimiter::Paren, result);
}

mlir::ParseResult YieldOp::parse(mlir::OpAsmParser& parser, mlir::OperationState& state) {
  mlir::OpAsmParser::UnresolvedOperand loss;
  NamedOperands metrics, cotangents;
  if (parser.parseOperand(loss) || parseNamedOperands(parser, "metrics", metrics) ||
      parseNamedOperands(parser, "cotangents", cotangents) ||
      parser.parseOptionalAttrDict(state.attributes))
    return failure();
  mlir::Type unresolved = UnresolvedType::get(parser.getContext());
  if (parser.resolveOperand(loss, unresolved, state.operands) ||
      parser.resolveOperands(metrics.operands, unresolved, state.operands) ||
      parser.resolveOperands(cotangents.operands, unresolved, state.operands))
    return failure();
  auto& properties = state.getOrAddProperties<YieldOp::Properties>();
  properties.metricNames = parser.getBuilder().getArrayAttr(metrics.names);
  properties.cotangentNames = parser.getBuilder().getArrayAttr(cotangents.names);
  properties.operandSegmentSizes = {1, static_cast<int32_t>(metrics.operands.size()),
                                    static_cast<int32_t>(cotangents.operands.size())};
  return success();
}

static void printNamedOperands(mlir::OpAsmPrinter& printer, llvm::StringRef keyword,
                               mlir::ArrayAttr names, mlir::OperandRange operands) {
  if (operands.empty()) return;
  printer << " " << keyword << "(";
  printNamedList(printer, names, operands);
  printer << ")";
}

void YieldOp::print(mlir::OpAsmPrinter& printer) {
  printer << " " << getLoss();
  printNamedOperands(printer, "metrics", getMetricNames(), getMetrics());
  printNamedOperands(printer, "cotangents", getCotangentNames(), getCotangents());
  printer.printOptionalAttrDict((*this)->getAttrs(),
                                {"metricNames", "cotangentNames", "operandSegmentSizes"});
}

//===--- pref.option ---===//

// "name" `default` "case" `of` list (`doc` "text")?
mlir::ParseResult OptionOp::parse(mlir::OpAsmParser& parser, mlir::OperationState& state) {
  auto& properties = state.getOrAddProperties<OptionOp::Properties>();
  NamedOperands values;
  std::string name, defaultCase, doc;
  if (parser.parseString(&name) || parser.parseKeyword("default") ||
      parser.parseString(&defaultCase) || parser.parseKeyword("of") ||
      parseNamedList(parser, mlir::AsmParser::Delimiter::None, values))
    return failure();
  mlir::Builder& builder = parser.getBuilder();
  if (succeeded(parser.parseOptionalKeyword("doc"))) {
    if (parser.parseString(&doc)) return failure();
    properties.doc = builder.getStringAttr(doc);
  }
  mlir::Type unresolved = UnresolvedType::get(parser.getContext());
  if (parser.parseOptionalAttrDict(state.attributes) ||
      parser.resolveOperands(values.operands, unresolved, state.operands))
    return failure();
  properties.name = builder.getStringAttr(name);
  properties.defaultCase = builder.getStringAttr(defaultCase);
  properties.cases = builder.getArrayAttr(values.names);
  state.addTypes(unresolved);
  return success();
}

void OptionOp::print(mlir::OpAsmPrinter& printer) {
  printer << " " << getNameAttr() << " default " << getDefaultCaseAttr() << " of ";
  printNamedList(printer, getCases(), getValues());
  if (getDocAttr()) printer << " doc " << getDocAttr();
  printer.printOptionalAttrDict((*this)->getAttrs(), {"name", "defaultCase", "cases", "doc"});
}

//===--- pref.objective ---===//

// Gives every value of the block its type, in program order.
static mlir::LogicalResult inferTypes(mlir::Block& block) {
  for (mlir::Operation& op : block) {
    for (mlir::OpOperand& operand : op.getOpOperands()) {
      if (!llvm::isa<UnresolvedType>(operand.get().getType())) continue;
      mlir::InFlightDiagnostic diagnostic = op.emitOpError()
                                            << "operand #" << operand.getOperandNumber()
                                            << " is used before it is defined";
      if (mlir::Operation* definition = operand.get().getDefiningOp())
        diagnostic.attachNote(definition->getLoc()) << "defined here";
      return diagnostic;
    }
    auto inferable = llvm::dyn_cast<mlir::InferTypeOpInterface>(op);
    if (!inferable || !llvm::isa<TermOpInterface>(op)) continue;
    llvm::SmallVector<mlir::Type> types;
    if (failed(inferable.inferReturnTypes(op.getContext(), op.getLoc(), op.getOperands(),
                                          op.getRawDictionaryAttrs(), op.getPropertiesStorage(),
                                          op.getRegions(), types)))
      return failure();
    op.getResult(0).setType(types.front());
  }
  return success();
}

mlir::ParseResult ObjectiveOp::parse(mlir::OpAsmParser& parser, mlir::OperationState& state) {
  mlir::StringAttr name;
  mlir::Region* body = state.addRegion();
  if (parser.parseSymbolName(name, getSymNameAttrName(state.name), state.attributes) ||
      parser.parseOptionalAttrDictWithKeyword(state.attributes))
    return failure();
  llvm::SMLoc loc = parser.getCurrentLocation();
  if (parser.parseRegion(*body)) return failure();
  if (!body->hasOneBlock() || body->front().empty() || !llvm::isa<YieldOp>(body->front().back()))
    return parser.emitError(loc) << "(C1) expected a body of one block that ends in pref.yield";
  return mlir::ParseResult(inferTypes(body->front()));
}

void ObjectiveOp::print(mlir::OpAsmPrinter& printer) {
  printer << " ";
  printer.printSymbolName(getSymName());
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(), {getSymNameAttrName().getValue()});
  printer << " ";
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false, /*printBlockTerminators=*/true);
}

}  // namespace alidade::pref
