// Replaces pref.apply by the formula of the objective that it names.

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "mlir/IR/Builders.h"

#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/dialect/pref/TermBuilder.h"
#include "compiler/transforms/Compose/Compose.h"
#include "compiler/transforms/ResolveOptions/ResolveOptions.h"

namespace alidade::pref {

#define GEN_PASS_DEF_INLINE
#include "compiler/transforms/Compose/Compose.h.inc"

using mlir::failure;
using mlir::success;
using mlir::Value;

namespace {

// Objectives inside each other, the outermost included: more is taken for a mistake.
constexpr size_t kMaxDepth = 16;

llvm::StringRef textOf(mlir::Attribute attribute) {
  return llvm::cast<mlir::StringAttr>(attribute).getValue();
}

// Inlines the applies of an objective, innermost first.
class Inliner {
 public:
  explicit Inliner(ObjectiveFinder find) : find(find) {}

  mlir::LogicalResult run(ObjectiveOp objective);

 private:
  mlir::LogicalResult inlineOne(ApplyOp apply);
  mlir::LogicalResult checkPath(ApplyOp apply);

  ObjectiveFinder find;
  std::vector<std::string> path;  // names of the objectives being inlined, outermost first
};

// Moves the body of a copy of an objective, free of applies, to the place of a pref.apply.
class Splice {
 public:
  Splice(ApplyOp apply, ObjectiveOp copy)
      : apply(apply), copy(copy), body(copy.getBody().front()), target(*apply->getBlock()) {}

  mlir::LogicalResult run();

 private:
  mlir::LogicalResult choose();
  mlir::LogicalResult chooseOne(llvm::StringRef option, llvm::StringRef chosen);
  mlir::LogicalResult bind();
  mlir::LogicalResult checkRange(HyperOp hyper, Value value);
  // An error unless there is no earlier declaration of the same thing, or it is the same.
  mlir::LogicalResult agree(mlir::Operation* op, mlir::Operation* earlier, llvm::StringRef what,
                            llvm::StringRef name, bool same, llvm::StringRef advice);
  mlir::LogicalResult mergeDeclarations();
  void renameStates();
  mlir::LogicalResult addMetrics();

  template <typename Op>
  Op declared(llvm::StringRef name) {
    for (Op op : target.getOps<Op>())
      if (op.getName() == name) return op;
    return {};
  }

  ApplyOp apply;
  ObjectiveOp copy;
  mlir::Block& body;
  mlir::Block& target;
};

}  // namespace

//===--- one apply ---===//

// Every number that the outer hyperparameter may have is one that the inner may have.
static bool includes(HyperOp inner, HyperOp outer) {
  double low = inner.getLowNumber(), high = inner.getHighNumber();
  bool aboveLow = outer.getLowNumber() > low ||
                  (outer.getLowNumber() == low && (inner.getLowClosed() || !outer.getLowClosed()));
  bool belowHigh =
      outer.getHighNumber() < high ||
      (outer.getHighNumber() == high && (inner.getHighClosed() || !outer.getHighClosed()));
  return aboveLow && belowHigh;
}

// What is bound is in the range, as far as it is known here.
mlir::LogicalResult Splice::checkRange(HyperOp hyper, Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  auto outer = value.getDefiningOp<HyperOp>();
  if (constant ? hyper.contains(constant.getNumber()) : !outer || includes(hyper, outer))
    return success();
  mlir::InFlightDiagnostic diagnostic =
      apply.emitOpError() << "hyperparameter " << hyper.getName() << " of @" << apply.getObjective()
                          << ": expected " << hyper.getRangeText() << ", got "
                          << (constant ? formatNumber(constant.getNumber())
                                       : "one in " + outer.getRangeText());
  diagnostic.attachNote(value.getLoc()) << "bound to this";
  diagnostic.attachNote(hyper.getLoc()) << "declared here";
  return diagnostic;
}

// Bound hyperparameters become their values.
mlir::LogicalResult Splice::bind() {
  for (auto [attribute, value] : llvm::zip(apply.getHyperparameters(), apply.getValues())) {
    llvm::SmallVector<llvm::StringRef> names;
    HyperOp found;
    for (HyperOp hyper : body.getOps<HyperOp>()) {
      names.push_back(hyper.getName());
      if (hyper.getName() == textOf(attribute)) found = hyper;
    }
    if (!found) {
      mlir::InFlightDiagnostic diagnostic =
          apply.emitOpError() << "@" << apply.getObjective() << " has no hyperparameter \""
                              << textOf(attribute) << "\": expected "
                              << (names.empty() ? "none" : "one of " + llvm::join(names, ", "))
                              << didYouMean(textOf(attribute), names);
      diagnostic.attachNote(copy.getLoc()) << "the objective";
      return diagnostic;
    }
    if (failed(checkRange(found, value))) return failure();
    found.getResult().replaceAllUsesWith(value);
    found.erase();
  }
  return success();
}

// Chosen options become their cases, and what only other cases need goes.
mlir::LogicalResult Splice::choose() {
  for (auto [option, chosen] : llvm::zip(apply.getOptions(), apply.getCases()))
    if (failed(chooseOne(textOf(option), textOf(chosen)))) return failure();
  if (!apply.getOptions().empty()) removeDeadCode(copy);
  return success();
}

mlir::LogicalResult Splice::chooseOne(llvm::StringRef option, llvm::StringRef chosen) {
  llvm::SmallVector<llvm::StringRef> names;
  bool found = false;
  for (OptionOp op : llvm::make_early_inc_range(body.getOps<OptionOp>())) {
    names.push_back(op.getName());
    if (op.getName() != option) continue;
    found = true;
    Value value = op.getValueOf(chosen);
    if (!value) {
      mlir::InFlightDiagnostic diagnostic =
          apply.emitOpError() << "option \"" << option << "\" of @" << apply.getObjective()
                              << ": expected one of " << llvm::join(op.getCaseNames(), ", ")
                              << ", got \"" << chosen << "\""
                              << didYouMean(chosen, op.getCaseNames());
      diagnostic.attachNote(op.getLoc()) << "declared here";
      return diagnostic;
    }
    mlir::OpBuilder builder(op);
    op.getResult().replaceAllUsesWith(
        TermBuilder(builder, op.getLoc()).broadcast(value, axesOf(op.getResult())));
    op.erase();
  }
  if (found) return success();
  mlir::InFlightDiagnostic diagnostic =
      apply.emitOpError() << "@" << apply.getObjective() << " has no option \"" << option
                          << "\": expected "
                          << (names.empty() ? "none" : "one of " + llvm::join(names, ", "))
                          << didYouMean(option, names);
  diagnostic.attachNote(copy.getLoc()) << "the objective";
  return diagnostic;
}

mlir::LogicalResult Splice::agree(mlir::Operation* op, mlir::Operation* earlier,
                                  llvm::StringRef what, llvm::StringRef name, bool same,
                                  llvm::StringRef advice) {
  if (!earlier || same) return success();
  mlir::InFlightDiagnostic diagnostic =
      apply.emitOpError() << "@" << apply.getObjective() << " declares " << what << " \"" << name
                          << "\" differently from another declaration here" << advice;
  diagnostic.attachNote(op->getLoc()) << "this declaration";
  diagnostic.attachNote(earlier->getLoc()) << "the other one";
  return diagnostic;
}

static bool sameDeclaration(HyperOp a, HyperOp b) {
  return a.getDefaultNumber() == b.getDefaultNumber() && a.getRangeText() == b.getRangeText();
}

static std::string describe(HyperOp hyper) {
  return "default " + formatNumber(hyper.getDefaultNumber()) + " in " + hyper.getRangeText();
}

// What surfaces under its own name agrees with an earlier declaration; hyperparameters become one
// operation.
mlir::LogicalResult Splice::mergeDeclarations() {
  for (HyperOp hyper : llvm::make_early_inc_range(body.getOps<HyperOp>())) {
    auto earlier = declared<HyperOp>(hyper.getName());
    bool same = earlier && sameDeclaration(hyper, earlier);
    std::string advice;
    if (earlier && !same)
      advice = " (" + describe(hyper) + " and " + describe(earlier) +
               "); bind one of them, as in @" + apply.getObjective().str() + " {" +
               hyper.getName().str() + " = %value}";
    if (failed(agree(hyper, earlier, "hyperparameter", hyper.getName(), same, advice)))
      return failure();
    if (!earlier) continue;
    // An author may declare it after the pref.apply.
    if (!earlier->isBeforeInBlock(apply)) earlier->moveBefore(&target, target.begin());
    hyper.replaceAllUsesWith(earlier.getResult());
    hyper.erase();
  }
  for (InputOp input : body.getOps<InputOp>()) {
    auto earlier = declared<InputOp>(input.getName());
    bool same = earlier && earlier.getType() == input.getType();
    if (failed(agree(input, earlier, "input", input.getName(), same, ""))) return failure();
  }
  for (OptionOp option : body.getOps<OptionOp>()) {
    auto earlier = declared<OptionOp>(option.getName());
    bool same = earlier && earlier.getCases() == option.getCases() &&
                earlier.getDefaultCase() == option.getDefaultCase();
    std::string advice = "; choose its case, as in [" + option.getName().str() + " = \"" +
                         option.getDefaultCase().str() + "\"]";
    if (failed(agree(option, earlier, "option", option.getName(), same, advice))) return failure();
  }
  return success();
}

void Splice::renameStates() {
  mlir::Builder builder(apply.getContext());
  auto renamed = [&](llvm::StringRef name) {
    return builder.getStringAttr(apply.getLabelOrName() + "." + name);
  };
  for (mlir::Operation& op : body) {
    if (auto state = llvm::dyn_cast<StateOp>(op)) state.setNameAttr(renamed(state.getName()));
    if (auto update = llvm::dyn_cast<UpdateOp>(op)) update.setNameAttr(renamed(update.getName()));
  }
}

mlir::LogicalResult Splice::addMetrics() {
  auto outer = llvm::cast<YieldOp>(target.back());
  llvm::SmallVector<mlir::Attribute> names(outer.getMetricNames().getValue());
  llvm::SmallVector<Value> values(outer.getMetrics());
  llvm::StringRef label = apply.getLabelOrName();
  auto add = [&](llvm::StringRef metric, Value value) {
    names.push_back(mlir::StringAttr::get(apply.getContext(), label + "." + metric));
    values.push_back(value);
  };
  std::string loss = (label + ".loss").str();
  if (llvm::any_of(names, [&](mlir::Attribute name) { return textOf(name) == loss; }))
    return apply.emitOpError() << "label " << label
                               << ": is given twice; name one of them apart, as in as \"" << label
                               << "_2\"";
  auto inner = llvm::cast<YieldOp>(body.back());
  for (auto [name, value] : llvm::zip(inner.getMetricNames(), inner.getMetrics()))
    if (textOf(name) != "loss") add(textOf(name), value);
  add("loss", inner.getLoss());
  outer.getMetricsMutable().assign(values);
  outer.setMetricNamesAttr(mlir::ArrayAttr::get(apply.getContext(), names));
  return success();
}

mlir::LogicalResult Splice::run() {
  if (failed(bind()) || failed(choose()) || failed(mergeDeclarations()) || failed(addMetrics()))
    return failure();
  renameStates();
  auto inner = llvm::cast<YieldOp>(body.back());
  Value loss = inner.getLoss();
  inner.erase();
  target.getOperations().splice(apply->getIterator(), body.getOperations());
  apply.getResult().replaceAllUsesWith(loss);
  apply.erase();
  return success();
}

//===--- all of them ---===//

// No circle, and not too deep.
mlir::LogicalResult Inliner::checkPath(ApplyOp apply) {
  std::string name = apply.getObjective().str();
  auto first = llvm::find(path, name);
  if (first != path.end()) {
    std::vector<std::string> circle(first, path.end());
    circle.push_back(name);
    return apply.emitOpError() << "objectives apply each other in a circle: "
                               << llvm::join(circle, " -> ");
  }
  if (path.size() >= kMaxDepth)
    return apply.emitOpError() << "expected at most " << kMaxDepth
                               << " objectives inside each other, got " << llvm::join(path, " -> ")
                               << " -> " << name;
  return success();
}

mlir::LogicalResult Inliner::inlineOne(ApplyOp apply) {
  if (failed(checkPath(apply))) return failure();
  mlir::FailureOr<ObjectiveOp> found = find(apply.getObjective(), apply.getLoc());
  if (failed(found)) return failure();
  if (isDifferentiated(*found)) {
    mlir::InFlightDiagnostic diagnostic = apply.emitOpError()
                                          << "@" << apply.getObjective()
                                          << ": expected an objective without cotangents";
    diagnostic.attachNote(found->getLoc()) << "it is differentiated already";
    return diagnostic;
  }
  mlir::OwningOpRef<ObjectiveOp> copy(found->clone());
  if (failed(run(*copy))) return failure();
  return Splice(apply, *copy).run();
}

mlir::LogicalResult Inliner::run(ObjectiveOp objective) {
  path.push_back(objective.getSymName().str());
  for (ApplyOp apply : llvm::make_early_inc_range(objective.getBody().front().getOps<ApplyOp>()))
    if (failed(inlineOne(apply))) return failure();
  path.pop_back();
  return success();
}

mlir::LogicalResult inlineApplies(ObjectiveOp objective, ObjectiveFinder find) {
  return Inliner(find).run(objective);
}

namespace {

struct Inline : impl::InlineBase<Inline> {
  void runOnOperation() override {
    mlir::ModuleOp module = getOperation();
    auto find = [&](llvm::StringRef name, mlir::Location where) -> mlir::FailureOr<ObjectiveOp> {
      llvm::SmallVector<llvm::StringRef> names;
      for (ObjectiveOp objective : module.getOps<ObjectiveOp>()) {
        if (objective.getSymName() == name) return objective;
        names.push_back(objective.getSymName());
      }
      return refuseUnknownObjective(name, names, where);
    };
    for (ObjectiveOp objective : module.getOps<ObjectiveOp>())
      if (failed(inlineApplies(objective, find))) return signalPassFailure();
  }
};

}  // namespace

}  // namespace alidade::pref
