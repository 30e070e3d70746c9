#include "compiler/transforms/AnalyzeCoupling/AnalyzeCoupling.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

#include "compiler/dialect/pref/ObjectiveInfo.h"

namespace alidade::pref {

#define GEN_PASS_DEF_ANALYZECOUPLING
#include "compiler/transforms/AnalyzeCoupling/AnalyzeCoupling.h.inc"

using mlir::Value;
using schedule::Granularity;

namespace {

// The backward slice of the cotangents of one distribution.
class Slice {
 public:
  Slice(ObjectiveOp objective, DistributionAttr distribution)
      : unknownValues(unknownValuesOf(objective)), reads(readsOf(objective)) {
    llvm::SmallVector<NamedValue> named = cotangentsOf(objective);
    auto* next = named.begin();
    for (const Read& read : reads) {
      if (!read.hasGradient) continue;
      Value cotangent = (next++)->value;
      if (read.distribution != distribution) continue;
      cotangents.push_back(cotangent);
      dense |= read.op == "entropy" || read.op == "kl_to" || read.op == "kl_from";
    }
  }

  schedule::Coupling coupling();

 private:
  bool isKnown(Value value) const { return !unknownValues.contains(value); }
  // When a value becomes known.
  Granularity granularityOf(Value value);
  // True when the value is the same at all points of its innermost axis.
  bool isUniform(Value value) const;
  // Unknown scalars, or unknown scores of a token, that enter the arithmetic on `axes`.
  void collectUnknowns(Value value, llvm::ArrayRef<Axis> axes, llvm::SetVector<Value>& unknowns);
  // Names of the unknown reads below `value`, and the axes over which their scores meet.
  void collectSources(Value value, llvm::SetVector<Value>& visited,
                      llvm::SetVector<llvm::StringRef>& joined,
                      llvm::SmallVectorImpl<std::string>& names);
  std::string nameOf(VocabularyOpInterface op) const { return reads[readIndexOf(op)].name; }

  // Values that depend on a distribution with gradient.
  llvm::DenseSet<Value> unknownValues;
  llvm::SmallVector<Read> reads;
  llvm::SmallVector<Value> cotangents;
  bool dense = false;
  llvm::DenseMap<Value, Granularity> granularities;
};

}  // namespace

Granularity Slice::granularityOf(Value value) {
  if (isKnown(value)) return Granularity::kKnown;
  auto found = granularities.find(value);
  if (found != granularities.end()) return found->second;
  auto op = llvm::cast<TermOpInterface>(value.getDefiningOp());
  Granularity granularity = Granularity::kToken;
  for (Value operand : op->getOperands())
    granularity = std::max(granularity, granularityOf(operand));
  // Where points meet, the result is known when the last of them is.
  if (std::optional<AxisKind> axis = op.getCrossedAxis()) {
    bool overRow = *axis == AxisKind::Row;
    granularity = std::max(granularity, overRow ? Granularity::kBatch : Granularity::kRow);
  }
  if (op.crossesRanks()) granularity = Granularity::kRanks;
  granularities[value] = granularity;
  return granularity;
}

bool Slice::isUniform(Value value) const {
  mlir::Operation* op = value.getDefiningOp();
  // Of fewer axes.
  if (llvm::isa<BroadcastOp>(op)) return true;
  if (!llvm::isa<ElementwiseOpInterface>(op)) return false;
  return llvm::all_of(op->getOperands(), [&](Value operand) {
    return axesOf(operand).size() < axesOf(value).size() || isUniform(operand);
  });
}

void Slice::collectUnknowns(Value value, llvm::ArrayRef<Axis> axes,
                            llvm::SetVector<Value>& unknowns) {
  if (isKnown(value) || unknowns.contains(value)) return;
  auto op = llvm::cast<TermOpInterface>(value.getDefiningOp());
  if (axesOf(value) != axes || llvm::isa<VocabularyOpInterface>(op.getOperation()) ||
      op.getCrossedAxis()) {
    unknowns.insert(value);
    return;
  }
  for (Value operand : op->getOperands()) collectUnknowns(operand, axes, unknowns);
}

void Slice::collectSources(Value value, llvm::SetVector<Value>& visited,
                           llvm::SetVector<llvm::StringRef>& joined,
                           llvm::SmallVectorImpl<std::string>& names) {
  if (isKnown(value) || !visited.insert(value)) return;
  auto op = llvm::cast<TermOpInterface>(value.getDefiningOp());
  if (auto read = llvm::dyn_cast<VocabularyOpInterface>(op.getOperation())) {
    names.push_back(nameOf(read));
    return;
  }
  for (Value operand : op->getOperands()) collectSources(operand, visited, joined, names);
  std::optional<AxisKind> axis = op.getCrossedAxis();
  if (axis) joined.insert(stringifyAxisKind(*axis));
  if (op.crossesRanks()) joined.insert("ranks");
}

schedule::Coupling Slice::coupling() {
  schedule::Coupling result;
  result.granularity = Granularity::kKnown;
  result.dense = dense;
  result.uniform = llvm::all_of(cotangents, [&](Value value) { return isUniform(value); });
  llvm::SetVector<Value> unknowns, visited;
  llvm::SetVector<llvm::StringRef> joined;
  llvm::SmallVector<std::string> names;
  for (Value cotangent : cotangents) {
    result.granularity = std::max(result.granularity, granularityOf(cotangent));
    collectUnknowns(cotangent, axesOf(cotangent), unknowns);
    collectSources(cotangent, visited, joined, names);
  }
  if (result.granularity == Granularity::kKnown) {
    result.reason = "the weights depend on no score with gradient";
    return result;
  }
  llvm::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  result.rank = unknowns.size();
  result.reason = "the weights depend on " + llvm::join(names, ", ");
  if (!joined.empty()) result.reason += ", reduced over " + llvm::join(joined, " and ");
  return result;
}

schedule::Coupling analyzeCoupling(ObjectiveOp objective, DistributionAttr distribution) {
  return Slice(objective, distribution).coupling();
}

std::string describe(const schedule::Coupling& coupling) {
  std::string text(schedule::GranularityName(coupling.granularity));
  text += ", rank " + std::to_string(coupling.rank);
  text += coupling.dense ? ", dense" : ", sparse";
  if (coupling.uniform) text += ", uniform";
  return text + ": " + coupling.reason;
}

namespace {

struct AnalyzeCoupling : impl::AnalyzeCouplingBase<AnalyzeCoupling> {
  void runOnOperation() override {
    ObjectiveOp objective = getOperation();
    if (!isDifferentiated(objective)) {
      objective.emitOpError() << "has no cotangents; run pref-differentiate first";
      return signalPassFailure();
    }
    llvm::DenseSet<mlir::Attribute> seen;
    for (const Read& read : readsOf(objective))
      if (read.hasGradient && seen.insert(read.distribution).second)
        read.first()->emitRemark() << describe(analyzeCoupling(objective, read.distribution));
    for (Value value : knownValuesOf(objective))
      value.getDefiningOp()->emitRemark() << "couples rows, but is known before any score with "
                                             "gradient";
    markAllAnalysesPreserved();
  }
};

}  // namespace

}  // namespace alidade::pref
