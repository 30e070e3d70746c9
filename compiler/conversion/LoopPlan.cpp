#include "compiler/conversion/LoopPlan.h"

#include <algorithm>

using namespace mlir;

namespace alidade::pref {

Place Place::outer(unsigned depth) const {
  Place place;
  std::copy_n(stages.begin(), depth, place.stages.begin());
  return place;
}

Place Place::after(unsigned depth) const {
  Place place = outer(depth + 1);
  ++place.stages[depth];
  return place;
}

uint64_t Place::key() const {
  uint64_t key = 0;
  for (unsigned stage : stages) key = (key << 16) | stage;
  return key;
}

bool isReduction(Operation* op) { return isa<SumOp, MeanOp, ReduceMaxOp>(op); }

bool isArrayStep(Operation* op) {
  return isa<SortOp, UnsortOp, ScanOp, SegmentSumOp, PairScatterOp>(op);
}

bool isGather(Operation* op) { return isa<SegmentGatherOp, PairGatherOp>(op); }

bool isLeaf(Operation* op) {
  return isa<HyperOp, ConstantOp, CountOp, PositionOp, PairIndexOp, InputOp, StateOp,
             VocabularyOpInterface>(op);
}

bool sumsOverRanks(Operation* op) { return cast<TermOpInterface>(op).crossesRanks(); }

bool isArgumentArray(Value value) {
  return isa<InputOp, VocabularyOpInterface>(value.getDefiningOp());
}

LoopPlan::LoopPlan(ObjectiveOp objective, const KnownValues& known, Function function)
    : known(known), function(function) {
  for (auto [index, value] : llvm::enumerate(known.rows()))
    slots.insert({value, Slot{{Axis::row()}, static_cast<unsigned>(index), /*isKnown=*/true}});
  for (Operation& op : objective.getBody().front())
    if (op.getNumResults() == 1) places[op.getResult(0)] = computePlace(&op);
  SmallVector<Value> roots;
  if (function == kKnown) {
    llvm::append_range(roots, known.scalars());
    llvm::append_range(roots, known.rows());
  } else {
    roots.push_back(lossOf(objective));
    for (const NamedValue& metric : metricsOf(objective)) roots.push_back(metric.value);
    for (UpdateOp update : updatesOf(objective)) roots.push_back(update.getX());
    for (const NamedValue& cotangent : cotangentsOf(objective)) roots.push_back(cotangent.value);
  }
  for (Value root : roots) need(root, placeOf(root));
  collect(objective);
}

Place LoopPlan::loopOf(Value value) const { return placeOf(value).outer(axesOf(value).size()); }

bool LoopPlan::isGiven(Value value) const { return function == kScalars && known.contains(value); }

Place LoopPlan::computePlace(Operation* op) const {
  Value result = op->getResult(0);
  const unsigned depth = axesOf(result).size();
  if (isLeaf(op) || isGiven(result)) return {};
  Place place;
  for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
    Place ready = placeOf(operand);
    const unsigned operandDepth = axesOf(operand).size();
    if (isReduction(op)) ready = ready.after(operandDepth - 1);
    if (isArrayStep(op)) ready = ready.after(depth - 1);
    if (isGather(op) && index == 0 && !isArgumentArray(operand))
      ready = ready.after(operandDepth - 1);
    place = std::max(place, ready);
  }
  return place;
}

bool LoopPlan::isLight(Value value) {
  auto found = lightness.find(value);
  if (found != lightness.end()) return found->second;
  Operation* op = value.getDefiningOp();
  bool light = !isReduction(op) && !isArrayStep(op) && !isGiven(value);
  if (light && !isLeaf(op) && !isGather(op))
    for (Value operand : op->getOperands())
      light = light && (axesOf(operand).empty() || isLight(operand));
  if (auto gather = dyn_cast<SegmentGatherOp>(op)) light = isLight(gather.getIds());
  return lightness[value] = light;
}

void LoopPlan::need(Value value, const Place& context) {
  if (isGiven(value)) return;
  const unsigned depth = axesOf(value).size();
  Place at = context.outer(depth);
  Operation* op = value.getDefiningOp();
  if (at != loopOf(value) && !isLight(value) &&
      (depth == 1 || isReduction(op) || isArrayStep(op) || slots.contains(value))) {
    keep(value);
    at = loopOf(value);
  }
  if (needed.insert({value, at.key()}).second) needOperands(op, at);
}

void LoopPlan::needOperands(Operation* op, const Place& at) {
  if (isLeaf(op)) return;
  if (isReduction(op)) {
    active.insert(op);
    need(op->getOperand(0), placeOf(op->getOperand(0)));
  } else if (isArrayStep(op)) {
    Value result = op->getResult(0);
    active.insert(op);
    keep(result);
    for (Value operand : op->getOperands()) {
      if (axesOf(operand).size() < axesOf(result).size())
        need(operand, placeOf(result));
      else
        needInMemory(operand);
    }
  } else if (isGather(op)) {
    needInMemory(op->getOperand(0));
    for (Value operand : llvm::drop_begin(op->getOperands())) need(operand, at);
  } else {
    for (Value operand : op->getOperands()) need(operand, at);
  }
}

void LoopPlan::keep(Value value) {
  if (!slots.contains(value)) {
    ArrayRef<Axis> axes = axesOf(value);
    slots.insert({value, Slot{llvm::to_vector<kMaxDepth>(axes), numSlots(axes), false}});
  }
  need(value, placeOf(value));
}

void LoopPlan::needInMemory(Value value) {
  if (!isArgumentArray(value) && !isGiven(value)) keep(value);
}

LoopPlan::Loop& LoopPlan::loopAt(ArrayRef<Axis> axes, const Place& at) {
  for (Loop& loop : loops)
    if (ArrayRef<Axis>(loop.axes) == axes && loop.at == at) return loop;
  loops.push_back(Loop{llvm::to_vector<kMaxDepth>(axes), at, {}, {}, {}});
  return loops.back();
}

void LoopPlan::collect(ObjectiveOp objective) {
  llvm::DenseMap<unsigned, unsigned> ranks;  // by stage of the batch
  for (Operation& op : objective.getBody().front()) {
    if (op.getNumResults() != 1) continue;
    Value result = op.getResult(0);
    ArrayRef<Axis> axes = axesOf(result);
    if (active.contains(&op) && isReduction(&op)) {
      Value operand = op.getOperand(0);
      loopAt(axesOf(operand), loopOf(operand)).reductions.push_back(&op);
      if (sumsOverRanks(&op)) ++ranks[placeOf(operand).stages[0]];
    }
    if (active.contains(&op) && isArrayStep(&op)) {
      ArrayRef<Axis> scope = axes.drop_back();
      Place at = loopOf(result);
      --at.stages[scope.size()];
      steps.push_back(Step{llvm::to_vector<kMaxDepth>(scope), at, &op});
    } else if (slots.contains(result) && !isGiven(result)) {
      loopAt(axes, loopOf(result)).stores.push_back(result);
    }
  }
  for (auto [stage, count] : ranks) rankValues = std::max(rankValues, count + 1);
  if (function != kScalars) return;
  for (auto [index, cotangent] : llvm::enumerate(cotangentsOf(objective)))
    loopAt(axesOf(cotangent.value), loopOf(cotangent.value)).cotangents.push_back(index);
}

const LoopPlan::Loop* LoopPlan::findLoop(ArrayRef<Axis> axes, const Place& at) const {
  for (const Loop& loop : loops)
    if (ArrayRef<Axis>(loop.axes) == axes && loop.at == at.outer(axes.size())) return &loop;
  return nullptr;
}

// True for a loop or step that lies in the loop over `axes` at `at`, or is it.
static bool isInside(ArrayRef<Axis> inner, const Place& place, ArrayRef<Axis> axes,
                     const Place& at) {
  return isPrefix(axes, inner) && place.outer(axes.size()) == at.outer(axes.size());
}

bool LoopPlan::hasWork(ArrayRef<Axis> axes, const Place& at) const {
  return llvm::any_of(loops, [&](const Loop& l) { return isInside(l.axes, l.at, axes, at); }) ||
         llvm::any_of(steps, [&](const Step& s) { return isInside(s.scope, s.at, axes, at); });
}

bool LoopPlan::keepsValues(ArrayRef<Axis> axes, const Place& at) const {
  return llvm::any_of(loops, [&](const Loop& loop) {
    return !loop.stores.empty() && isInside(loop.axes, loop.at, axes, at);
  });
}

unsigned LoopPlan::numStages(ArrayRef<Axis> axes, const Place& at) const {
  unsigned stages = 1;
  for (const Loop& loop : loops) {
    if (!isInside(loop.axes, loop.at, axes, at)) continue;
    if (loop.axes.size() > axes.size()) stages = std::max(stages, loop.at.stages[axes.size()] + 1);
    if (loop.axes.size() == axes.size())
      for (Value value : loop.stores)
        stages = std::max(stages, placeOf(value).stages[axes.size()] + 1);
  }
  for (const Step& step : steps)
    if (isInside(step.scope, step.at, axes, at))
      stages = std::max(stages, step.at.stages[axes.size()] + 1);
  return stages;
}

SmallVector<Operation*> LoopPlan::stepsOf(ArrayRef<Axis> scope, const Place& at) const {
  SmallVector<Operation*> found;
  for (const Step& step : steps)
    if (ArrayRef<Axis>(step.scope) == scope && step.at == at) found.push_back(step.op);
  return found;
}

const Slot* LoopPlan::slotOf(Value value) const {
  auto found = slots.find(value);
  return found == slots.end() ? nullptr : &found->second;
}

unsigned LoopPlan::numSlots(ArrayRef<Axis> axes) const {
  return llvm::count_if(slots, [&](const auto& entry) {
    return !entry.second.isKnown && ArrayRef<Axis>(entry.second.axes) == axes;
  });
}

}  // namespace alidade::pref
