// Verifiers. Labels (C1), ... are those of the descriptions in the .td files.

#include <cmath>

#include "llvm/ADT/SmallSet.h"
#include "llvm/ADT/StringMap.h"

#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/dialect/pref/OpSupport.h"

namespace alidade::pref {

using mlir::failure;
using mlir::success;

bool isIdentifier(llvm::StringRef text) {
  auto isLetter = [](char c) { return c == '_' || (c >= 'a' && c <= 'z'); };
  return !text.empty() && isLetter(text.front()) &&
         llvm::all_of(text, [&](char c) { return isLetter(c) || llvm::isDigit(c); });
}

bool HyperOp::contains(double value) {
  bool aboveLow = getLowClosed() ? value >= getLowNumber() : value > getLowNumber();
  bool belowHigh = getHighClosed() ? value <= getHighNumber() : value < getHighNumber();
  return aboveLow && belowHigh;
}

mlir::LogicalResult HyperOp::verify() {
  if (!isIdentifier(getName()))
    return emitOpError() << "(C1) name: expected an identifier of [a-z0-9_], got \"" << getName()
                         << "\"";
  bool closed = getLowClosed() && getHighClosed();
  if (!(getLowNumber() < getHighNumber() || (closed && getLowNumber() == getHighNumber())) ||
      (std::isinf(getLowNumber()) && getLowClosed()) ||
      (std::isinf(getHighNumber()) && getHighClosed()))
    return emitOpError() << "(C3) " << getName()
                         << ": expected a range that contains a number and is open at "
                         << "infinity, got " << getRangeText();
  if (!std::isfinite(getDefaultNumber()) || !contains(getDefaultNumber()))
    return emitOpError() << "(C2) " << getName() << ": expected a default in " << getRangeText()
                         << ", got " << formatNumber(getDefaultNumber());
  return success();
}

mlir::LogicalResult ConstantOp::verify() {
  if (std::isfinite(getNumber())) return success();
  return emitOpError() << "(C1) expected a finite number, got " << formatNumber(getNumber());
}

bool LogProbOp::hasGradient() {
  return getDistribution().getModel() == ModelRole::Policy && !getDetached();
}

mlir::LogicalResult LogProbOp::verify() {
  if (getDetached() && getDistribution().getModel() != ModelRole::Policy)
    return emitOpError() << "(C1) detached: expected model policy, got "
                         << stringifyModelRole(getDistribution().getModel())
                         << ", which never has a gradient";
  return success();
}

// A name list beside operands: as many, identifiers if asked, all different.
static mlir::LogicalResult verifyNames(mlir::Operation* op, llvm::StringRef what,
                                       mlir::ArrayAttr names, size_t numOperands) {
  if (names.size() != numOperands)
    return op->emitOpError() << what << ": expected a name for each of " << numOperands
                             << " values, got " << names.size();
  llvm::StringMap<int> seen;
  for (mlir::Attribute name : names) {
    llvm::StringRef text = llvm::cast<mlir::StringAttr>(name).getValue();
    if (!seen.insert({text, 0}).second)
      return op->emitOpError() << "(C3) " << what << ": \"" << text << "\" is given twice";
  }
  return success();
}

static mlir::LogicalResult verifyCotangents(YieldOp yield) {
  llvm::SmallVector<Read> wanted;
  for (Read& read : readsOf(llvm::cast<ObjectiveOp>(yield->getParentOp())))
    if (read.hasGradient) wanted.push_back(read);
  if (yield.getCotangents().size() != wanted.size())
    return yield.emitOpError() << "(C5) cotangents: expected none or one for each of "
                               << wanted.size() << " distributions with gradient, got "
                               << yield.getCotangents().size();
  for (auto [read, name, value] :
       llvm::zip(wanted, yield.getCotangentNames(), yield.getCotangents())) {
    std::string expected = read.distribution.getName();
    llvm::StringRef got = llvm::cast<mlir::StringAttr>(name).getValue();
    if (got != expected)
      return yield.emitOpError() << "(C4) cotangents: expected \"" << expected << "\", got \""
                                 << got << "\"";
    if (axesOf(value) != axesOf(read.first().getResult())) {
      mlir::InFlightDiagnostic diagnostic =
          yield.emitOpError() << "(C4) cotangent of \"" << expected << "\": expected axes "
                              << toString(axesOf(read.first().getResult())) << ", got "
                              << toString(axesOf(value));
      diagnostic.attachNote(value.getLoc()) << "the cotangent";
      return diagnostic;
    }
  }
  return success();
}

mlir::LogicalResult YieldOp::verify() {
  if (!axesOf(getLoss()).empty()) {
    bool isRow = axesOf(getLoss()).size() == 1;
    mlir::InFlightDiagnostic diagnostic =
        emitOpError() << "(C1) loss must be [], got " << toString(axesOf(getLoss()))
                      << "; reduce it with pref.mean ... "
                      << (isRow ? "over row" : "over token, then over row");
    diagnostic.attachNote(getLoss().getLoc()) << "the loss";
    return diagnostic;
  }
  if (failed(verifyNames(*this, "metrics", getMetricNames(), getMetrics().size())) ||
      failed(verifyNames(*this, "cotangents", getCotangentNames(), getCotangents().size())))
    return failure();
  for (auto [name, value] : llvm::zip(getMetricNames(), getMetrics())) {
    llvm::StringRef text = llvm::cast<mlir::StringAttr>(name).getValue();
    if (!isIdentifier(text))
      return emitOpError() << "(C3) metric: expected an identifier of [a-z0-9_], got \"" << text
                           << "\"";
    if (axesOf(value).size() <= 1) continue;
    mlir::InFlightDiagnostic diagnostic =
        emitOpError() << "(C2) metric \"" << text << "\" must be [] or [row], got "
                      << toString(axesOf(value))
                      << "; reduce it with pref.sum or pref.mean ... over token";
    diagnostic.attachNote(value.getLoc()) << "the metric";
    return diagnostic;
  }
  return success();
}

// (C3) of the objective.
static mlir::LogicalResult verifyHypers(ObjectiveOp objective) {
  llvm::StringMap<mlir::Location> places;
  for (HyperOp hyper : hypersOf(objective)) {
    auto [place, isNew] = places.try_emplace(hyper.getName(), hyper.getLoc());
    if (isNew) continue;
    mlir::InFlightDiagnostic diagnostic = hyper.emitOpError()
                                          << "(C3) hyperparameter \"" << hyper.getName()
                                          << "\" is declared twice";
    diagnostic.attachNote(place->second) << "declared here before";
    return diagnostic;
  }
  return success();
}

// (C4) of the objective.
static mlir::LogicalResult verifyResponses(ObjectiveOp objective) {
  llvm::SmallVector<ResponseRole> read;
  for (const Read& r : readsOf(objective)) read.push_back(r.distribution.getResponse());
  for (mlir::Operation& op : objective.getBody().front()) {
    llvm::SmallVector<Axis> named;
    if (auto count = llvm::dyn_cast<CountOp>(op)) named.push_back(count.getAxis().getValue());
    for (mlir::Value result : op.getResults()) llvm::append_range(named, axesOf(result));
    for (Axis axis : named)
      if (axis.isToken() && !llvm::is_contained(read, axis.getResponse()))
        return op.emitOpError() << "(C4) " << toString(axis) << ": no pref.logprob reads response "
                                << stringifyResponseRole(axis.getResponse());
  }
  return success();
}

mlir::LogicalResult ObjectiveOp::verifyRegions() {
  mlir::Block& block = getBody().front();
  if (block.getNumArguments() != 0)
    return emitOpError() << "(C1) expected a body without arguments, got "
                         << block.getNumArguments();
  if (block.empty() || !llvm::isa<YieldOp>(block.back()))
    return emitOpError() << "(C1) expected a body that ends in pref.yield";
  for (mlir::Operation& op : block) {
    if (!llvm::isa<TermOpInterface, YieldOp>(op))
      return op.emitOpError()
             << "(C2) only operations of the pref dialect occur in a pref.objective";
  }
  for (mlir::NamedAttribute attribute : (*this)->getDiscardableAttrs())
    if (!attribute.getName().getValue().contains('.'))
      return emitOpError() << "(C5) attribute '" << attribute.getName().getValue()
                           << "': expected paper or doc"
                           << didYouMean(attribute.getName().getValue(), {"paper", "doc"});
  if (failed(verifyHypers(*this)) || failed(verifyResponses(*this))) return failure();
  auto yield = llvm::cast<YieldOp>(block.back());
  if (yield.getCotangents().empty() && yield.getCotangentNames().empty()) return success();
  return verifyCotangents(yield);
}

}  // namespace alidade::pref
