// Which loop computes which value of a differentiated objective.
//
// A value over [row] or [row, token] is computed inside a loop over rows. A reduction over rows
// splits that loop: what depends on its result belongs to a later one. The loops over rows are
// numbered; a value's *phase* is the number of the loop that computes it (for a [] value: the loop
// before which it is ready). Inside a row, reductions over tokens split the token loops in the same
// way: a value's *level* counts the token reductions of its own phase it waits for.
//
//   LoopPlan plan(objective);
//   for (unsigned phase = 0; phase < plan.numPhases(); ++phase) ... plan.phaseOf(value) == phase
//   ...
//
// A [row] value that a later phase needs is kept in scratch memory, in the slot that slotOf names.
// Token values are never kept: they are a few operations away from the reads and are computed again
// in every loop that needs them.

#ifndef ALIDADE_COMPILER_CONVERSION_LOOPPLAN_H_
#define ALIDADE_COMPILER_CONVERSION_LOOPPLAN_H_

#include <optional>

#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace alidade::pref {

class LoopPlan {
 public:
  explicit LoopPlan(ObjectiveOp objective);

  // Phases 0 .. numPhases() - 1; the last may have [] values only.
  unsigned numPhases() const { return phases; }
  // Levels of token loops in a phase, at least 1.
  unsigned numLevels(unsigned phase) const;

  unsigned phaseOf(mlir::Value value) const { return places.lookup(value).phase; }
  // Level at which `value` is ready inside `phase`; 0 for what an earlier phase or the function
  // computes.
  unsigned levelIn(mlir::Value value, unsigned phase) const;

  // Scratch slot of a [row] value that a later phase needs.
  std::optional<unsigned> slotOf(mlir::Value value) const;
  unsigned numSlots() const { return slots.size(); }
  // Values with a slot that the loop of `phase` needs and an earlier one computed.
  llvm::SmallVector<mlir::Value> loadedIn(unsigned phase) const;

 private:
  struct Place {
    unsigned phase = 0;
    unsigned level = 0;
  };

  void place(mlir::Operation* op);
  // Marks the [row] values that computing `value` inside `phase` takes from earlier phases.
  void require(mlir::Value value, unsigned phase);

  unsigned phases = 1;
  llvm::DenseMap<mlir::Value, Place> places;
  llvm::MapVector<mlir::Value, unsigned> slots;
  llvm::DenseSet<std::pair<mlir::Value, unsigned>> required;
};

// True for a sum or mean whose operand has exactly the axes [row].
bool isRowReduction(mlir::Operation* op);
// True for a sum or mean whose operand has the axes [row, token].
bool isTokenReduction(mlir::Operation* op);
// The response role of a [row, token] value.
ResponseRole tokenRoleOf(mlir::Value value);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_CONVERSION_LOOPPLAN_H_
