// Which loop computes which value of a differentiated objective.
//
// The points of values form a tree: the batch, its rows, in a row its tokens, segments, members and
// pairs, in a member its tokens. A *scope* is a point that others lie under: the batch, a row, a
// member. The body of a scope is a sequence of *stages*. A stage first computes values of the scope
// itself, then loops over the points of each child axis, then runs *array steps*: operations
// that see all points of a child axis at once, such as a sort. What combines the points of a child
// axis (a reduction, an array step) is therefore ready one stage after its operands.
//
// A value's *place* is the stage that computes it in each scope around it, from the batch inwards.
// A [row, token(R)] value of place (1, 2) is computed in stage 1 of the batch, there in stage 2 of
// every row, once per token. Values of one loop that have the same place share the loop.
//
//   LoopPlan plan(objective, known, LoopPlan::kScalars);
//   plan.placeOf(value), plan.findLoop(axes, place), plan.slotOf(value), ...
//
// A value is in registers in the loop that computes it. Another loop that needs it takes it from
// memory, a slot with a number per point, if it is expensive: a [row] value, a reduction, the
// result of an array step. Anything else is a few operations away from such values and from the
// inputs and is computed again.

#ifndef ALIDADE_COMPILER_CONVERSION_LOOPPLAN_H_
#define ALIDADE_COMPILER_CONVERSION_LOOPPLAN_H_

#include <array>
#include <vector>

#include "compiler/conversion/KnownValues.h"
#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"

namespace alidade::pref {

// Axes of the deepest value: [row, member, token(member)].
inline constexpr unsigned kMaxDepth = 3;

struct Place {
  std::array<unsigned, kMaxDepth + 1> stages = {};

  // The place of the scope at `depth` around it: the first `depth` numbers, then zeros.
  Place outer(unsigned depth) const;
  // The next stage of the scope at `depth`.
  Place after(unsigned depth) const;

  bool operator==(const Place& other) const { return stages == other.stages; }
  bool operator!=(const Place& other) const { return stages != other.stages; }
  bool operator<(const Place& other) const { return stages < other.stages; }
  uint64_t key() const;
};

// A number per point of an axis, in AlidadeScalarArgs::scratch or ::known.
struct Slot {
  llvm::SmallVector<Axis, kMaxDepth> axes;
  unsigned index = 0;  // among the slots of the axis
  bool isKnown = false;
};

class LoopPlan {
 public:
  enum Function {
    kKnown,    // computes the known values
    kScalars,  // takes them as given and computes loss, metrics, states and cotangents
  };

  // The loop over the points of `axes` at a place (of which the first axes.size() numbers count).
  struct Loop {
    llvm::SmallVector<Axis, kMaxDepth> axes;
    Place at;
    llvm::SmallVector<mlir::Operation*> reductions;  // whose operands are values of the points
    llvm::SmallVector<mlir::Value> stores;           // values of the points with a slot
    llvm::SmallVector<unsigned> cotangents;          // to write out: index into cotangentsOf
  };
  // An array step over the points of a child axis of `scope`; at.stages[scope.size()] is its stage.
  struct Step {
    llvm::SmallVector<Axis, kMaxDepth> scope;
    Place at;
    mlir::Operation* op;
  };

  LoopPlan(ObjectiveOp objective, const KnownValues& known, Function function);

  Place placeOf(mlir::Value value) const { return places.lookup(value); }
  // The place of the loop that computes the value.
  Place loopOf(mlir::Value value) const;

  // Null where no such loop has work of its own.
  const Loop* findLoop(llvm::ArrayRef<Axis> axes, const Place& at) const;
  // True when that loop, or one inside, has work.
  bool hasWork(llvm::ArrayRef<Axis> axes, const Place& at) const;
  // True when that loop, or one inside, stores values.
  bool keepsValues(llvm::ArrayRef<Axis> axes, const Place& at) const;
  // Stages in the body of that loop.
  unsigned numStages(llvm::ArrayRef<Axis> axes, const Place& at) const;
  // Array steps of one stage; at.stages[scope.size()] is the stage.
  llvm::SmallVector<mlir::Operation*> stepsOf(llvm::ArrayRef<Axis> scope, const Place& at) const;

  // Null for a value that is never kept.
  const Slot* slotOf(mlir::Value value) const;
  // Slots in scratch memory of an axis, of rows for [row].
  unsigned numSlots(llvm::ArrayRef<Axis> axes) const;
  // Numbers that sums over ranks exchange at once, at most.
  unsigned numRankValues() const { return rankValues; }
  // True when the value is taken from AlidadeScalarArgs::known.
  bool isGiven(mlir::Value value) const;

 private:
  const KnownValues& known;
  const Function function;
  llvm::DenseMap<mlir::Value, Place> places;
  llvm::DenseMap<mlir::Value, bool> lightness;
  llvm::MapVector<mlir::Value, Slot> slots;
  llvm::DenseSet<std::pair<mlir::Value, uint64_t>> needed;
  llvm::DenseSet<mlir::Operation*> active;  // reductions and array steps that something needs
  std::vector<Loop> loops;
  std::vector<Step> steps;
  unsigned rankValues = 0;

  Place computePlace(mlir::Operation* op) const;
  // True when the value follows from inputs and [] values point by point.
  bool isLight(mlir::Value value);
  // Notes that the loop at `context` needs the value.
  void need(mlir::Value value, const Place& context);
  void needOperands(mlir::Operation* op, const Place& at);
  // Gives the value a slot; needElsewhere also where its points can be loaded from the arguments.
  void keep(mlir::Value value);
  void needInMemory(mlir::Value value);
  Loop& loopAt(llvm::ArrayRef<Axis> axes, const Place& at);
  void collect(ObjectiveOp objective);
};

// Sum, mean or maximum over the innermost axis.
bool isReduction(mlir::Operation* op);
// A sum or mean over the rows of all ranks.
bool sumsOverRanks(mlir::Operation* op);
// Computed for all points of an axis at once, from and to memory.
bool isArrayStep(mlir::Operation* op);
// A value of each point found at a point of another axis of the same row.
bool isGather(mlir::Operation* op);
// Found in the arguments or in the position of the point; has no operands to compute first.
bool isLeaf(mlir::Operation* op);
// A leaf whose points are an array of the arguments.
bool isArgumentArray(mlir::Value value);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_CONVERSION_LOOPPLAN_H_
