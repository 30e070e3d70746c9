#include "compiler/conversion/LoopPlan.h"

#include <algorithm>

using namespace mlir;

namespace alidade::pref {

bool isRowReduction(Operation* op) {
  return isa<SumOp, MeanOp>(op) && axesOf(op->getOperand(0)).size() == 1;
}

bool isTokenReduction(Operation* op) {
  return isa<SumOp, MeanOp>(op) && axesOf(op->getOperand(0)).size() == 2;
}

ResponseRole tokenRoleOf(Value value) { return axesOf(value).back().getResponse(); }

LoopPlan::LoopPlan(ObjectiveOp objective) {
  for (Operation& op : objective.getBody().front()) place(&op);
  // Roots of each row loop: what it reduces, keeps, or writes out. Everything else is reached from
  // them.
  for (Operation& op : objective.getBody().front()) {
    if (op.getNumResults() != 1) continue;
    Value result = op.getResult(0);
    if (isRowReduction(&op)) {
      require(op.getOperand(0), phaseOf(result) - 1);
    } else if (axesOf(result).size() == 1) {
      for (Value operand : op.getOperands()) require(operand, phaseOf(result));
    }
  }
  for (const NamedValue& cotangent : cotangentsOf(objective))
    require(cotangent.value, phaseOf(cotangent.value));
}

void LoopPlan::place(Operation* op) {
  if (op->getNumResults() != 1) return;
  Place result;
  for (Value operand : op->getOperands())
    result.phase = std::max(result.phase, places.lookup(operand).phase);
  for (Value operand : op->getOperands())
    result.level = std::max(result.level, levelIn(operand, result.phase));
  if (isTokenReduction(op)) ++result.level;
  if (isRowReduction(op)) ++result.phase;
  if (axesOf(op->getResult(0)).empty()) result.level = 0;
  places[op->getResult(0)] = result;
  phases = std::max(phases, result.phase + 1);
}

unsigned LoopPlan::numLevels(unsigned phase) const {
  unsigned levels = 1;
  for (const auto& [value, place] : places)
    if (place.phase == phase) levels = std::max(levels, place.level + 1);
  return levels;
}

unsigned LoopPlan::levelIn(Value value, unsigned phase) const {
  Place found = places.lookup(value);
  return found.phase == phase ? found.level : 0;
}

void LoopPlan::require(Value value, unsigned phase) {
  ArrayRef<Axis> axes = axesOf(value);
  if (axes.empty()) return;
  if (axes.size() == 1 && phaseOf(value) == phase) return;
  if (!required.insert({value, phase}).second) return;
  if (axes.size() == 1) {
    slots.insert({value, slots.size()});
    return;
  }
  for (Value operand : value.getDefiningOp()->getOperands()) require(operand, phase);
}

std::optional<unsigned> LoopPlan::slotOf(Value value) const {
  auto found = slots.find(value);
  if (found == slots.end()) return std::nullopt;
  return found->second;
}

SmallVector<Value> LoopPlan::loadedIn(unsigned phase) const {
  SmallVector<Value> values;
  for (const auto& [value, slot] : slots)
    if (required.contains({value, phase})) values.push_back(value);
  return values;
}

}  // namespace alidade::pref
