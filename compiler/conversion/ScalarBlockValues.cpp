// Values of points: where they are in memory, and how the rest is computed from them.

#include <cstddef>

#include "compiler/conversion/PointOps.h"
#include "compiler/conversion/ScalarBlockBase.h"
#include "compiler/runtime/abi.h"

using namespace mlir;

namespace alidade::pref {

using arith::CmpFPredicate;

// Operations of one name stand for one thing.
template <typename Op>
static int64_t numberOf(ArrayRef<Op> all, Op op) {
  return llvm::find_if(all, [&](Op other) { return other.getName() == op.getName(); }) -
         all.begin();
}

// What is computed here lies before the loop that is open in the body, so that it is computed once
// and later uses in the body see it too.
Value ScalarBlockBase::inFrame(unsigned depth, llvm::function_ref<Value()> body) {
  if (depth + 1 == frames.size()) return body();
  OpBuilder::InsertionGuard guard(e.builder);
  e.builder.restoreInsertionPoint(frames[depth].inner);
  return body();
}

Value ScalarBlockBase::get(Value value) {
  const unsigned depth = axesOf(value).size();
  if (Value found = frames[depth].values.lookup(value)) return found;
  Value computed = inFrame(depth, [&] { return compute(value); });
  frames[depth].values[value] = computed;
  return computed;
}

Value ScalarBlockBase::compute(Value value) {
  Operation* op = value.getDefiningOp();
  const unsigned depth = axesOf(value).size();
  if (depth == 0 && plan.isGiven(value)) {
    const int64_t index = llvm::find(known.scalars(), value) - known.scalars().begin();
    Value array = field(offsetof(AlidadeScalarArgs, known), e.pointer());
    return e.load(e.f64(), e.address(array, e.index(index), e.f64()), sizeof(double));
  }
  const bool isElsewhere = depth > 0 && (isArrayStep(op) || plan.isGiven(value) ||
                                         plan.loopOf(value) != frames[depth].at);
  if (isElsewhere && plan.slotOf(value)) return loadPoint(arrayOf(value), frames[depth].point);
  if (isGather(op)) return computeGather(op);
  if (isLeaf(op) && !isa<ConstantOp>(op)) return computeLeaf(op);
  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) operands.push_back(get(operand));
  if (isa<UniformOp>(op)) {
    Value point = depth == 0 ? e.index(0) : frames[depth].point;
    return emitUniform(e, operands[0], point);
  }
  if (Value computed = emitPoint(e, op, operands)) return computed;
  hasFailed = true;
  return e.constant(e.f64(), 0.0);  // keeps the rest of the walk sound; emit() reports the failure
}

Value ScalarBlockBase::computeLeaf(Operation* op) {
  Value value = op->getResult(0);
  ArrayRef<Axis> axes = axesOf(value);
  if (isArgumentArray(value))
    return loadPoint(arrayOf(value), axes.empty() ? e.index(0) : frames[axes.size()].point);
  if (auto hyper = dyn_cast<HyperOp>(op)) {
    const int64_t index = numberOf<HyperOp>(hypersOf(objective), hyper);
    return e.extend(
        field(offsetof(AlidadeScalarArgs, hyperparameters) + index * sizeof(float), e.f32()));
  }
  if (auto state = dyn_cast<StateOp>(op)) {
    const int64_t index = numberOf<StateOp>(statesOf(objective), state);
    Value array = field(offsetof(AlidadeScalarArgs, state), e.pointer());
    return e.load(e.f64(), e.address(array, e.index(index), e.f64()), sizeof(double));
  }
  if (auto counting = dyn_cast<CountOp>(op)) {
    SmallVector<Axis, kMaxDepth> counted(axes);
    counted.push_back(counting.getAxis().getValue());
    return e.intToFloat(count(counted), e.f64());
  }
  if (auto pair = dyn_cast<PairIndexOp>(op)) {
    auto [first, second] = pairMembers();
    return e.intToFloat(pair.getSide() == PairSide::First ? first : second, e.f64());
  }
  const Value point = frames[axes.size()].point;
  if (axes.size() == 1) return e.intToFloat(point, e.f64());
  return e.intToFloat(e.sub(point, boundsOf(axes).begin), e.f64());
}

Value ScalarBlockBase::computeGather(Operation* op) {
  const Array array = arrayOf(op->getOperand(0));
  const Bounds source = boundsOf(axesOf(op->getOperand(0)));
  if (auto gather = dyn_cast<PairGatherOp>(op)) {
    auto [first, second] = pairMembers();
    return loadPoint(array,
                     e.add(source.begin, gather.getSide() == PairSide::First ? first : second));
  }
  const Value id = get(cast<SegmentGatherOp>(op).getIds());
  return e.branch(
      isIndex(id, e.sub(source.end, source.begin)), {e.f64()},
      [&]() -> SmallVector<Value> {
        return {loadPoint(array, e.add(source.begin, e.floatToInt(id)))};
      },
      [&]() -> SmallVector<Value> { return {e.constant(e.f64(), 0.0)}; })[0];
}

Value ScalarBlockBase::isIndex(Value id, Value count) {
  Value least = e.compare(CmpFPredicate::OGE, id, e.constant(e.f64(), 0.0));
  Value most = e.compare(CmpFPredicate::OLT, id, e.intToFloat(count, e.f64()));
  return e.bitAnd(least, most);
}

// Pairs are ordered by their first member: K-1 of the first, K-2 of the second, ...
Value ScalarBlockBase::firstPairOf(Value i, Value members) {
  Value twice = e.sub(e.sub(e.shiftLeft(members, 1), i), e.index(1));
  return e.shiftRight(e.mul(i, twice), 1);
}

// The first member of pair q is the largest i with firstPairOf(i) <= q, a root of a quadratic. Its
// discriminant is a square exactly where i begins, so that rounding never moves i for K < 2^25.
std::pair<Value, Value> ScalarBlockBase::pairMembers() {
  constexpr unsigned kPairDepth = 2;
  if (frames[kPairDepth].pairMembers) return *frames[kPairDepth].pairMembers;
  Value second;
  Value first = inFrame(kPairDepth, [&] {
    const Value members = count({Axis::row(), Axis::member()});
    const Value q = e.sub(frames[kPairDepth].point, boundsOf({Axis::row(), Axis::pair()}).begin);
    const Value n = e.intToFloat(e.sub(e.shiftLeft(members, 1), e.index(1)), e.f64());
    const Value eightQ = e.intToFloat(e.shiftLeft(q, 3), e.f64());
    const Value root = e.sqrt(e.sub(e.mul(n, n), eightQ));
    const Value i = e.floatToInt(e.mul(e.sub(n, root), e.constant(e.f64(), 0.5)));
    second = e.add(e.sub(q, firstPairOf(i, members)), e.add(i, e.index(1)));
    return i;
  });
  frames[kPairDepth].pairMembers = {first, second};
  return {first, second};
}

//===--- memory ---===//

Value ScalarBlockBase::field(uint64_t offset, Type type) {
  Value& found = fields[offset];
  if (!found)
    found = inFrame(0, [&] {
      Value address = e.address(arguments, e.index(offset), e.builder.getI8Type());
      return e.load(type, address, type == e.f32() ? sizeof(float) : sizeof(void*));
    });
  return found;
}

ScalarBlockBase::Array ScalarBlockBase::arrayOf(Value value) {
  auto found = arrays.find(value);
  if (found != arrays.end()) return found->second;
  auto argument = [&](uint64_t offset, uint64_t index) {
    return Array{field(offset + index * sizeof(void*), e.pointer()), e.f32()};
  };
  Array array;
  if (const Slot* slot = plan.slotOf(value)) {
    array = {inFrame(0, [&] { return slotBase(*slot); }), e.f64()};
  } else if (auto input = value.getDefiningOp<InputOp>()) {
    array = argument(offsetof(AlidadeScalarArgs, inputs),
                     numberOf<InputOp>(inputsOf(objective), input));
  } else {
    auto read = cast<VocabularyOpInterface>(value.getDefiningOp());
    array = argument(offsetof(AlidadeScalarArgs, reads), readIndexOf(read));
  }
  arrays[value] = array;
  return array;
}

// Scratch memory is [numbers exchanged by ranks], [slots of rows][rows], then for each axis
// [slots][points in these rows]; known memory is [scalars][row values][rows of the batch].
Value ScalarBlockBase::slotBase(const Slot& slot) {
  const Value index = e.index(slot.index);
  if (slot.isKnown) {
    Value start = e.add(e.index(known.scalars().size()), e.mul(index, count({Axis::row()})));
    return e.address(field(offsetof(AlidadeScalarArgs, known), e.pointer()), start, e.f64());
  }
  Value start = e.index(plan.numRankValues());
  SmallVector<Axis, kMaxDepth> axes = {Axis::row()};
  size_t next = 0;
  while (axes != slot.axes) {
    const Bounds bounds = boundsInBatch(axes);
    start = e.add(start, e.mul(e.index(plan.numSlots(axes)), e.sub(bounds.end, bounds.begin)));
    axes = axisList[next++];
  }
  const Bounds bounds = boundsInBatch(axes);
  start = e.add(start, e.mul(index, e.sub(bounds.end, bounds.begin)));
  // Points are numbered in the batch, slots begin with the first row of the call.
  return e.address(field(offsetof(AlidadeScalarArgs, scratch), e.pointer()),
                   e.sub(start, bounds.begin), e.f64());
}

Value ScalarBlockBase::loadPoint(const Array& array, Value index) {
  const unsigned bytes = array.type == e.f32() ? sizeof(float) : sizeof(double);
  Value loaded = e.load(array.type, e.address(array.base, index, array.type), bytes);
  return array.type == e.f32() ? e.extend(loaded) : loaded;
}

//===--- axes ---===//

unsigned ScalarBlockBase::axisIndex(ArrayRef<Axis> axes) {
  return llvm::find_if(axisList, [&](const auto& known) { return ArrayRef<Axis>(known) == axes; }) -
         axisList.begin();
}

Value ScalarBlockBase::offset(unsigned axis, Value parent) {
  Value array = field(offsetof(AlidadeScalarArgs, offsets) + axis * sizeof(int64_t*), e.pointer());
  return e.load(e.i64(), e.address(array, parent, e.i64()), sizeof(int64_t));
}

ScalarBlockBase::Bounds ScalarBlockBase::boundsInBatch(ArrayRef<Axis> axes) {
  if (axes.size() == 1)
    return {field(offsetof(AlidadeScalarArgs, row_begin), e.i64()),
            field(offsetof(AlidadeScalarArgs, row_end), e.i64())};
  const unsigned axis = axisIndex(axes);
  auto found = batchBounds.find(axis);
  if (found != batchBounds.end()) return found->second;
  Bounds bounds;
  inFrame(0, [&] {
    const Bounds parents = boundsInBatch(axes.drop_back());
    bounds.begin = offset(axis, parents.begin);
    return bounds.end = offset(axis, parents.end);
  });
  return batchBounds[axis] = bounds;
}

ScalarBlockBase::Bounds ScalarBlockBase::boundsOf(ArrayRef<Axis> axes) {
  if (axes.size() == 1) return boundsInBatch(axes);
  const unsigned parent = axes.size() - 1, axis = axisIndex(axes);
  auto found = frames[parent].bounds.find(axis);
  if (found != frames[parent].bounds.end()) return found->second;
  Bounds bounds;
  inFrame(parent, [&] {
    const Value point = frames[parent].point;
    bounds.begin = offset(axis, point);
    return bounds.end = offset(axis, e.add(point, e.index(1)));
  });
  return frames[parent].bounds[axis] = bounds;
}

Value ScalarBlockBase::count(ArrayRef<Axis> axes) {
  if (axes.size() == 1) return field(offsetof(AlidadeScalarArgs, num_rows), e.i64());
  const Bounds bounds = boundsOf(axes);
  return inFrame(axes.size() - 1, [&] { return e.sub(bounds.end, bounds.begin); });
}

}  // namespace alidade::pref
