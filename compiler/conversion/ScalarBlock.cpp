#include "compiler/conversion/ScalarBlock.h"

#include "compiler/conversion/ScalarBlockBase.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace alidade::pref {
namespace {

// One thread does everything.
class CpuScalarBlock final : public ScalarBlockBase {
 public:
  using ScalarBlockBase::ScalarBlockBase;

 protected:
  Range rowsOf(Value begin, Value end) override { return {begin, end, e.index(1)}; }
  Range tokensOf(Value begin, Value end) override { return {begin, end, e.index(1)}; }
  Value joinTokens(Value partial) override { return partial; }
  Value joinRows(Value partial) override { return partial; }
  void once(llvm::function_ref<void()> body) override { body(); }
  void oncePerRow(llvm::function_ref<void()> body) override { body(); }
};

}  // namespace

FailureOr<ScratchSize> buildScalarBlock(ModuleOp module, StringRef name, ObjectiveOp objective) {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  Location loc = objective.getLoc();
  Emitter e(builder, loc);
  auto function =
      func::FuncOp::create(builder, loc, name, builder.getFunctionType({e.pointer()}, {}));
  builder.setInsertionPointToEnd(function.addEntryBlock());
  CpuScalarBlock block(e, objective, function.getArgument(0));
  if (failed(block.emit())) return failure();
  func::ReturnOp::create(builder, loc);
  return block.scratchSize();
}

}  // namespace alidade::pref
