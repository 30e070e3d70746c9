// What passes and back ends ask about a pref.objective: what it reads and takes, in the order in
// which the signature, the generated code and the run-time library number it. Nothing here is
// cached: every call walks the region.
//
//   for (const Read &read : readsOf(objective))
//     llvm::outs() << read.name << (read.hasGradient ? " with gradient\n" : "\n");

#ifndef ALIDADE_COMPILER_DIALECT_PREF_OBJECTIVEINFO_H_
#define ALIDADE_COMPILER_DIALECT_PREF_OBJECTIVEINFO_H_

#include <string>

#include "llvm/ADT/DenseSet.h"

#include "compiler/dialect/pref/Pref.h"

namespace alidade::pref {

// What generated code and run-time library have room for; the verifier refuses more.
constexpr unsigned kMaxReads = 32;
constexpr unsigned kMaxReadsOfDistribution = 8;
constexpr unsigned kMaxAxes = 8;  // beside row
constexpr unsigned kMaxInputs = 16;
constexpr unsigned kMaxHyperparameters = 32;

// One thing that the objective reads of a distribution. Operations that read the same (same
// operation, distribution, partner, index and factor) are one read, however many there are.
struct Read {
  // Unique: the distribution's name for its log-probability, "<distribution>#<op>" for others; the
  // second of a name appends "#2", and so on.
  std::string name;
  std::string op;  // VocabularyOpInterface::getReadName
  DistributionAttr distribution;
  DistributionAttr partner;                      // null for most
  mlir::Value index;                             // of the first operation; null for most
  mlir::Value scale;                             // likewise
  llvm::SmallVector<VocabularyOpInterface> ops;  // in program order; at least one
  bool hasGradient = false;                      // at least one operation has

  VocabularyOpInterface first() const { return ops.front(); }
};

// In order of first appearance. This order is AlidadeScalarArgs::reads.
llvm::SmallVector<Read> readsOf(ObjectiveOp objective);

// Index into readsOf of what `op` reads.
unsigned readIndexOf(VocabularyOpInterface op);

// In order of first appearance, partners too.
llvm::SmallVector<DistributionAttr> distributionsOf(ObjectiveOp objective);

// All axes but row that the objective mentions, in order of first appearance, parents before
// children. This order is AlidadeScalarArgs::offsets.
llvm::SmallVector<Axis> axesOf(ObjectiveOp objective);

// The responses of the token axes, in that order.
llvm::SmallVector<ResponseRole> responsesOf(ObjectiveOp objective);

// In program order. This order is AlidadeScalarArgs::hyperparameters.
llvm::SmallVector<HyperOp> hypersOf(ObjectiveOp objective);

// The first operation of every name, in program order. This order is AlidadeScalarArgs::inputs.
llvm::SmallVector<InputOp> inputsOf(ObjectiveOp objective);
// Likewise; this order is AlidadeScalarArgs::state and new_state.
llvm::SmallVector<StateOp> statesOf(ObjectiveOp objective);
// The update of every state, in the order of statesOf.
llvm::SmallVector<UpdateOp> updatesOf(ObjectiveOp objective);

// A compile-time choice: still open (then `chosen` is the default), or made by
// pref-resolve-options.
struct OptionInfo {
  std::string name;
  std::string chosen;
  std::string defaultCase;
  llvm::SmallVector<std::string> cases;
  std::string doc;
};

// Those made first, then those still open, in program order.
llvm::SmallVector<OptionInfo> optionsOf(ObjectiveOp objective);
// False when someone wrote the record of the choices by hand, and wrongly.
bool hasWellFormedOptions(ObjectiveOp objective);
// Says in the objective what was chosen, for optionsOf.
void recordOptions(ObjectiveOp objective, llvm::ArrayRef<OptionInfo> options);

// A value that the terminator names.
struct NamedValue {
  std::string name;
  mlir::Value value;
};

mlir::Value lossOf(ObjectiveOp objective);

// In order of the yield. This order is AlidadeScalarArgs::results, after the loss.
llvm::SmallVector<NamedValue> metricsOf(ObjectiveOp objective);

// Named by read, in the order of the reads with gradient. Empty before pref-differentiate. This
// order is AlidadeScalarArgs::cotangents.
llvm::SmallVector<NamedValue> cotangentsOf(ObjectiveOp objective);

// True when pref-differentiate has been run: the yield has one cotangent per read with gradient.
bool isDifferentiated(ObjectiveOp objective);

// True when rows of all ranks meet somewhere.
bool crossesRanks(ObjectiveOp objective);

// The results of operations across rows that depend on no distribution with gradient, as far as the
// cotangents need them: what can and must be computed over the whole batch before the first
// cotangent of any row. In program order; a value that only another of these needs is not listed.
// Empty before pref-differentiate.
llvm::SmallVector<mlir::Value> knownValuesOf(ObjectiveOp objective);

// The values that depend on a distribution with gradient: unknown until its logits are.
llvm::DenseSet<mlir::Value> unknownValuesOf(ObjectiveOp objective);

// The axes of a value of the dialect, outermost first.
llvm::ArrayRef<Axis> axesOf(mlir::Value value);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_DIALECT_PREF_OBJECTIVEINFO_H_
