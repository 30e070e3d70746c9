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
  // Values on a path from a read with gradient, forwards.
  void markActive();
  mlir::LogicalResult refuse(TermOpInterface op, mlir::ValueRange operands, llvm::StringRef reason);
  mlir::LogicalResult pullBack(TermOpInterface op);
  Value summed(Value value);

  mlir::Block& block;
  YieldOp yield;
  mlir::OpBuilder builder;
  llvm::DenseSet<Value> active;
  llvm::DenseMap<Value, llvm::SmallVector<Value>> cotangents;
};

}  // namespace

// Read of a policy and not `detached`: a gradient is wanted, even where the operation has none.
static bool wantsGradient(VocabularyOpInterface op) {
  return op.getDistribution().getModel() == ModelRole::Policy && !op.getDetached();
}

void ReverseSweep::markActive() {
  for (mlir::Operation& op : block.without_terminator()) {
    if (op.getNumResults() == 0) continue;
    bool isActive = false;
    if (auto read = llvm::dyn_cast<VocabularyOpInterface>(op))
      isActive = wantsGradient(read);
    else if (!llvm::isa<StopGradientOp>(op))
      isActive =
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

// The error of a gradient that arrives at an operation and cannot pass to operands that want one.
mlir::LogicalResult ReverseSweep::refuse(TermOpInterface op, mlir::ValueRange operands,
                                         llvm::StringRef reason) {
  mlir::InFlightDiagnostic diagnostic =
      op->emitOpError() << reason << "; "
                        << (llvm::isa<VocabularyOpInterface>(op.getOperation())
                                ? "say `detached` if that is meant"
                                : "use pref.stop_gradient on the operand if that is meant");
  for (Value operand : operands)
    if (active.contains(operand))
      diagnostic.attachNote(operand.getLoc()) << "a gradient is wanted for this value";
  for (mlir::Operation* user : op->getResult(0).getUsers())
    diagnostic.attachNote(user->getLoc()) << "the gradient arrives from here";
  return diagnostic;
}

mlir::LogicalResult ReverseSweep::pullBack(TermOpInterface op) {
  Value result = op->getResult(0);
  Value cotangent = active.contains(result) ? summed(result) : Value();
  if (!cotangent) return success();
  if (op.isValueOnly()) {
    return refuse(op, op->getOperands(),
                  "is value-only: no gradient passes, but the loss depends on its result");
  }
  if (llvm::isa<VocabularyOpInterface>(op.getOperation())) return success();
  if (llvm::isa<CompositeOpInterface>(op.getOperation()))
    return op->emitOpError() << "is a composite; run pref-expand-composites first";
  for (mlir::OpOperand& operand : op->getOpOperands()) {
    llvm::StringRef reason = op.whyNoGradient(operand.getOperandNumber());
    if (!reason.empty() && active.contains(operand.get())) return refuse(op, operand.get(), reason);
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
        yield.emitOpError()
        << "the loss does not depend on anything read of a policy with gradient";
    diagnostic.attachNote(yield.getLoss().getLoc()) << "the loss";
    return diagnostic;
  }
  llvm::SmallVector<TermOpInterface> forward;
  for (mlir::Operation& op : block.without_terminator())
    if (auto term = llvm::dyn_cast<TermOpInterface>(op)) forward.push_back(term);
  cotangents[yield.getLoss()].push_back(TermBuilder(builder, yield.getLoc()).constant(1));
  for (TermOpInterface op : llvm::reverse(forward))
    if (failed(pullBack(op))) return failure();
  return success();
}

Value ReverseSweep::cotangentOf(const Read& read) {
  Value sum;
  TermBuilder t(builder, read.first()->getLoc());
  for (VocabularyOpInterface op : read.ops) {
    Value term = op.hasGradient() ? summed(op->getResult(0)) : Value();
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
  for (OptionOp option : objective.getBody().front().getOps<OptionOp>())
    return option.emitOpError() << "is still open; run pref-resolve-options first";
  for (ApplyOp apply : objective.getBody().front().getOps<ApplyOp>())
    return apply.emitOpError() << "applies another objective; run pref-inline first";
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
      return read.first()->emitOpError()
             << "carries a gradient, but the loss does not depend on " << read.name
             << "; say `detached` if only its value is wanted";
    }
    names.push_back(builder.getStringAttr(read.name));
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
