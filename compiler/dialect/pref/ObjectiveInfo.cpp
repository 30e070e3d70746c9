#include "compiler/dialect/pref/ObjectiveInfo.h"

namespace alidade::pref {

llvm::ArrayRef<Axis> axesOf(mlir::Value value) {
  return llvm::cast<ValueType>(value.getType()).getAxes();
}

static YieldOp yieldOf(ObjectiveOp objective) {
  return llvm::cast<YieldOp>(objective.getBody().front().back());
}

llvm::SmallVector<Read> readsOf(ObjectiveOp objective) {
  llvm::SmallVector<Read> reads;
  for (LogProbOp op : objective.getBody().front().getOps<LogProbOp>()) {
    auto* read =
        llvm::find_if(reads, [&](const Read& r) { return r.distribution == op.getDistribution(); });
    if (read == reads.end()) {
      reads.push_back(Read{op.getDistribution(), {}, false});
      read = &reads.back();
    }
    read->ops.push_back(op);
    read->hasGradient |= op.hasGradient();
  }
  return reads;
}

unsigned readIndexOf(LogProbOp op) {
  unsigned index = 0;
  for (const Read& read : readsOf(op->getParentOfType<ObjectiveOp>())) {
    if (read.distribution == op.getDistribution()) break;
    ++index;
  }
  return index;
}

llvm::SmallVector<ResponseRole> responsesOf(ObjectiveOp objective) {
  llvm::SmallVector<ResponseRole> responses;
  for (const Read& read : readsOf(objective))
    if (!llvm::is_contained(responses, read.distribution.getResponse()))
      responses.push_back(read.distribution.getResponse());
  return responses;
}

llvm::SmallVector<HyperOp> hypersOf(ObjectiveOp objective) {
  return llvm::to_vector(objective.getBody().front().getOps<HyperOp>());
}

mlir::Value lossOf(ObjectiveOp objective) { return yieldOf(objective).getLoss(); }

static llvm::SmallVector<NamedValue> zipNames(mlir::ArrayAttr names, mlir::OperandRange values) {
  llvm::SmallVector<NamedValue> result;
  for (auto [name, value] : llvm::zip(names, values))
    result.push_back(NamedValue{llvm::cast<mlir::StringAttr>(name).getValue().str(), value});
  return result;
}

llvm::SmallVector<NamedValue> metricsOf(ObjectiveOp objective) {
  YieldOp yield = yieldOf(objective);
  return zipNames(yield.getMetricNames(), yield.getMetrics());
}

llvm::SmallVector<NamedValue> cotangentsOf(ObjectiveOp objective) {
  YieldOp yield = yieldOf(objective);
  return zipNames(yield.getCotangentNames(), yield.getCotangents());
}

bool isDifferentiated(ObjectiveOp objective) { return !yieldOf(objective).getCotangents().empty(); }

}  // namespace alidade::pref
