#include "compiler/transforms/ExpandComposites/ExpandComposites.h"

#include "mlir/IR/Builders.h"

#include "compiler/dialect/pref/ObjectiveInfo.h"

namespace alidade::pref {

#define GEN_PASS_DEF_EXPANDCOMPOSITES
#include "compiler/transforms/ExpandComposites/ExpandComposites.h.inc"

static void expand(ObjectiveOp objective, bool keepValueOnly) {
  for (mlir::Operation& op : llvm::make_early_inc_range(objective.getBody().front())) {
    auto composite = llvm::dyn_cast<CompositeOpInterface>(op);
    if (!composite || (keepValueOnly && llvm::cast<TermOpInterface>(op).isValueOnly())) continue;
    mlir::OpBuilder builder(composite);
    op.getResult(0).replaceAllUsesWith(composite.expand(builder));
    op.erase();
  }
}

void expandComposites(ObjectiveOp objective) {
  expand(objective, /*keepValueOnly=*/!isDifferentiated(objective));
}

void expandAllComposites(ObjectiveOp objective) { expand(objective, /*keepValueOnly=*/false); }

namespace {

struct ExpandComposites : impl::ExpandCompositesBase<ExpandComposites> {
  void runOnOperation() override { expandComposites(getOperation()); }
};

}  // namespace

}  // namespace alidade::pref
