#include "compiler/dialect/pref/Axes.h"

#include "llvm/ADT/StringExtras.h"

#include "compiler/dialect/pref/OpSupport.h"

namespace alidade::pref {

std::string toString(Axis axis) {
  std::string text = stringifyAxisKind(axis.getKind()).str();
  if (axis.isToken()) return (text + "(" + stringifyResponseRole(axis.getResponse()) + ")").str();
  if (axis.isSegment()) return (text + "(" + axis.getLabels().getValue() + ")").str();
  return text;
}

std::string toString(llvm::ArrayRef<Axis> axes) {
  std::string text = "[";
  llvm::ListSeparator separator;
  for (Axis axis : axes) (text += llvm::StringRef(separator)) += toString(axis);
  return text + "]";
}

bool isPrefix(llvm::ArrayRef<Axis> prefix, llvm::ArrayRef<Axis> axes) {
  return prefix.size() <= axes.size() && prefix == axes.take_front(prefix.size());
}

llvm::SmallVector<Axis, 3> pathOf(Axis axis) {
  if (axis.isRow()) return {axis};
  if (axis == Axis::token(ResponseRole::Member)) return {Axis::row(), Axis::member(), axis};
  return {Axis::row(), axis};
}

bool areValueAxes(llvm::ArrayRef<Axis> axes) {
  return axes.empty() || axes == llvm::ArrayRef<Axis>(pathOf(axes.back()));
}

llvm::StringRef valueAxesText() {
  return "[], [row], [row, token(R)], [row, segment(S)], [row, member], "
         "[row, member, token(member)] or [row, pair]";
}

llvm::StringRef nearestName(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> names) {
  llvm::StringRef best;
  // A third of the letters may differ: more is a different word.
  unsigned bestDistance = std::max<unsigned>(1, name.size() / 3) + 1;
  for (llvm::StringRef candidate : names) {
    unsigned distance = name.edit_distance(candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

std::string didYouMean(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> names) {
  llvm::StringRef nearest = nearestName(name, names);
  return nearest.empty() ? "" : ("; did you mean '" + nearest + "'?").str();
}

mlir::ParseResult parseResponseRole(mlir::AsmParser& parser, ResponseRole& response) {
  return parseCase<ResponseRole>(parser, "a response", symbolizeResponseRole,
                                 {"chosen", "rejected", "response", "mismatched", "member"},
                                 response);
}

mlir::ParseResult parseAxisKindName(mlir::AsmParser& parser, AxisKind& kind) {
  return parseCase<AxisKind>(parser, "an axis", symbolizeAxisKind,
                             {"row", "token", "member", "segment", "pair"}, kind);
}

// `(` labels `)` of a segment axis.
static mlir::ParseResult parseLabels(mlir::AsmParser& parser, mlir::StringAttr& labels) {
  llvm::SMLoc loc;
  llvm::StringRef name;
  if (parser.parseLParen()) return mlir::failure();
  loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&name)) return mlir::failure();
  if (!isIdentifier(name))
    return parser.emitError(loc) << "labels of a segment: expected an identifier of [a-z0-9_], "
                                    "got '"
                                 << name << "'";
  labels = parser.getBuilder().getStringAttr(name);
  return parser.parseRParen();
}

mlir::ParseResult parseAxis(mlir::AsmParser& parser, Axis& axis) {
  AxisKind kind;
  ResponseRole response;
  mlir::StringAttr labels;
  if (parseAxisKindName(parser, kind)) return mlir::failure();
  switch (kind) {
    case AxisKind::Row:
      axis = Axis::row();
      return mlir::success();
    case AxisKind::Member:
      axis = Axis::member();
      return mlir::success();
    case AxisKind::Pair:
      axis = Axis::pair();
      return mlir::success();
    case AxisKind::Token:
      if (parser.parseLParen() || parseResponseRole(parser, response) || parser.parseRParen())
        return mlir::failure();
      axis = Axis::token(response);
      return mlir::success();
    case AxisKind::Segment:
      if (parseLabels(parser, labels)) return mlir::failure();
      axis = Axis::segment(labels);
      return mlir::success();
  }
  return mlir::failure();
}

mlir::ParseResult parseAxisList(mlir::AsmParser& parser, llvm::SmallVectorImpl<Axis>& axes,
                                mlir::AsmParser::Delimiter delimiter) {
  return parser.parseCommaSeparatedList(delimiter, [&] {
    Axis axis = Axis::row();
    if (parseAxis(parser, axis)) return mlir::failure();
    axes.push_back(axis);
    return mlir::success();
  });
}

void printAxisList(mlir::AsmPrinter& printer, llvm::ArrayRef<Axis> axes) {
  llvm::interleaveComma(axes, printer.getStream(), [&](Axis axis) { printer << toString(axis); });
}

}  // namespace alidade::pref
