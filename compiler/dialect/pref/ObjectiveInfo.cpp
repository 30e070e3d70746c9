#include "compiler/dialect/pref/ObjectiveInfo.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

namespace alidade::pref {

using mlir::Value;

llvm::ArrayRef<Axis> axesOf(Value value) {
  return llvm::cast<ValueType>(value.getType()).getAxes();
}

static mlir::Block& blockOf(ObjectiveOp objective) { return objective.getBody().front(); }

static YieldOp yieldOf(ObjectiveOp objective) {
  return llvm::cast<YieldOp>(blockOf(objective).back());
}

//===--- reads ---===//

// The same token, whether or not the two operations have been merged.
static bool isSameIndex(Value a, Value b) {
  if (a == b || !a || !b) return a == b;
  auto inputA = a.getDefiningOp<InputOp>(), inputB = b.getDefiningOp<InputOp>();
  if (inputA && inputB) return inputA.getName() == inputB.getName();
  auto argmaxA = a.getDefiningOp<ArgmaxOp>(), argmaxB = b.getDefiningOp<ArgmaxOp>();
  return argmaxA && argmaxB && argmaxA.getDistribution() == argmaxB.getDistribution();
}

static bool isSameScale(Value a, Value b) {
  if (a == b || !a || !b) return a == b;
  auto hyperA = a.getDefiningOp<HyperOp>(), hyperB = b.getDefiningOp<HyperOp>();
  if (hyperA && hyperB) return hyperA.getName() == hyperB.getName();
  auto constantA = a.getDefiningOp<ConstantOp>(), constantB = b.getDefiningOp<ConstantOp>();
  return constantA && constantB && constantA.getNumber() == constantB.getNumber();
}

static bool reads(const Read& read, VocabularyOpInterface op) {
  return read.op == op.getReadName() && read.distribution == op.getDistribution() &&
         read.partner == op.getPartner() && isSameIndex(read.index, op.getIndex()) &&
         isSameScale(read.scale, op.getScale());
}

static std::string nameOf(VocabularyOpInterface op, llvm::ArrayRef<Read> before) {
  std::string name = op.getDistribution().getName();
  if (op.getReadName() != "logprob") ((name += "#") += op.getReadName());
  auto isTaken = [&](const std::string& text) {
    return llvm::any_of(before, [&](const Read& read) { return read.name == text; });
  };
  std::string unique = name;
  for (int i = 2; isTaken(unique); ++i) unique = name + "#" + std::to_string(i);
  return unique;
}

llvm::SmallVector<Read> readsOf(ObjectiveOp objective) {
  llvm::SmallVector<Read> result;
  for (mlir::Operation& operation : blockOf(objective)) {
    auto op = llvm::dyn_cast<VocabularyOpInterface>(operation);
    if (!op) continue;
    auto* read = llvm::find_if(result, [&](const Read& r) { return reads(r, op); });
    if (read == result.end()) {
      result.push_back(Read{nameOf(op, result),
                            op.getReadName().str(),
                            op.getDistribution(),
                            op.getPartner(),
                            op.getIndex(),
                            op.getScale(),
                            {},
                            false});
      read = &result.back();
    }
    read->ops.push_back(op);
    read->hasGradient |= op.hasGradient();
  }
  return result;
}

unsigned readIndexOf(VocabularyOpInterface op) {
  unsigned index = 0;
  for (const Read& read : readsOf(op->getParentOfType<ObjectiveOp>())) {
    if (reads(read, op)) break;
    ++index;
  }
  return index;
}

llvm::SmallVector<DistributionAttr> distributionsOf(ObjectiveOp objective) {
  llvm::SetVector<DistributionAttr> distributions;
  for (mlir::Operation& operation : blockOf(objective)) {
    auto op = llvm::dyn_cast<VocabularyOpInterface>(operation);
    if (!op) continue;
    distributions.insert(op.getDistribution());
    if (op.getPartner()) distributions.insert(op.getPartner());
  }
  return llvm::to_vector(distributions.getArrayRef());
}

//===--- axes ---===//

llvm::SmallVector<Axis> axesOf(ObjectiveOp objective) {
  llvm::SmallVector<Axis> axes;
  auto add = [&](Axis axis) {
    if (!axis.isRow() && !llvm::is_contained(axes, axis)) axes.push_back(axis);
  };
  auto mention = [&](Axis innermost) {
    // The pairs of a row follow from its members.
    if (innermost.isPair()) add(Axis::member());
    for (Axis axis : pathOf(innermost)) add(axis);
  };
  for (mlir::Operation& op : blockOf(objective)) {
    for (mlir::NamedAttribute attribute : op.getAttrDictionary())
      if (auto axis = llvm::dyn_cast<AxisAttr>(attribute.getValue())) mention(axis.getValue());
    for (Value result : op.getResults())
      if (!axesOf(result).empty()) mention(axesOf(result).back());
  }
  return axes;
}

llvm::SmallVector<ResponseRole> responsesOf(ObjectiveOp objective) {
  llvm::SmallVector<ResponseRole> responses;
  for (Axis axis : axesOf(objective))
    if (axis.isToken()) responses.push_back(axis.getResponse());
  return responses;
}

//===--- what the objective takes ---===//

llvm::SmallVector<HyperOp> hypersOf(ObjectiveOp objective) {
  return llvm::to_vector(blockOf(objective).getOps<HyperOp>());
}

template <typename Op>
static llvm::SmallVector<Op> firstOfEveryName(ObjectiveOp objective) {
  llvm::SmallVector<Op> ops;
  llvm::StringSet<> names;
  for (Op op : blockOf(objective).getOps<Op>())
    if (names.insert(op.getName()).second) ops.push_back(op);
  return ops;
}

llvm::SmallVector<InputOp> inputsOf(ObjectiveOp objective) {
  return firstOfEveryName<InputOp>(objective);
}

llvm::SmallVector<StateOp> statesOf(ObjectiveOp objective) {
  return firstOfEveryName<StateOp>(objective);
}

llvm::SmallVector<UpdateOp> updatesOf(ObjectiveOp objective) {
  llvm::SmallVector<UpdateOp> updates;
  for (StateOp state : statesOf(objective))
    for (UpdateOp update : blockOf(objective).getOps<UpdateOp>())
      if (update.getName() == state.getName()) updates.push_back(update);
  return updates;
}

//===--- options ---===//

static constexpr llvm::StringLiteral kOptions = "pref.options";

static OptionInfo infoOf(mlir::DictionaryAttr record) {
  auto text = [&](llvm::StringRef name) {
    return record.getAs<mlir::StringAttr>(name).getValue().str();
  };
  OptionInfo info{text("name"), text("chosen"), text("default"), {}, text("doc")};
  for (auto name : record.getAs<mlir::ArrayAttr>("cases").getAsRange<mlir::StringAttr>())
    info.cases.push_back(name.getValue().str());
  return info;
}

bool hasWellFormedOptions(ObjectiveOp objective) {
  mlir::Attribute attribute = objective->getAttr(kOptions);
  if (!attribute) return true;
  auto records = llvm::dyn_cast<mlir::ArrayAttr>(attribute);
  auto isText = [](mlir::Attribute item) { return llvm::isa_and_present<mlir::StringAttr>(item); };
  return records && llvm::all_of(records, [&](mlir::Attribute item) {
           auto record = llvm::dyn_cast<mlir::DictionaryAttr>(item);
           if (!record) return false;
           auto cases = record.getAs<mlir::ArrayAttr>("cases");
           return cases && llvm::all_of(cases, isText) && isText(record.get("name")) &&
                  isText(record.get("chosen")) && isText(record.get("default")) &&
                  isText(record.get("doc"));
         });
}

llvm::SmallVector<OptionInfo> optionsOf(ObjectiveOp objective) {
  llvm::SmallVector<OptionInfo> options;
  if (auto records = objective->getAttrOfType<mlir::ArrayAttr>(kOptions))
    for (auto record : records.getAsRange<mlir::DictionaryAttr>())
      options.push_back(infoOf(record));
  for (OptionOp op : firstOfEveryName<OptionOp>(objective)) {
    std::string chosen = op.getDefaultCase().str();
    OptionInfo info{op.getName().str(), chosen, chosen, {}, op.getDoc().value_or("").str()};
    for (llvm::StringRef name : op.getCaseNames()) info.cases.push_back(name.str());
    options.push_back(info);
  }
  return options;
}

void recordOptions(ObjectiveOp objective, llvm::ArrayRef<OptionInfo> options) {
  mlir::Builder builder(objective.getContext());
  llvm::SmallVector<mlir::Attribute> records;
  for (const OptionInfo& option : options) {
    llvm::SmallVector<llvm::StringRef> cases(option.cases.begin(), option.cases.end());
    auto entry = [&](llvm::StringRef name, llvm::StringRef value) {
      return builder.getNamedAttr(name, builder.getStringAttr(value));
    };
    records.push_back(
        builder.getDictionaryAttr({entry("name", option.name), entry("chosen", option.chosen),
                                   entry("default", option.defaultCase), entry("doc", option.doc),
                                   builder.getNamedAttr("cases", builder.getStrArrayAttr(cases))}));
  }
  if (records.empty())
    objective->removeAttr(kOptions);
  else
    objective->setAttr(kOptions, builder.getArrayAttr(records));
}

//===--- results ---===//

Value lossOf(ObjectiveOp objective) { return yieldOf(objective).getLoss(); }

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

//===--- known and unknown ---===//

bool crossesRanks(ObjectiveOp objective) {
  return llvm::any_of(blockOf(objective), [](mlir::Operation& op) {
    auto term = llvm::dyn_cast<TermOpInterface>(op);
    return term && term.crossesRanks();
  });
}

llvm::DenseSet<Value> unknownValuesOf(ObjectiveOp objective) {
  llvm::DenseSet<mlir::Attribute> distributions;
  for (const Read& read : readsOf(objective))
    if (read.hasGradient) distributions.insert(read.distribution);
  llvm::DenseSet<Value> unknown;
  for (mlir::Operation& op : blockOf(objective)) {
    bool isUnknown =
        llvm::any_of(op.getOperands(), [&](Value operand) { return unknown.contains(operand); });
    // One forward pass yields what a `detached` operation reads, too.
    if (auto read = llvm::dyn_cast<VocabularyOpInterface>(op))
      isUnknown = distributions.contains(read.getDistribution()) ||
                  (read.getPartner() && distributions.contains(read.getPartner()));
    if (isUnknown) unknown.insert(op.result_begin(), op.result_end());
  }
  return unknown;
}

llvm::SmallVector<Value> knownValuesOf(ObjectiveOp objective) {
  llvm::DenseSet<Value> unknown = unknownValuesOf(objective);
  llvm::DenseSet<Value> visited, known;
  llvm::SmallVector<Value> pending;
  for (const NamedValue& cotangent : cotangentsOf(objective)) pending.push_back(cotangent.value);
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (!visited.insert(value).second) continue;
    auto op = llvm::cast<TermOpInterface>(value.getDefiningOp());
    if (!unknown.contains(value) && op.getCrossedAxis() == AxisKind::Row)
      known.insert(value);
    else
      llvm::append_range(pending, op->getOperands());
  }
  llvm::SmallVector<Value> ordered;
  for (mlir::Operation& op : blockOf(objective))
    for (Value result : op.getResults())
      if (known.contains(result)) ordered.push_back(result);
  return ordered;
}

}  // namespace alidade::pref
