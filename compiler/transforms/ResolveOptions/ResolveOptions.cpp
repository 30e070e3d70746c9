#include "compiler/transforms/ResolveOptions/ResolveOptions.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "mlir/IR/Builders.h"

#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/dialect/pref/TermBuilder.h"

namespace alidade::pref {

#define GEN_PASS_DEF_RESOLVEOPTIONS
#include "compiler/transforms/ResolveOptions/ResolveOptions.h.inc"

using mlir::failure;
using mlir::success;

// Every choice names an option of the objective that is still open.
static mlir::LogicalResult checkNames(ObjectiveOp objective, const OptionChoices& choices) {
  llvm::SmallVector<llvm::StringRef> names;
  for (OptionOp op : objective.getBody().front().getOps<OptionOp>())
    if (!llvm::is_contained(names, op.getName())) names.push_back(op.getName());
  for (const auto& [name, unused] : choices) {
    if (llvm::is_contained(names, name)) continue;
    mlir::InFlightDiagnostic diagnostic = objective.emitOpError() << "option \"" << name << "\": ";
    if (names.empty()) return diagnostic << "the objective has no options";
    return diagnostic << "expected one of " << llvm::join(names, ", ") << didYouMean(name, names);
  }
  return success();
}

// Marks the operations that `op` needs, and itself.
static void markLive(mlir::Operation* op, llvm::DenseSet<mlir::Operation*>& live) {
  if (!live.insert(op).second) return;
  for (mlir::Value operand : op->getOperands()) markLive(operand.getDefiningOp(), live);
}

void removeDeadCode(ObjectiveOp objective) {
  mlir::Block& block = objective.getBody().front();
  llvm::DenseSet<mlir::Operation*> live;
  markLive(&block.back(), live);
  size_t before = 0;
  while (before != live.size()) {
    before = live.size();
    for (UpdateOp update : block.getOps<UpdateOp>())
      if (llvm::any_of(block.getOps<StateOp>(), [&](StateOp state) {
            return live.contains(state) && state.getName() == update.getName();
          }))
        markLive(update, live);
  }
  for (mlir::Operation& op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (!live.contains(&op)) op.erase();
}

mlir::LogicalResult resolveOptions(ObjectiveOp objective, const OptionChoices& choices) {
  if (failed(checkNames(objective, choices))) return failure();
  mlir::Block& block = objective.getBody().front();
  llvm::SmallVector<OptionOp> options = llvm::to_vector(block.getOps<OptionOp>());
  if (options.empty()) return success();
  auto chosenOf = [&](llvm::StringRef name, llvm::StringRef otherwise) {
    auto choice = choices.find(name.str());
    return choice == choices.end() ? otherwise : llvm::StringRef(choice->second);
  };
  llvm::SmallVector<OptionInfo> made;
  for (const OptionInfo& info : optionsOf(objective)) {
    made.push_back(info);
    made.back().chosen = chosenOf(info.name, info.chosen).str();
  }
  for (OptionOp op : options) {
    llvm::StringRef chosen = chosenOf(op.getName(), op.getDefaultCase());
    mlir::Value value = op.getValueOf(chosen);
    if (!value)
      return op.emitOpError() << "option \"" << op.getName() << "\": expected one of "
                              << llvm::join(op.getCaseNames(), ", ") << ", got \"" << chosen << "\""
                              << didYouMean(chosen, op.getCaseNames());
    mlir::OpBuilder builder(op);
    op.getResult().replaceAllUsesWith(
        TermBuilder(builder, op.getLoc()).broadcast(value, axesOf(op.getResult())));
    op.erase();
  }
  recordOptions(objective, made);
  removeDeadCode(objective);
  return success();
}

namespace {

struct ResolveOptions : impl::ResolveOptionsBase<ResolveOptions> {
  using ResolveOptionsBase::ResolveOptionsBase;

  void runOnOperation() override {
    OptionChoices cases;
    for (const std::string& choice : choices) {
      auto [name, chosen] = llvm::StringRef(choice).split('=');
      if (name.empty() || chosen.empty()) {
        getOperation().emitOpError() << "options: expected name=case, got '" << choice << "'";
        return signalPassFailure();
      }
      cases[name.str()] = chosen.str();
    }
    if (failed(resolveOptions(getOperation(), cases))) signalPassFailure();
  }
};

}  // namespace

}  // namespace alidade::pref
