#include "compiler/transforms/Differentiate/Differentiate.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "mlir/IR/Builders.h"

#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/dialect/pref/TermBuilder.h"

namespace alidade::pref {

#define GEN_PASS_DEF_DIFFERENTIATE
#include "compiler/transforms/Differentiate/Differentiate.h.inc"

using mlir::failure;
using mlir::success;
using mlir::Value;

namespace {

// One reverse sweep. The cotangents of a value are collected until its definition is reached, then
// summed once.
class ReverseSweep {
 public:
  explicit ReverseSweep(ObjectiveOp objective)
      : block(objective.getBody().front()),
        yield(llvm::cast<YieldOp>(block.back())),
        builder(yield) {}

  mlir::LogicalResult run();

  // The summed cotangent of a read, of its axes; null when the loss does not depend on it.
  Value cotangentOf(const Read& read);

 private:
  // Values on a path from a log-probability with gradient, forwards.
  void markActive();
  mlir::LogicalResult pullBack(TermOpInterface op);
  Value summed(Value value);

  mlir::Block& block;
  YieldOp yield;
  mlir::OpBuilder builder;
  llvm::DenseSet<Value> active;
  llvm::DenseMap<Value, llvm::SmallVector<Value>> cotangents;
};

}  // namespace

void ReverseSweep::markActive() {
  for (mlir::Operation& op : block.without_terminator()) {
    auto read = llvm::dyn_cast<LogProbOp>(op);
    bool isActive = read && read.hasGradient();
    if (!llvm::isa<StopGradientOp>(op))
      isActive |=
          llvm::any_of(op.getOperands(), [&](Value operand) { return active.contains(operand); });
    if (isActive) active.insert(op.getResult(0));
  }
}

Value ReverseSweep::summed(Value value) {
  llvm::SmallVector<Value>& terms = cotangents[value];
  if (terms.empty()) return {};
  TermBuilder t(builder, value.getLoc());
  Value sum = terms.front();
  for (Value term : llvm::drop_begin(terms)) sum = t.add(sum, term);
  terms.assign({sum});
  return sum;
}

mlir::LogicalResult ReverseSweep::pullBack(TermOpInterface op) {
  Value result = op->getResult(0);
  Value cotangent = active.contains(result) ? summed(result) : Value();
  if (!cotangent || llvm::isa<LogProbOp>(op)) return success();
  if (op.isValueOnly()) {
    mlir::InFlightDiagnostic diagnostic =
        op->emitOpError()
        << "is piecewise constant: no gradient passes, but the loss depends on its result; use "
           "pref.stop_gradient on the operand if that is meant";
    for (Value operand : op->getOperands())
      if (active.contains(operand))
        diagnostic.attachNote(operand.getLoc()) << "a gradient is wanted for this value";
    for (mlir::Operation* user : result.getUsers())
      diagnostic.attachNote(user->getLoc()) << "the gradient arrives from here";
    return diagnostic;
  }
  llvm::SmallVector<bool> wanted;
  for (Value operand : op->getOperands()) wanted.push_back(active.contains(operand));
  llvm::SmallVector<Value> pulled(op->getNumOperands());
  op.buildVjp(builder, cotangent, wanted, pulled);
  TermBuilder t(builder, op->getLoc());
  for (auto [operand, isWanted, value] : llvm::zip(op->getOperands(), wanted, pulled)) {
    if (!isWanted || !value) continue;
    // An operand that was broadcast receives the sum over the points it was copied to; a cotangent
    // that knows of fewer axes is the same at all points.
    Value reduced = t.reduceTo(value, axesOf(operand));
    cotangents[operand].push_back(t.broadcast(reduced, axesOf(operand)));
  }
  return success();
}

mlir::LogicalResult ReverseSweep::run() {
  markActive();
  if (!active.contains(yield.getLoss())) {
    mlir::InFlightDiagnostic diagnostic =
        yield.emitOpError() << "the loss does not depend on any log-probability with gradient";
    diagnostic.attachNote(yield.getLoss().getLoc()) << "the loss";
    return diagnostic;
  }
  llvm::SmallVector<TermOpInterface> forward;
  for (mlir::Operation& op : block.without_terminator())
    forward.push_back(llvm::cast<TermOpInterface>(op));
  cotangents[yield.getLoss()].push_back(TermBuilder(builder, yield.getLoc()).constant(1));
  for (TermOpInterface op : llvm::reverse(forward))
    if (failed(pullBack(op))) return failure();
  return success();
}

Value ReverseSweep::cotangentOf(const Read& read) {
  Value sum;
  TermBuilder t(builder, read.first().getLoc());
  for (LogProbOp op : read.ops) {
    Value term = op.hasGradient() ? summed(op.getResult()) : Value();
    if (term) sum = sum ? t.add(sum, term) : term;
  }
  return sum;
}

// Metrics of axes [row] become their means over rows.
static void reduceMetrics(YieldOp yield) {
  mlir::OpBuilder builder(yield);
  for (mlir::OpOperand& metric : yield.getMetricsMutable())
    if (!axesOf(metric.get()).empty())
      metric.set(MeanOp::create(builder, metric.get().getLoc(), metric.get(), AxisKind::Row));
}

mlir::LogicalResult differentiate(ObjectiveOp objective) {
  if (isDifferentiated(objective)) return objective.emitOpError() << "has cotangents already";
  auto yield = llvm::cast<YieldOp>(objective.getBody().front().back());
  ReverseSweep sweep(objective);
  if (failed(sweep.run())) return failure();
  mlir::Builder builder(objective.getContext());
  llvm::SmallVector<mlir::Attribute> names;
  llvm::SmallVector<Value> cotangents;
  for (const Read& read : readsOf(objective)) {
    if (!read.hasGradient) continue;
    Value cotangent = sweep.cotangentOf(read);
    if (!cotangent) {
      return read.first().emitOpError()
             << "carries a gradient, but the loss does not depend on "
             << read.distribution.getName() << "; say `detached` if only its value is wanted";
    }
    names.push_back(builder.getStringAttr(read.distribution.getName()));
    cotangents.push_back(cotangent);
  }
  yield.getCotangentsMutable().assign(cotangents);
  yield.setCotangentNamesAttr(builder.getArrayAttr(names));
  reduceMetrics(yield);
  for (StopGradientOp op :
       llvm::make_early_inc_range(objective.getBody().front().getOps<StopGradientOp>())) {
    op.getResult().replaceAllUsesWith(op.getX());
    op.erase();
  }
  return success();
}

namespace {

struct Differentiate : impl::DifferentiateBase<Differentiate> {
  void runOnOperation() override {
    if (failed(differentiate(getOperation()))) signalPassFailure();
  }
};

}  // namespace

}  // namespace alidade::pref
