#include "compiler/conversion/ScalarBlockBase.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "compiler/runtime/abi.h"

using namespace mlir;

namespace alidade::pref {
namespace {

// The points of a row or member are computed by the whole team of the row, one after another.
bool isSharedByTeam(ArrayRef<Axis> axes) { return axes.back().isRow() || axes.back().isMember(); }

SmallVector<SmallVector<Axis, kMaxDepth>> pathsOf(ObjectiveOp objective) {
  SmallVector<SmallVector<Axis, kMaxDepth>> paths;
  for (Axis axis : axesOf(objective)) paths.push_back(pathOf(axis));
  return paths;
}

// The verifier refuses an objective that has more.
static_assert(kMaxReads == ALIDADE_MAX_READS && kMaxAxes == ALIDADE_MAX_AXES &&
              kMaxInputs == ALIDADE_MAX_INPUTS &&
              kMaxHyperparameters == ALIDADE_MAX_HYPERPARAMETERS);

}  // namespace

ScalarBlockBase::ScalarBlockBase(Emitter& e, ObjectiveOp objective, const KnownValues& known,
                                 LoopPlan::Function function, Value arguments)
    : e(e),
      objective(objective),
      known(known),
      function(function),
      arguments(arguments),
      plan(objective, known, function),
      axisList(pathsOf(objective)) {
  frames.emplace_back();
}

ScratchSize ScalarBlockBase::scratchSize() const {
  ScratchSize size;
  size.fixed = plan.numRankValues();
  size.perRow = plan.numSlots({Axis::row()});
  for (const auto& axes : axisList) size.perAxis.push_back(plan.numSlots(axes));
  return size;
}

LogicalResult ScalarBlockBase::emit() {
  if (!isDifferentiated(objective))
    return objective.emitError("the scalar block needs cotangents: run pref-differentiate first");
  emitScope({}, {});
  emitResults();
  return failure(hasFailed);
}

SmallVector<SmallVector<Axis, kMaxDepth>> ScalarBlockBase::childrenOf(ArrayRef<Axis> axes) {
  if (axes.empty()) return {{Axis::row()}};
  SmallVector<SmallVector<Axis, kMaxDepth>> children;
  for (const auto& child : axisList)
    if (ArrayRef<Axis>(child).drop_back() == axes) children.push_back(child);
  return children;
}

void ScalarBlockBase::emitScope(ArrayRef<Axis> axes, Place at) {
  const LoopPlan::Loop* own = axes.empty() ? nullptr : plan.findLoop(axes, at);
  const unsigned stages = plan.numStages(axes, at);
  for (unsigned stage = 0; stage < stages; ++stage) {
    at.stages[axes.size()] = stage;
    if (own) emitStores(*own, stage);
    for (const auto& child : childrenOf(axes))
      if (plan.hasWork(child, at)) emitLoop(child, at);
    SmallVector<Operation*> steps = plan.stepsOf(axes, at);
    for (Operation* op : steps) emitStep(op);
    if (!steps.empty()) synchronize(axes.empty() ? Sharing::kBatchPoints : Sharing::kRowPoints);
  }
}

void ScalarBlockBase::emitLoop(ArrayRef<Axis> axes, const Place& at) {
  const LoopPlan::Loop none{};
  const LoopPlan::Loop* found = plan.findLoop(axes, at);
  const LoopPlan::Loop& loop = found ? *found : none;
  SmallVector<Value> partials;
  for (Operation* op : loop.reductions)
    partials.push_back(
        e.constant(e.f64(), isa<ReduceMaxOp>(op) ? -std::numeric_limits<double>::infinity() : 0.0));
  const Bounds bounds = boundsOf(axes);
  Range range = {bounds.begin, bounds.end, e.index(1)};
  if (!axes.back().isMember())
    range =
        shareOf(axes.size() == 1 ? Sharing::kRows : Sharing::kRowPoints, bounds.begin, bounds.end);

  frames.back().inner = e.builder.saveInsertionPoint();
  partials =
      e.loop(range.begin, range.end, range.step, partials, [&](Value index, ValueRange sums) {
        Frame& frame = frames.emplace_back();
        frame.axes = llvm::to_vector<kMaxDepth>(axes);
        frame.at = at.outer(axes.size());
        frame.point = index;
        emitScope(axes, at);
        SmallVector<Value> next;
        for (auto [op, sum] : llvm::zip_equal(loop.reductions, sums)) {
          Value value = get(op->getOperand(0));
          next.push_back(isa<ReduceMaxOp>(op) ? e.greater(value, sum) : e.add(sum, value));
        }
        emitCotangents(loop);
        frames.pop_back();
        return next;
      });
  finishReductions(loop, partials);
  if (axes.size() == 1)
    synchronize(Sharing::kRows);
  else if (plan.keepsValues(axes, at))
    synchronize(Sharing::kRowPoints);
}

void ScalarBlockBase::finishReductions(const LoopPlan::Loop& loop, ArrayRef<Value> partials) {
  SmallVector<Value> totals(partials);
  SmallVector<Value> counts(partials.size());
  SmallVector<Value> exchanged;
  bool exchanges = false;
  for (auto [index, op] : llvm::enumerate(loop.reductions)) {
    auto combine = [&, op = op](Value a, Value b) {
      return isa<ReduceMaxOp>(op) ? e.greater(a, b) : e.add(a, b);
    };
    if (!loop.axes.back().isMember())
      totals[index] = join(loop.axes.size() == 1 ? Sharing::kRows : Sharing::kRowPoints,
                           totals[index], combine);
    counts[index] = e.intToFloat(count(loop.axes), e.f64());
    exchanges |= sumsOverRanks(op);
    if (sumsOverRanks(op)) exchanged.push_back(totals[index]);
  }
  Value rowsOfRanks;
  if (exchanges) {
    exchanged.push_back(e.intToFloat(count({Axis::row()}), e.f64()));
    exchanged = sumOverRanks(exchanged);
    rowsOfRanks = exchanged.pop_back_val();
  }
  ArrayRef<Value> sums = exchanged;
  for (auto [index, op] : llvm::enumerate(loop.reductions)) {
    if (sumsOverRanks(op)) {
      totals[index] = sums.front();
      sums = sums.drop_front();
      counts[index] = rowsOfRanks;
    }
    if (isa<MeanOp>(op))
      totals[index] = e.div(totals[index], e.greater(counts[index], e.constant(e.f64(), 1.0)));
    frames.back().values[op->getResult(0)] = totals[index];
  }
}

void ScalarBlockBase::emitStores(const LoopPlan::Loop& loop, unsigned stage) {
  for (Value value : loop.stores) {
    if (plan.placeOf(value).stages[loop.axes.size()] != stage) continue;
    const Array array = arrayOf(value);
    const Value number = get(value), point = frames.back().point;
    auto write = [&] { e.store(number, e.address(array.base, point, e.f64()), sizeof(double)); };
    if (isSharedByTeam(loop.axes))
      oncePerRow(write);
    else
      write();
  }
}

void ScalarBlockBase::emitCotangents(const LoopPlan::Loop& loop) {
  SmallVector<NamedValue> cotangents = cotangentsOf(objective);
  for (unsigned index : loop.cotangents) {
    const Value destination =
        field(offsetof(AlidadeScalarArgs, cotangents) + index * sizeof(float*), e.pointer());
    const Value single = e.truncate(get(cotangents[index].value)), point = frames.back().point;
    e.branch(e.isSet(destination), {}, [&]() -> SmallVector<Value> {
      e.store(single, e.address(destination, point, e.f32()), sizeof(float));
      return {};
    });
  }
}

void ScalarBlockBase::emitResults() {
  SmallVector<std::pair<Value, Value>> writes;  // number, address
  auto write = [&](Value number, uint64_t array, Type type, int64_t index) {
    Value base = field(array, e.pointer());
    writes.emplace_back(number, e.address(base, e.index(index), type));
  };
  if (function == LoopPlan::kKnown) {
    for (auto [index, value] : llvm::enumerate(known.scalars()))
      write(get(value), offsetof(AlidadeScalarArgs, known), e.f64(), index);
  } else {
    int64_t index = 0;
    auto writeResult = [&](Value value) {
      write(e.truncate(get(value)), offsetof(AlidadeScalarArgs, results), e.f32(), index++);
    };
    writeResult(lossOf(objective));
    for (const NamedValue& metric : metricsOf(objective)) writeResult(metric.value);
  }
  once([&] {
    for (auto [number, address] : writes)
      e.store(number, address, number.getType() == e.f32() ? sizeof(float) : sizeof(double));
  });
  if (function == LoopPlan::kScalars) emitStates();
}

void ScalarBlockBase::emitStates() {
  SmallVector<UpdateOp> updates = updatesOf(objective);
  if (updates.empty()) return;
  SmallVector<Value> numbers;
  for (UpdateOp update : updates) numbers.push_back(get(update.getX()));
  const Value states = field(offsetof(AlidadeScalarArgs, new_state), e.pointer());
  once([&] {
    e.branch(e.isSet(states), {}, [&]() -> SmallVector<Value> {
      for (auto [index, number] : llvm::enumerate(numbers))
        e.store(number, e.address(states, e.index(index), e.f64()), sizeof(double));
      return {};
    });
  });
}

FailureOr<ScalarBlockSizes> buildBoth(ObjectiveOp objective, BuildFunction build) {
  const KnownValues known(objective);
  ScalarBlockSizes sizes;
  FailureOr<ScratchSize> scalars = build("alidade_scalars", known, LoopPlan::kScalars);
  if (failed(scalars)) return failure();
  sizes.scratch = *scalars;
  if (known.empty()) return sizes;
  FailureOr<ScratchSize> own = build("alidade_known", known, LoopPlan::kKnown);
  if (failed(own)) return failure();
  sizes.scratch.fixed = std::max(scalars->fixed, own->fixed);
  sizes.scratch.perRow = std::max(scalars->perRow, own->perRow);
  for (auto [size, other] : llvm::zip_equal(sizes.scratch.perAxis, own->perAxis))
    size = std::max(size, other);
  sizes.known.fixed = known.scalars().size();
  sizes.known.perRow = known.rows().size();
  sizes.hasKnown = true;
  return sizes;
}

}  // namespace alidade::pref
