#include "compiler/transforms/AnalyzeCoupling/AnalyzeCoupling.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include "compiler/dialect/pref/ObjectiveInfo.h"

namespace alidade::pref {

#define GEN_PASS_DEF_ANALYZECOUPLING
#include "compiler/transforms/AnalyzeCoupling/AnalyzeCoupling.h.inc"

using mlir::Value;
using schedule::Granularity;

namespace {

// The backward slice of one cotangent.
class Slice {
 public:
  explicit Slice(Value cotangent) : cotangent(cotangent) {
    auto objective = cotangent.getDefiningOp()->getParentOfType<ObjectiveOp>();
    for (const Read& read : readsOf(objective))
      if (read.hasGradient) unknownDistributions.insert(read.distribution);
  }

  schedule::Coupling coupling();

 private:
  // When a value becomes known.
  Granularity granularityOf(Value value);
  // Unknown scalars, or unknown scores of a token, that enter the token arithmetic above `value`.
  void collectUnknowns(Value value, llvm::SetVector<Value>& unknowns);
  // Names of the unknown reads below `value`, and the mnemonics of the reductions that join their
  // scores.
  void collectSources(Value value, llvm::SetVector<Value>& visited,
                      llvm::SetVector<llvm::StringRef>& reductions,
                      llvm::SmallVectorImpl<std::string>& reads);

  Value cotangent;
  // Distributions with gradient: one forward pass yields the score that a `detached` operation
  // reads, too.
  llvm::DenseSet<mlir::Attribute> unknownDistributions;
  llvm::DenseMap<Value, Granularity> granularities;
};

}  // namespace

Granularity Slice::granularityOf(Value value) {
  auto known = granularities.find(value);
  if (known != granularities.end()) return known->second;
  Granularity granularity = Granularity::kKnown;
  mlir::Operation* op = value.getDefiningOp();
  if (auto read = llvm::dyn_cast<LogProbOp>(op)) {
    if (unknownDistributions.contains(read.getDistribution())) granularity = Granularity::kToken;
  } else {
    for (Value operand : op->getOperands())
      granularity = std::max(granularity, granularityOf(operand));
    // A reduction of something unknown is known when the last of its points is.
    if (granularity != Granularity::kKnown && llvm::isa<SumOp, MeanOp>(op)) {
      bool overRow = axesOf(value).empty();
      granularity = std::max(granularity, overRow ? Granularity::kBatch : Granularity::kRow);
    }
  }
  granularities[value] = granularity;
  return granularity;
}

void Slice::collectUnknowns(Value value, llvm::SetVector<Value>& unknowns) {
  if (granularityOf(value) == Granularity::kKnown || unknowns.contains(value)) return;
  if (axesOf(value).size() < 2 || value.getDefiningOp<LogProbOp>()) {
    unknowns.insert(value);
    return;
  }
  for (Value operand : value.getDefiningOp()->getOperands()) collectUnknowns(operand, unknowns);
}

void Slice::collectSources(Value value, llvm::SetVector<Value>& visited,
                           llvm::SetVector<llvm::StringRef>& reductions,
                           llvm::SmallVectorImpl<std::string>& reads) {
  if (granularityOf(value) == Granularity::kKnown || !visited.insert(value)) return;
  mlir::Operation* op = value.getDefiningOp();
  if (auto read = llvm::dyn_cast<LogProbOp>(op)) reads.push_back(read.getDistribution().getName());
  for (Value operand : op->getOperands()) {
    collectSources(operand, visited, reductions, reads);
    if (llvm::isa<SumOp, MeanOp>(op) && granularityOf(operand) != Granularity::kKnown)
      reductions.insert(axesOf(value).empty() ? "row" : "token");
  }
}

schedule::Coupling Slice::coupling() {
  schedule::Coupling result;
  result.granularity = granularityOf(cotangent);
  result.dense = false;
  if (result.granularity == Granularity::kKnown) {
    result.reason = "the weights depend on no score with gradient";
    return result;
  }
  llvm::SetVector<Value> unknowns, visited;
  llvm::SetVector<llvm::StringRef> reductions;
  llvm::SmallVector<std::string> reads;
  collectUnknowns(cotangent, unknowns);
  collectSources(cotangent, visited, reductions, reads);
  llvm::sort(reads);
  reads.erase(std::unique(reads.begin(), reads.end()), reads.end());
  result.rank = unknowns.size();
  result.reason = "the weights depend on " + llvm::join(reads, ", ");
  if (!reductions.empty()) result.reason += ", reduced over " + llvm::join(reductions, " and ");
  return result;
}

schedule::Coupling analyzeCoupling(Value cotangent) { return Slice(cotangent).coupling(); }

std::string describe(const schedule::Coupling& coupling) {
  std::string name(schedule::GranularityName(coupling.granularity));
  return name + ", rank " + std::to_string(coupling.rank) +
         (coupling.dense ? ", dense: " : ", sparse: ") + coupling.reason;
}

namespace {

struct AnalyzeCoupling : impl::AnalyzeCouplingBase<AnalyzeCoupling> {
  void runOnOperation() override {
    ObjectiveOp objective = getOperation();
    if (!isDifferentiated(objective)) {
      objective.emitOpError() << "has no cotangents; run pref-differentiate first";
      return signalPassFailure();
    }
    llvm::SmallVector<NamedValue> cotangents = cotangentsOf(objective);
    auto* cotangent = cotangents.begin();
    for (const Read& read : readsOf(objective))
      if (read.hasGradient)
        read.first()->emitRemark() << describe(analyzeCoupling((cotangent++)->value));
    markAllAnalysesPreserved();
  }
};

}  // namespace

}  // namespace alidade::pref
