// Verifiers. Labels (C1), ... are those of the descriptions in the .td files.

#include <cmath>

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/JSON.h"

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

bool isDottedIdentifier(llvm::StringRef text) {
  llvm::SmallVector<llvm::StringRef> parts;
  text.split(parts, '.');
  return llvm::all_of(parts, isIdentifier);
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

template <typename Op>
static mlir::LogicalResult verifyScope(Op op) {
  if (!op.getRanks() || op.getAxis() == AxisKind::Row) return success();
  return op.emitOpError() << "(C2) scope ranks: expected over row, got over "
                          << stringifyAxisKind(op.getAxis());
}

mlir::LogicalResult SumOp::verify() { return verifyScope(*this); }
mlir::LogicalResult MeanOp::verify() { return verifyScope(*this); }

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
                               << wanted.size() << " reads with gradient, got "
                               << yield.getCotangents().size();
  for (auto [read, name, value] :
       llvm::zip(wanted, yield.getCotangentNames(), yield.getCotangents())) {
    llvm::StringRef got = llvm::cast<mlir::StringAttr>(name).getValue();
    if (got != read.name)
      return yield.emitOpError() << "(C4) cotangents: expected \"" << read.name << "\", got \""
                                 << got << "\"";
    llvm::ArrayRef<Axis> expected = axesOf(read.first()->getResult(0));
    if (axesOf(value) != expected) {
      mlir::InFlightDiagnostic diagnostic =
          yield.emitOpError() << "(C4) cotangent of \"" << read.name << "\": expected axes "
                              << toString(expected) << ", got " << toString(axesOf(value));
      diagnostic.attachNote(value.getLoc()) << "the cotangent";
      return diagnostic;
    }
  }
  return success();
}

// "over token, then over row": what reduces the last axes, down to `keep` of them.
static std::string reductionsText(llvm::ArrayRef<Axis> axes, size_t keep) {
  std::string text;
  llvm::ListSeparator separator(", then ");
  for (Axis axis : llvm::reverse(axes.drop_front(keep)))
    ((text += llvm::StringRef(separator)) += "over ") += stringifyAxisKind(axis.getKind());
  return text;
}

mlir::LogicalResult YieldOp::verify() {
  if (!axesOf(getLoss()).empty()) {
    mlir::InFlightDiagnostic diagnostic =
        emitOpError() << "(C1) loss must be [], got " << toString(axesOf(getLoss()))
                      << "; reduce it with pref.mean ... " << reductionsText(axesOf(getLoss()), 0);
    diagnostic.attachNote(getLoss().getLoc()) << "the loss";
    return diagnostic;
  }
  if (failed(verifyNames(*this, "metrics", getMetricNames(), getMetrics().size())) ||
      failed(verifyNames(*this, "cotangents", getCotangentNames(), getCotangents().size())))
    return failure();
  for (auto [name, value] : llvm::zip(getMetricNames(), getMetrics())) {
    llvm::StringRef text = llvm::cast<mlir::StringAttr>(name).getValue();
    if (!isDottedIdentifier(text))
      return emitOpError() << "(C3) metric: expected an identifier of [a-z0-9_], got \"" << text
                           << "\"";
    if (axesOf(value).size() <= 1) continue;
    mlir::InFlightDiagnostic diagnostic =
        emitOpError() << "(C2) metric \"" << text << "\" must be [] or [row], got "
                      << toString(axesOf(value)) << "; reduce it with pref.sum or pref.mean ... "
                      << reductionsText(axesOf(value), 1);
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
  for (DistributionAttr distribution : distributionsOf(objective))
    read.push_back(distribution.getResponse());
  for (mlir::Operation& op : objective.getBody().front()) {
    llvm::SmallVector<Axis> named;
    for (mlir::NamedAttribute attribute : op.getAttrDictionary())
      if (auto axis = llvm::dyn_cast<AxisAttr>(attribute.getValue()))
        named.push_back(axis.getValue());
    for (mlir::Value result : op.getResults()) llvm::append_range(named, axesOf(result));
    for (Axis axis : named)
      if (axis.isToken() && !llvm::is_contained(read, axis.getResponse()))
        return op.emitOpError()
               << "(C4) " << toString(axis)
               << ": no vocabulary operation, such as pref.logprob, reads response "
               << stringifyResponseRole(axis.getResponse());
  }
  return success();
}

// Every operation agrees with the first one of its name; `difference` says in what it does not.
template <typename Op>
static mlir::LogicalResult verifyAgreement(ObjectiveOp objective, llvm::StringRef what,
                                           llvm::function_ref<llvm::StringRef(Op, Op)> difference) {
  llvm::StringMap<Op> seen;
  for (Op op : objective.getBody().front().getOps<Op>()) {
    auto [first, isNew] = seen.try_emplace(op.getName(), op);
    llvm::StringRef differs = isNew ? "" : difference(first->second, op);
    if (differs.empty()) continue;
    mlir::InFlightDiagnostic diagnostic = op.emitOpError()
                                          << "(C6) " << what << " \"" << op.getName()
                                          << "\" is declared with other " << differs << " before";
    diagnostic.attachNote(first->second.getLoc()) << "declared here before";
    return diagnostic;
  }
  return success();
}

// (C6) of the objective.
static mlir::LogicalResult verifyDeclarations(ObjectiveOp objective) {
  using llvm::StringRef;
  if (failed(verifyAgreement<InputOp>(objective, "input", [](InputOp a, InputOp b) -> StringRef {
        return a.getType() == b.getType() ? "" : "axes";
      })))
    return failure();
  if (failed(verifyAgreement<StateOp>(objective, "state", [](StateOp a, StateOp b) -> StringRef {
        return a.getDefaultNumber() == b.getDefaultNumber() ? "" : "default";
      })))
    return failure();
  return verifyAgreement<OptionOp>(objective, "option", [](OptionOp a, OptionOp b) -> StringRef {
    if (a.getCases() != b.getCases()) return "cases";
    return a.getDefaultCase() == b.getDefaultCase() ? "" : "default";
  });
}

// (C7) of the objective.
static mlir::LogicalResult verifyStates(ObjectiveOp objective) {
  llvm::SmallVector<llvm::StringRef> states;
  for (StateOp state : statesOf(objective)) states.push_back(state.getName());
  llvm::StringMap<UpdateOp> updates;
  for (UpdateOp update : objective.getBody().front().getOps<UpdateOp>()) {
    if (!llvm::is_contained(states, update.getName()))
      return update.emitOpError() << "(C7) there is no state \"" << update.getName() << "\""
                                  << didYouMean(update.getName(), states);
    auto [first, isNew] = updates.try_emplace(update.getName(), update);
    if (isNew) continue;
    mlir::InFlightDiagnostic diagnostic =
        update.emitOpError() << "(C7) state \"" << update.getName() << "\" is updated twice";
    diagnostic.attachNote(first->second.getLoc()) << "updated here before";
    return diagnostic;
  }
  for (StateOp state : statesOf(objective))
    if (!updates.contains(state.getName()))
      return state.emitOpError() << "(C7) state \"" << state.getName()
                                 << "\" is never updated; say pref.update \"" << state.getName()
                                 << "\" = %value";
  return success();
}

// (C8) of the objective.
static mlir::LogicalResult verifyPartners(ObjectiveOp objective) {
  llvm::SmallVector<Read> reads = readsOf(objective);
  for (size_t i = 0; i < reads.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const Read &read = reads[i], &before = reads[j];
      if (read.distribution != before.distribution || !read.partner || !before.partner) continue;
      bool otherPartner = read.partner != before.partner;
      if (!otherPartner && read.op != before.op) continue;
      mlir::InFlightDiagnostic diagnostic = read.first()->emitOpError() << "(C8) ";
      if (otherPartner)
        diagnostic << read.distribution.getName() << ": expected one partner, got "
                   << read.partner.getName() << " after " << before.partner.getName();
      else
        diagnostic << read.distribution.getName() << ": expected one factor to mix with "
                   << read.partner.getName() << ", got another";
      diagnostic.attachNote(before.first()->getLoc()) << "read here before";
      return diagnostic;
    }
  }
  return success();
}

static mlir::LogicalResult tooMany(mlir::Operation* op, llvm::StringRef what, size_t limit,
                                   size_t count) {
  return op->emitOpError() << "(C9) expected at most " << limit << " " << what << ", got " << count;
}

// (C9) of the objective.
static mlir::LogicalResult verifyLimits(ObjectiveOp objective) {
  llvm::SmallVector<Read> reads = readsOf(objective);
  llvm::MapVector<DistributionAttr, unsigned> ofDistribution;
  for (const Read& read : reads)
    if (++ofDistribution[read.distribution] > kMaxReadsOfDistribution)
      return tooMany(read.first(), "reads of one distribution", kMaxReadsOfDistribution,
                     ofDistribution[read.distribution]);
  if (reads.size() > kMaxReads)
    return tooMany(reads[kMaxReads].first(), "reads", kMaxReads, reads.size());
  if (size_t count = axesOf(objective).size(); count > kMaxAxes)
    return tooMany(objective, "axes beside row", kMaxAxes, count);
  if (auto inputs = inputsOf(objective); inputs.size() > kMaxInputs)
    return tooMany(inputs[kMaxInputs], "inputs", kMaxInputs, inputs.size());
  if (auto hypers = hypersOf(objective); hypers.size() > kMaxHyperparameters)
    return tooMany(hypers[kMaxHyperparameters], "hyperparameters", kMaxHyperparameters,
                   hypers.size());
  return success();
}

// Texts end in signatures, pages and messages, all of them UTF-8; an escape such as "\FF" is not.
static mlir::LogicalResult verifyTexts(ObjectiveOp objective) {
  const auto failing = [](mlir::Operation* op) {
    return llvm::find_if(op->getAttrs(), [](mlir::NamedAttribute attribute) {
      return attribute.getValue()
          .walk([](mlir::StringAttr text) {
            return llvm::json::isUTF8(text.getValue()) ? mlir::WalkResult::advance()
                                                       : mlir::WalkResult::interrupt();
          })
          .wasInterrupted();
    });
  };
  const mlir::WalkResult result = objective->walk([&](mlir::Operation* op) {
    const auto attribute = failing(op);
    if (attribute == op->getAttrs().end()) return mlir::WalkResult::advance();
    op->emitOpError() << "(C10) attribute '" << attribute->getName().getValue()
                      << "': expected UTF-8, got bytes that are none";
    return mlir::WalkResult::interrupt();
  });
  return mlir::failure(result.wasInterrupted());
}

mlir::LogicalResult ObjectiveOp::verifyRegions() {
  mlir::Block& block = getBody().front();
  if (block.getNumArguments() != 0)
    return emitOpError() << "(C1) expected a body without arguments, got "
                         << block.getNumArguments();
  if (block.empty() || !llvm::isa<YieldOp>(block.back()))
    return emitOpError() << "(C1) expected a body that ends in pref.yield";
  for (mlir::Operation& op : block) {
    if (!llvm::isa<TermOpInterface, UpdateOp, YieldOp>(op))
      return op.emitOpError()
             << "(C2) only operations of the pref dialect occur in a pref.objective";
  }
  for (mlir::NamedAttribute attribute : (*this)->getDiscardableAttrs())
    if (!attribute.getName().getValue().contains('.'))
      return emitOpError() << "(C5) attribute '" << attribute.getName().getValue()
                           << "': expected paper or doc"
                           << didYouMean(attribute.getName().getValue(), {"paper", "doc"});
  if (!hasWellFormedOptions(*this))
    return emitOpError() << "(C5) attribute 'pref.options': expected what pref-resolve-options "
                            "writes, a list of records with cases, chosen, default, doc and name";
  if (failed(verifyTexts(*this)) || failed(verifyHypers(*this)) || failed(verifyResponses(*this)) ||
      failed(verifyDeclarations(*this)) || failed(verifyStates(*this)) ||
      failed(verifyPartners(*this)) || failed(verifyLimits(*this)))
    return failure();
  auto yield = llvm::cast<YieldOp>(block.back());
  if (yield.getCotangents().empty() && yield.getCotangentNames().empty()) return success();
  return verifyCotangents(yield);
}

}  // namespace alidade::pref
