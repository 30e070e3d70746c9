// The walk over a LoopPlan that the CPU and the GPU scalar block share. What differs is who
// computes which row and token, and how partial sums meet.

#ifndef ALIDADE_COMPILER_CONVERSION_SCALARBLOCKBASE_H_
#define ALIDADE_COMPILER_CONVERSION_SCALARBLOCKBASE_H_

#include "compiler/conversion/Emitter.h"
#include "compiler/conversion/LoopPlan.h"
#include "compiler/conversion/ScalarBlock.h"

namespace alidade::pref {

class ScalarBlockBase {
 public:
  ScalarBlockBase(Emitter& e, ObjectiveOp objective, mlir::Value arguments)
      : e(e), objective(objective), arguments(arguments), plan(objective) {}
  virtual ~ScalarBlockBase() = default;

  // Emits the whole body at the emitter's insertion point, without a terminator.
  mlir::LogicalResult emit();
  ScratchSize scratchSize() const;

 protected:
  struct Range {
    mlir::Value begin, end, step;
  };

  // The rows and tokens that this thread takes of all.
  virtual Range rowsOf(mlir::Value begin, mlir::Value end) = 0;
  virtual Range tokensOf(mlir::Value begin, mlir::Value end) = 0;
  // Sums of all threads from the sums of each; all threads must see the result.
  virtual mlir::Value joinTokens(mlir::Value partial) = 0;
  virtual mlir::Value joinRows(mlir::Value partial) = 0;
  // Runs `body` in the thread that writes results.
  virtual void once(llvm::function_ref<void()> body) = 0;
  // Writes by one thread of those that share a row.
  virtual void oncePerRow(llvm::function_ref<void()> body) = 0;

  Emitter& e;

 private:
  ObjectiveOp objective;
  const mlir::Value arguments;
  const LoopPlan plan;
  llvm::SmallVector<mlir::Value> reads, offsets, cotangents;
  mlir::Value hyperparameters, results, rowBegin, rowEnd, rowCount, scratch;
  // f64 values of the dialect's values: [] ones, those of the current row, those of the current
  // token.
  llvm::DenseMap<mlir::Value, mlir::Value> scalars, rowValues, tokenValues;
  mlir::Value row, token;
  bool hasFailed = false;

  mlir::Value loadField(unsigned index, mlir::Type type);
  void loadArguments();
  mlir::Value slotAddress(mlir::Value value);
  bool rowLoopNeeded(unsigned phase);

  void emitScalars(unsigned phase);
  void emitRows(unsigned phase);
  void emitRow(unsigned phase);
  void emitLevel(unsigned phase, unsigned level);
  void emitTokens(unsigned phase, unsigned level, ResponseRole role);
  void emitResults();

  mlir::Value tokenBound(ResponseRole role, mlir::Value index);
  mlir::Value tokenCount(ResponseRole role);
  mlir::Value divideByCount(mlir::Value sum, mlir::Value count);
  // The value where it is already known, or, for a token value, computed here.
  mlir::Value get(mlir::Value value);
  mlir::Value compute(mlir::Operation* op);
  mlir::Value computeLeaf(mlir::Operation* op);
  unsigned roleIndex(ResponseRole role);
};

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_CONVERSION_SCALARBLOCKBASE_H_
