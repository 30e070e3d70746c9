#include "compiler/conversion/ScalarBlockBase.h"

#include <cstddef>

#include "compiler/conversion/PointOps.h"
#include "compiler/runtime/abi.h"

using namespace mlir;

namespace alidade::pref {
namespace {

constexpr unsigned kPointerBytes = 8;

}  // namespace

ScratchSize ScalarBlockBase::scratchSize() const { return {.perRow = plan.numSlots()}; }

LogicalResult ScalarBlockBase::emit() {
  if (!isDifferentiated(objective))
    return objective.emitError("the scalar block needs cotangents: run pref-differentiate first");
  loadArguments();
  for (unsigned phase = 0; phase < plan.numPhases(); ++phase) {
    emitScalars(phase);
    if (rowLoopNeeded(phase)) emitRows(phase);
  }
  emitResults();
  return failure(hasFailed);
}

Value ScalarBlockBase::loadField(unsigned offset, Type type) {
  Value address = e.address(arguments, e.index(offset), e.builder.getI8Type());
  return e.load(type, address, kPointerBytes);
}

void ScalarBlockBase::loadArguments() {
  auto loadArray = [&](unsigned offset, size_t size) {
    SmallVector<Value> pointers;
    for (size_t i = 0; i < size; ++i)
      pointers.push_back(loadField(offset + i * kPointerBytes, e.pointer()));
    return pointers;
  };
  reads = loadArray(offsetof(AlidadeScalarArgs, reads), readsOf(objective).size());
  offsets = loadArray(offsetof(AlidadeScalarArgs, offsets), responsesOf(objective).size());
  cotangents = loadArray(offsetof(AlidadeScalarArgs, cotangents), cotangentsOf(objective).size());
  hyperparameters = e.address(arguments, e.index(offsetof(AlidadeScalarArgs, hyperparameters)),
                              e.builder.getI8Type());
  results = loadField(offsetof(AlidadeScalarArgs, results), e.pointer());
  rowBegin = loadField(offsetof(AlidadeScalarArgs, row_begin), e.i64());
  rowEnd = loadField(offsetof(AlidadeScalarArgs, row_end), e.i64());
  rowCount = loadField(offsetof(AlidadeScalarArgs, num_rows), e.i64());
  scratch = loadField(offsetof(AlidadeScalarArgs, scratch), e.pointer());
}

// Scratch is [rows of this call][slots].
Value ScalarBlockBase::slotAddress(Value value) {
  Value first = e.mul(e.sub(row, rowBegin), e.index(plan.numSlots()));
  return e.address(scratch, e.add(first, e.index(*plan.slotOf(value))), e.f64());
}

bool ScalarBlockBase::rowLoopNeeded(unsigned phase) {
  for (Operation& op : objective.getBody().front()) {
    if (op.getNumResults() != 1) continue;
    Value result = op.getResult(0);
    if (isRowReduction(&op) && plan.phaseOf(result) == phase + 1) return true;
    if (plan.slotOf(result) && plan.phaseOf(result) == phase) return true;
  }
  return llvm::any_of(cotangentsOf(objective), [&](const NamedValue& cotangent) {
    return plan.phaseOf(cotangent.value) == phase;
  });
}

void ScalarBlockBase::emitScalars(unsigned phase) {
  for (Operation& op : objective.getBody().front()) {
    if (op.getNumResults() != 1 || isRowReduction(&op)) continue;
    Value result = op.getResult(0);
    if (axesOf(result).empty() && plan.phaseOf(result) == phase) scalars[result] = compute(&op);
  }
}

void ScalarBlockBase::emitRows(unsigned phase) {
  SmallVector<Operation*> reductions;
  for (Operation& op : objective.getBody().front())
    if (isRowReduction(&op) && plan.phaseOf(op.getResult(0)) == phase + 1)
      reductions.push_back(&op);
  SmallVector<Value> sums(reductions.size(), e.constant(e.f64(), 0.0));
  Range range = rowsOf(rowBegin, rowEnd);
  sums = e.loop(range.begin, range.end, range.step, sums, [&](Value index, ValueRange partial) {
    row = index;
    rowValues.clear();
    emitRow(phase);
    SmallVector<Value> next;
    for (auto [reduction, sum] : llvm::zip_equal(reductions, partial))
      next.push_back(e.add(sum, get(reduction->getOperand(0))));
    return next;
  });
  for (auto [reduction, sum] : llvm::zip_equal(reductions, sums)) {
    Value total = joinRows(sum);
    scalars[reduction->getResult(0)] =
        isa<MeanOp>(reduction) ? divideByCount(total, rowCount) : total;
  }
}

void ScalarBlockBase::emitRow(unsigned phase) {
  for (Value value : plan.loadedIn(phase))
    rowValues[value] = e.load(e.f64(), slotAddress(value), sizeof(double));
  for (unsigned level = 0; level < plan.numLevels(phase); ++level) emitLevel(phase, level);
  for (Operation& op : objective.getBody().front()) {
    if (op.getNumResults() != 1) continue;
    Value value = op.getResult(0);
    if (!plan.slotOf(value) || plan.phaseOf(value) != phase) continue;
    oncePerRow([&] { e.store(get(value), slotAddress(value), sizeof(double)); });
  }
}

void ScalarBlockBase::emitLevel(unsigned phase, unsigned level) {
  for (Operation& op : objective.getBody().front()) {
    if (op.getNumResults() != 1 || isTokenReduction(&op)) continue;
    Value result = op.getResult(0);
    if (axesOf(result).size() != 1 || plan.phaseOf(result) != phase ||
        plan.levelIn(result, phase) != level)
      continue;
    rowValues[result] = compute(&op);
  }
  for (ResponseRole role : responsesOf(objective)) emitTokens(phase, level, role);
}

void ScalarBlockBase::emitTokens(unsigned phase, unsigned level, ResponseRole role) {
  SmallVector<Operation*> reductions;
  for (Operation& op : objective.getBody().front()) {
    if (!isTokenReduction(&op) || tokenRoleOf(op.getOperand(0)) != role) continue;
    if (plan.phaseOf(op.getResult(0)) == phase && plan.levelIn(op.getOperand(0), phase) == level)
      reductions.push_back(&op);
  }
  SmallVector<std::pair<Value, Value>> writes;  // cotangent, destination
  for (auto [cotangent, destination] : llvm::zip_equal(cotangentsOf(objective), cotangents)) {
    if (tokenRoleOf(cotangent.value) != role || plan.phaseOf(cotangent.value) != phase) continue;
    if (plan.levelIn(cotangent.value, phase) == level)
      writes.emplace_back(cotangent.value, destination);
  }
  if (reductions.empty() && writes.empty()) return;

  Range range = tokensOf(tokenBound(role, row), tokenBound(role, e.add(row, e.index(1))));
  SmallVector<Value> sums(reductions.size(), e.constant(e.f64(), 0.0));
  sums = e.loop(range.begin, range.end, range.step, sums, [&](Value index, ValueRange partial) {
    token = index;
    tokenValues.clear();
    SmallVector<Value> next;
    for (auto [reduction, sum] : llvm::zip_equal(reductions, partial))
      next.push_back(e.add(sum, get(reduction->getOperand(0))));
    for (auto [value, destination] : writes) {
      Value single = e.truncate(get(value));
      e.branch(e.isSet(destination), {}, [&, destination = destination]() -> SmallVector<Value> {
        e.store(single, e.address(destination, token, e.f32()), sizeof(float));
        return {};
      });
    }
    return next;
  });
  for (auto [reduction, sum] : llvm::zip_equal(reductions, sums)) {
    Value total = joinTokens(sum);
    rowValues[reduction->getResult(0)] =
        isa<MeanOp>(reduction) ? divideByCount(total, tokenCount(role)) : total;
  }
}

void ScalarBlockBase::emitResults() {
  once([&] {
    unsigned index = 0;
    auto write = [&](Value value) {
      e.store(e.truncate(get(value)), e.address(results, e.index(index++), e.f32()), sizeof(float));
    };
    write(lossOf(objective));
    for (const NamedValue& metric : metricsOf(objective)) write(metric.value);
  });
}

Value ScalarBlockBase::tokenBound(ResponseRole role, Value index) {
  return e.load(e.i64(), e.address(offsets[roleIndex(role)], index, e.i64()), sizeof(int64_t));
}

Value ScalarBlockBase::tokenCount(ResponseRole role) {
  return e.sub(tokenBound(role, e.add(row, e.index(1))), tokenBound(role, row));
}

Value ScalarBlockBase::divideByCount(Value sum, Value count) {
  Value atLeastOne = arith::MaxSIOp::create(e.builder, e.loc, count, e.index(1));
  return e.div(sum, e.intToFloat(atLeastOne, e.f64()));
}

Value ScalarBlockBase::get(Value value) {
  switch (axesOf(value).size()) {
    case 0:
      return scalars.lookup(value);
    case 1:
      return rowValues.lookup(value);
    default:
      break;
  }
  if (Value known = tokenValues.lookup(value)) return known;
  Value computed = compute(value.getDefiningOp());
  tokenValues[value] = computed;
  return computed;
}

Value ScalarBlockBase::compute(Operation* op) {
  if (isa<HyperOp, LogProbOp, CountOp>(op)) return computeLeaf(op);
  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) operands.push_back(get(operand));
  if (Value value = emitPoint(e, op, operands)) return value;
  hasFailed = true;
  return e.constant(e.f64(), 0.0);  // keeps the rest of the walk sound; emit() reports the failure
}

Value ScalarBlockBase::computeLeaf(Operation* op) {
  auto loadFloat = [&](Value array, Value index) {
    return e.extend(e.load(e.f32(), e.address(array, index, e.f32()), sizeof(float)));
  };
  if (auto read = dyn_cast<LogProbOp>(op)) return loadFloat(reads[readIndexOf(read)], token);
  if (auto count = dyn_cast<CountOp>(op)) {
    Value length = axesOf(count.getResult()).empty()
                       ? rowCount
                       : tokenCount(count.getAxis().getValue().getResponse());
    return e.intToFloat(length, e.f64());
  }
  SmallVector<HyperOp> hypers = hypersOf(objective);
  int64_t index = std::distance(hypers.begin(), llvm::find(hypers, cast<HyperOp>(op)));
  return loadFloat(hyperparameters, e.index(index));
}

unsigned ScalarBlockBase::roleIndex(ResponseRole role) {
  SmallVector<ResponseRole> roles = responsesOf(objective);
  return std::distance(roles.begin(), llvm::find(roles, role));
}

}  // namespace alidade::pref
