// What passes and back ends ask about a pref.objective: the reads, hyperparameters, metrics and
// cotangents, in the order in which the signature, the generated code and the run-time library
// number them. Nothing here is cached: every call walks the region.
//
//   for (const Read &read : readsOf(objective))
//     llvm::outs() << read.distribution.getName() << (read.hasGradient ? " with gradient\n" :
//     "\n");

#ifndef ALIDADE_COMPILER_DIALECT_PREF_OBJECTIVEINFO_H_
#define ALIDADE_COMPILER_DIALECT_PREF_OBJECTIVEINFO_H_

#include <string>

#include "compiler/dialect/pref/Pref.h"

namespace alidade::pref {

// One scored distribution that the objective reads. Equal distributions are one read, however many
// ops read them.
struct Read {
  DistributionAttr distribution;
  llvm::SmallVector<LogProbOp> ops;  // in program order; at least one
  bool hasGradient = false;          // a policy read of which at least one op is not `detached`

  LogProbOp first() const { return ops.front(); }
};

// In order of first appearance. This order is AlidadeScalarArgs::reads.
llvm::SmallVector<Read> readsOf(ObjectiveOp objective);

// Index into readsOf of the distribution that `op` reads.
unsigned readIndexOf(LogProbOp op);

// Response roles, in the order in which the reads mention them first. This order is
// AlidadeScalarArgs::offsets.
llvm::SmallVector<ResponseRole> responsesOf(ObjectiveOp objective);

// In program order. This order is AlidadeScalarArgs::hyperparameters.
llvm::SmallVector<HyperOp> hypersOf(ObjectiveOp objective);

// A value that the terminator names.
struct NamedValue {
  std::string name;
  mlir::Value value;
};

mlir::Value lossOf(ObjectiveOp objective);

// In order of the yield. This order is AlidadeScalarArgs::results, after the loss.
llvm::SmallVector<NamedValue> metricsOf(ObjectiveOp objective);

// Named by distribution, in the order of the reads with gradient. Empty before pref-differentiate.
// This order is AlidadeScalarArgs::cotangents.
llvm::SmallVector<NamedValue> cotangentsOf(ObjectiveOp objective);

// True when pref-differentiate has been run: the yield has one cotangent per read with gradient.
bool isDifferentiated(ObjectiveOp objective);

// The axes of a value of the dialect, outermost first.
llvm::ArrayRef<Axis> axesOf(mlir::Value value);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_DIALECT_PREF_OBJECTIVEINFO_H_
