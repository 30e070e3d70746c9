// Axes: what the points of a value stand for.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_AXES_H_
#define ALIDADE_COMPILER_DIALECT_PREF_AXES_H_

#include <string>

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/OpImplementation.h"

#include "compiler/dialect/pref/PrefEnums.h.inc"

namespace alidade::pref {

// What the points of one dimension of a value are. Axes are a tree:
//
//   row                     one point per example
//     token(R)              one per scored token of response R of the example
//     segment(S)            one per span of the label set S, such as phrases
//     member                one per response to the example's prompt
//       token(member)       one per scored token of the member
//     pair                  one per two members i < j: (0, 1), (0, 2), ..., (1, 2), ...
//
// The axes of a value are a path from the root: see pathOf. All but row are ragged.
class Axis {
 public:
  static Axis row() { return Axis(AxisKind::Row); }
  static Axis token(ResponseRole response) { return Axis(AxisKind::Token, response); }
  static Axis member() { return Axis(AxisKind::Member); }
  static Axis segment(mlir::StringAttr labels) {
    return Axis(AxisKind::Segment, ResponseRole::Chosen, labels);
  }
  static Axis pair() { return Axis(AxisKind::Pair); }

  AxisKind getKind() const { return kind; }
  bool isRow() const { return kind == AxisKind::Row; }
  bool isToken() const { return kind == AxisKind::Token; }
  bool isMember() const { return kind == AxisKind::Member; }
  bool isSegment() const { return kind == AxisKind::Segment; }
  bool isPair() const { return kind == AxisKind::Pair; }
  // Of a token axis.
  ResponseRole getResponse() const { return response; }
  // Of a segment axis: the name of its label set. Null for others.
  mlir::StringAttr getLabels() const { return labels; }

  bool operator==(const Axis& other) const {
    return kind == other.kind && response == other.response && labels == other.labels;
  }
  bool operator!=(const Axis& other) const { return !(*this == other); }
  friend llvm::hash_code hash_value(const Axis& axis) {
    return llvm::hash_combine(static_cast<uint32_t>(axis.kind),
                              static_cast<uint32_t>(axis.response), axis.labels);
  }

 private:
  explicit Axis(AxisKind kind, ResponseRole response = ResponseRole::Chosen,
                mlir::StringAttr labels = {})
      : kind(kind), response(response), labels(labels) {}

  AxisKind kind;
  ResponseRole response;    // Chosen where there is none
  mlir::StringAttr labels;  // of a segment axis
};

// "row", "token(chosen)", "member", "segment(phrase)", "pair".
std::string toString(Axis axis);
// "[row, token(chosen)]", "[]".
std::string toString(llvm::ArrayRef<Axis> axes);

// The axes from the root to this one: [row, member, token(member)] of token(member).
llvm::SmallVector<Axis, 3> pathOf(Axis axis);

// True when `prefix` is the beginning of `axes`, or all of it.
bool isPrefix(llvm::ArrayRef<Axis> prefix, llvm::ArrayRef<Axis> axes);

// What a value may have: no axes, or the path of its innermost one.
bool areValueAxes(llvm::ArrayRef<Axis> axes);
// "[], [row], [row, token(R)], ...": for messages.
llvm::StringRef valueAxesText();

mlir::ParseResult parseAxis(mlir::AsmParser& parser, Axis& axis);
// Comma-separated, up to (not including) the closing bracket; possibly none.
mlir::ParseResult parseAxisList(mlir::AsmParser& parser, llvm::SmallVectorImpl<Axis>& axes,
                                mlir::AsmParser::Delimiter delimiter);
void printAxisList(mlir::AsmPrinter& printer, llvm::ArrayRef<Axis> axes);

// Reads a keyword that names a case of an enumeration; the error lists the names and the nearest
// one.
template <typename Enum>
mlir::ParseResult parseCase(mlir::AsmParser& parser, llvm::StringRef what,
                            std::optional<Enum> (*symbolize)(llvm::StringRef),
                            llvm::ArrayRef<llvm::StringRef> names, Enum& value);

// The name nearest to `name` by edit distance; empty when none is near.
llvm::StringRef nearestName(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> names);

// "; did you mean 'x'?", or nothing.
std::string didYouMean(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> names);

template <typename Enum>
mlir::ParseResult parseCase(mlir::AsmParser& parser, llvm::StringRef what,
                            std::optional<Enum> (*symbolize)(llvm::StringRef),
                            llvm::ArrayRef<llvm::StringRef> names, Enum& value) {
  llvm::SMLoc loc = parser.getCurrentLocation();
  llvm::StringRef keyword;
  if (failed(parser.parseOptionalKeyword(&keyword)))
    return parser.emitError(loc) << "expected " << what << ", one of " << llvm::join(names, ", ");
  std::optional<Enum> found = symbolize(keyword);
  if (!found) {
    return parser.emitError(loc) << "expected " << what << ", one of " << llvm::join(names, ", ")
                                 << "; got '" << keyword << "'" << didYouMean(keyword, names);
  }
  value = *found;
  return mlir::success();
}

mlir::ParseResult parseResponseRole(mlir::AsmParser& parser, ResponseRole& response);
mlir::ParseResult parseAxisKindName(mlir::AsmParser& parser, AxisKind& kind);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_DIALECT_PREF_AXES_H_
