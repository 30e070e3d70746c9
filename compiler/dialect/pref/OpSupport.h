// What the code that TableGen writes for the operations calls. Private to this folder.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_OPSUPPORT_H_
#define ALIDADE_COMPILER_DIALECT_PREF_OPSUPPORT_H_

#include <cmath>
#include <optional>

#include "compiler/dialect/pref/Pref.h"
#include "compiler/dialect/pref/TermBuilder.h"

namespace alidade::pref {

//===--- types ---===//

// Longest axes of the operands, if they agree by prefix; else an error with a note at both
// operands.
mlir::LogicalResult inferElementwiseType(mlir::MLIRContext* context,
                                         std::optional<mlir::Location> location, llvm::StringRef op,
                                         mlir::ValueRange operands,
                                         llvm::SmallVectorImpl<mlir::Type>& inferred);
// The operand's axes without the last one, which must be of the kind.
mlir::LogicalResult inferReductionType(mlir::MLIRContext* context,
                                       std::optional<mlir::Location> location, llvm::StringRef op,
                                       mlir::Value operand, AxisKind axis,
                                       llvm::SmallVectorImpl<mlir::Type>& inferred);

// One number per scored token.
mlir::Type typeOfRead(DistributionAttr distribution);

// The distribution that decides the axes of a vocabulary operation.
template <typename Adaptor>
DistributionAttr firstDistributionOf(Adaptor& adaptor) {
  if constexpr (requires { adaptor.getLhs(); })
    return adaptor.getLhs();
  else
    return adaptor.getDistribution();
}

//===--- evaluation and folding ---===//

// Of the axes of op's result, filled with zeros.
RealTensor zerosOf(mlir::Operation* op, const EvaluationContext& context);

// What the context holds for the read.
RealTensor evaluateRead(VocabularyOpInterface op, const EvaluationContext& context);

// 1 / (1 + exp(-x)) without overflow.
double stableSigmoid(double x);

// Applies op.evaluatePoint to every point, operands broadcast.
RealTensor evaluateElementwise(ElementwiseOpInterface op,
                               llvm::ArrayRef<const RealTensor*> operands,
                               const EvaluationContext& context);

// Constants, and identities that hold for every finite operand.
mlir::OpFoldResult foldElementwise(mlir::Operation* op, llvm::ArrayRef<mlir::Attribute> constants);

//===--- assembly ---===//

// Reads nothing: the enclosing pref.objective infers the types.
template <typename... Types>
mlir::ParseResult parseInferred(mlir::OpAsmParser& parser, Types&... types) {
  ((types = UnresolvedType::get(parser.getContext())), ...);
  return mlir::success();
}
template <typename... Types>
void printInferred(mlir::OpAsmPrinter&, mlir::Operation*, Types...) {}

mlir::ParseResult parseNumber(mlir::OpAsmParser& parser, mlir::FloatAttr& value);
void printNumber(mlir::OpAsmPrinter& printer, mlir::Operation*, mlir::FloatAttr value);

mlir::ParseResult parseRange(mlir::OpAsmParser& parser, mlir::FloatAttr& low, mlir::FloatAttr& high,
                             mlir::UnitAttr& lowClosed, mlir::UnitAttr& highClosed);
void printRange(mlir::OpAsmPrinter& printer, mlir::Operation*, mlir::FloatAttr low,
                mlir::FloatAttr high, mlir::UnitAttr lowClosed, mlir::UnitAttr highClosed);

mlir::ParseResult parseDistribution(mlir::AsmParser& parser, DistributionAttr& distribution);
void printDistribution(mlir::AsmPrinter& printer, DistributionAttr distribution);
inline void printDistribution(mlir::OpAsmPrinter& printer, mlir::Operation*,
                              DistributionAttr distribution) {
  printDistribution(printer, distribution);
}

mlir::ParseResult parseAxisKind(mlir::OpAsmParser& parser, AxisKindAttr& axis);
void printAxisKind(mlir::OpAsmPrinter& printer, mlir::Operation*, AxisKindAttr axis);
mlir::ParseResult parsePairSide(mlir::OpAsmParser& parser, PairSideAttr& side);
void printPairSide(mlir::OpAsmPrinter& printer, mlir::Operation*, PairSideAttr side);
mlir::ParseResult parsePredicate(mlir::OpAsmParser& parser, PredicateAttr& predicate);
void printPredicate(mlir::OpAsmPrinter& printer, mlir::Operation*, PredicateAttr predicate);
mlir::ParseResult parseAxis(mlir::OpAsmParser& parser, AxisAttr& axis);
void printAxis(mlir::OpAsmPrinter& printer, mlir::Operation*, AxisAttr axis);
mlir::ParseResult parseAxes(mlir::OpAsmParser& parser, AxesAttr& axes);
void printAxes(mlir::OpAsmPrinter& printer, mlir::Operation*, AxesAttr axes);

// `at` %index, or nothing.
mlir::ParseResult parseAt(mlir::OpAsmParser& parser,
                          std::optional<mlir::OpAsmParser::UnresolvedOperand>& index,
                          mlir::Type& type);
void printAt(mlir::OpAsmPrinter& printer, mlir::Operation*, mlir::Value index, mlir::Type);
// `mix` distribution `by` %scale, or nothing.
mlir::ParseResult parseMix(mlir::OpAsmParser& parser, DistributionAttr& mixed,
                           std::optional<mlir::OpAsmParser::UnresolvedOperand>& scale,
                           mlir::Type& type);
void printMix(mlir::OpAsmPrinter& printer, mlir::Operation*, DistributionAttr mixed,
              mlir::Value scale, mlir::Type);

mlir::ParseResult parseBindings(mlir::OpAsmParser& parser,
                                llvm::SmallVectorImpl<mlir::OpAsmParser::UnresolvedOperand>& values,
                                llvm::SmallVectorImpl<mlir::Type>& types, mlir::ArrayAttr& names);
void printBindings(mlir::OpAsmPrinter& printer, mlir::Operation*, mlir::OperandRange values,
                   mlir::TypeRange types, mlir::ArrayAttr names);
mlir::ParseResult parseChoices(mlir::OpAsmParser& parser, mlir::ArrayAttr& options,
                               mlir::ArrayAttr& cases);
void printChoices(mlir::OpAsmPrinter& printer, mlir::Operation*, mlir::ArrayAttr options,
                  mlir::ArrayAttr cases);

// What a vocabulary operation's value is called where an objective is printed.
std::string nameOfRead(VocabularyOpInterface op);

// [a-z_][a-z0-9_]*
bool isIdentifier(llvm::StringRef text);
// Identifiers with dots between them, as composition makes them: dpo.margin.
bool isDottedIdentifier(llvm::StringRef text);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_DIALECT_PREF_OPSUPPORT_H_
