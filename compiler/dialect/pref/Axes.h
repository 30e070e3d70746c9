// Axes: what the points of a value stand for.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_AXES_H_
#define ALIDADE_COMPILER_DIALECT_PREF_AXES_H_

#include <string>

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "mlir/IR/OpImplementation.h"

#include "compiler/dialect/pref/PrefEnums.h.inc"

namespace alidade::pref {

// `row`: one point per example. `token(R)`: one point per scored token of response R of the
// example.
class Axis {
 public:
  static Axis row() { return Axis(AxisKind::Row, ResponseRole::Chosen); }
  static Axis token(ResponseRole response) { return Axis(AxisKind::Token, response); }

  AxisKind getKind() const { return kind; }
  bool isRow() const { return kind == AxisKind::Row; }
  bool isToken() const { return kind == AxisKind::Token; }
  // Of a token axis.
  ResponseRole getResponse() const { return response; }

  bool operator==(const Axis& other) const {
    return kind == other.kind && response == other.response;
  }
  bool operator!=(const Axis& other) const { return !(*this == other); }
  friend llvm::hash_code hash_value(const Axis& axis) {
    return llvm::hash_combine(static_cast<uint32_t>(axis.kind),
                              static_cast<uint32_t>(axis.response));
  }

 private:
  Axis(AxisKind kind, ResponseRole response) : kind(kind), response(response) {}

  AxisKind kind;
  ResponseRole response;  // Chosen for a row axis
};

// "row", "token(chosen)".
std::string toString(Axis axis);
// "[row, token(chosen)]", "[]".
std::string toString(llvm::ArrayRef<Axis> axes);

// True when `prefix` is the beginning of `axes`, or all of it.
bool isPrefix(llvm::ArrayRef<Axis> prefix, llvm::ArrayRef<Axis> axes);

// `[]`, `[row]` and `[row, token(R)]`: what a value may have.
bool areValueAxes(llvm::ArrayRef<Axis> axes);

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

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_DIALECT_PREF_AXES_H_
