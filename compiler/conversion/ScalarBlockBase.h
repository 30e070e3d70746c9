// The walk over a LoopPlan that the CPU and the GPU scalar block share. What differs is who
// computes which point, and how partial results of several threads meet.

#ifndef ALIDADE_COMPILER_CONVERSION_SCALARBLOCKBASE_H_
#define ALIDADE_COMPILER_CONVERSION_SCALARBLOCKBASE_H_

#include <map>
#include <vector>

#include "compiler/conversion/Emitter.h"
#include "compiler/conversion/LoopPlan.h"
#include "compiler/conversion/ScalarBlock.h"

namespace alidade::pref {

class ScalarBlockBase {
 public:
  // `arguments` is the address of an AlidadeScalarArgs.
  ScalarBlockBase(Emitter& e, ObjectiveOp objective, const KnownValues& known,
                  LoopPlan::Function function, mlir::Value arguments);
  virtual ~ScalarBlockBase() = default;

  // Emits the whole body at the emitter's insertion point, without a terminator.
  mlir::LogicalResult emit();
  ScratchSize scratchSize() const;

 protected:
  struct Range {
    mlir::Value begin, end, step;
  };
  using Combine = llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)>;
  using Load = llvm::function_ref<mlir::Value(mlir::Value index)>;
  using Store = llvm::function_ref<void(mlir::Value value, mlir::Value index)>;
  // Who shares the points of a loop: all threads of the function share the rows and the points of
  // array steps over rows, one team of them shares what lies in a row.
  enum class Sharing { kRows, kBatchPoints, kRowPoints };

  // The points that this thread takes of all.
  virtual Range shareOf(Sharing sharing, mlir::Value begin, mlir::Value end) = 0;
  // Combines the partial results of the threads that share the points; all of them see the result.
  virtual mlir::Value join(Sharing sharing, mlir::Value partial, Combine combine) = 0;
  // Lets these threads see what each of them stored.
  virtual void synchronize(Sharing sharing) = 0;
  // Runs `body` in the thread that writes results, or in one thread of the team of a row.
  virtual void once(llvm::function_ref<void()> body) = 0;
  virtual void oncePerRow(llvm::function_ref<void()> body) = 0;
  // y_i = x_i + decay * y_(i-1), in the other direction with `reverse`, by the team of a row.
  virtual void scan(mlir::Value begin, mlir::Value end, mlir::Value decay, bool reverse, Load load,
                    Store store) = 0;
  // Sums over ranks, where the target can.
  virtual llvm::SmallVector<mlir::Value> sumOverRanks(llvm::ArrayRef<mlir::Value> values) = 0;
  // One thread does everything, so that it may write where another would too.
  virtual bool isAlone() const = 0;

  // A field of the arguments, loaded at the beginning of the function.
  mlir::Value field(uint64_t offset, mlir::Type type);

  Emitter& e;

 private:
  // Where the points of a value are in memory.
  struct Array {
    mlir::Value base;
    mlir::Type type;  // f32 in the arguments, f64 in slots
  };
  struct Bounds {
    mlir::Value begin, end;
  };
  // The loop bodies that are open, the function first.
  struct Frame {
    llvm::SmallVector<Axis, kMaxDepth> axes;
    Place at;
    mlir::Value point;  // its number among all points of the batch; null for the function
    mlir::OpBuilder::InsertPoint inner;  // before the loop that is open in this body
    llvm::DenseMap<mlir::Value, mlir::Value> values;
    std::map<unsigned, Bounds> bounds;  // by axis index
    std::optional<std::pair<mlir::Value, mlir::Value>> pairMembers;
  };

  ObjectiveOp objective;
  const KnownValues& known;
  const LoopPlan::Function function;
  const mlir::Value arguments;
  const LoopPlan plan;
  const llvm::SmallVector<llvm::SmallVector<Axis, kMaxDepth>> axisList;  // of the signature
  std::vector<Frame> frames;
  // Loaded in the function's body, on first use.
  std::map<uint64_t, mlir::Value> fields;
  std::map<unsigned, Bounds> batchBounds;
  llvm::DenseMap<mlir::Value, Array> arrays;
  bool hasFailed = false;

  // ScalarBlockBase.cpp: the walk.
  void emitScope(llvm::ArrayRef<Axis> axes, Place at);
  void emitLoop(llvm::ArrayRef<Axis> axes, const Place& at);
  void emitStores(const LoopPlan::Loop& loop, unsigned stage);
  void emitCotangents(const LoopPlan::Loop& loop);
  void finishReductions(const LoopPlan::Loop& loop, llvm::ArrayRef<mlir::Value> partials);
  void emitResults();
  void emitStates();
  llvm::SmallVector<llvm::SmallVector<Axis, kMaxDepth>> childrenOf(llvm::ArrayRef<Axis> axes);

  // ScalarBlockSteps.cpp: array steps.
  void emitStep(mlir::Operation* op);
  void emitOrdered(mlir::Operation* op);
  void emitScan(ScanOp op);
  void emitSegmentSum(SegmentSumOp op);
  void emitPairScatter(PairScatterOp op);
  mlir::Value rank(const Array& order, const Bounds& points, mlir::Value index);

  // ScalarBlockValues.cpp: values of points, addresses, bounds.
  // Runs `body` in an open body, before the loop that is open in it.
  mlir::Value inFrame(unsigned depth, llvm::function_ref<mlir::Value()> body);
  mlir::Value get(mlir::Value value);
  mlir::Value compute(mlir::Value value);
  mlir::Value computeLeaf(mlir::Operation* op);
  mlir::Value computeGather(mlir::Operation* op);
  Array arrayOf(mlir::Value value);
  mlir::Value slotBase(const Slot& slot);
  mlir::Value loadPoint(const Array& array, mlir::Value index);
  unsigned axisIndex(llvm::ArrayRef<Axis> axes);
  // Points of an axis in the rows of this call, and in the open body of its parent.
  Bounds boundsInBatch(llvm::ArrayRef<Axis> axes);
  Bounds boundsOf(llvm::ArrayRef<Axis> axes);
  mlir::Value offset(unsigned axis, mlir::Value parent);
  // Of the points of an axis in the open body of its parent; of rows in the whole batch.
  mlir::Value count(llvm::ArrayRef<Axis> axes);
  // Positions of the two members of the pair whose body is open.
  std::pair<mlir::Value, mlir::Value> pairMembers();
  // Position of the first pair (i, j) among the pairs of a row of `members` members.
  mlir::Value firstPairOf(mlir::Value i, mlir::Value members);
  // True for an f64 position within `count` points (i64).
  mlir::Value isIndex(mlir::Value id, mlir::Value count);
};

// Builds alidade_scalars and, where something is known, alidade_known.
using BuildFunction = llvm::function_ref<mlir::FailureOr<ScratchSize>(
    llvm::StringRef name, const KnownValues& known, LoopPlan::Function function)>;
mlir::FailureOr<ScalarBlockSizes> buildBoth(ObjectiveOp objective, BuildFunction build);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_CONVERSION_SCALARBLOCKBASE_H_
