#include "compiler/dialect/pref/Axes.h"

#include "llvm/ADT/StringExtras.h"

namespace alidade::pref {

std::string toString(Axis axis) {
  if (axis.isRow()) return "row";
  return ("token(" + stringifyResponseRole(axis.getResponse()) + ")").str();
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

bool areValueAxes(llvm::ArrayRef<Axis> axes) {
  if (axes.empty()) return true;
  if (!axes.front().isRow()) return false;
  return axes.size() == 1 || (axes.size() == 2 && axes.back().isToken());
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
                                 {"chosen", "rejected", "response"}, response);
}

mlir::ParseResult parseAxis(mlir::AsmParser& parser, Axis& axis) {
  AxisKind kind;
  if (parseCase<AxisKind>(parser, "an axis", symbolizeAxisKind, {"row", "token"}, kind))
    return mlir::failure();
  if (kind == AxisKind::Row) {
    axis = Axis::row();
    return mlir::success();
  }
  ResponseRole response;
  if (parser.parseLParen() || parseResponseRole(parser, response) || parser.parseRParen())
    return mlir::failure();
  axis = Axis::token(response);
  return mlir::success();
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
