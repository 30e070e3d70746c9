#include "compiler/conversion/ScalarBlock.h"

#include <cstddef>

#include "compiler/conversion/ScalarBlockBase.h"
#include "compiler/runtime/abi.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace alidade::pref {
namespace {

// One thread does everything.
class CpuScalarBlock final : public ScalarBlockBase {
 public:
  using ScalarBlockBase::ScalarBlockBase;

 protected:
  Range shareOf(Sharing, Value begin, Value end) override { return {begin, end, e.index(1)}; }
  Value join(Sharing, Value partial, Combine) override { return partial; }
  void synchronize(Sharing) override {}
  void once(llvm::function_ref<void()> body) override { body(); }
  void oncePerRow(llvm::function_ref<void()> body) override { body(); }
  bool isAlone() const override { return true; }

  void scan(Value begin, Value end, Value decay, bool reverse, Load load, Store store) override {
    e.loop(begin, end, e.index(1), {e.constant(e.f64(), 0.0)},
           [&](Value i, ValueRange last) -> SmallVector<Value> {
             Value index = reverse ? e.sub(e.add(begin, e.sub(end, i)), e.index(1)) : i;
             Value sum = e.add(load(index), e.mul(decay, last[0]));
             store(sum, index);
             return {sum};
           });
  }

  SmallVector<Value> sumOverRanks(ArrayRef<Value> values) override {
    const Value call = field(offsetof(AlidadeScalarArgs, all_reduce), e.pointer());
    const Value context = field(offsetof(AlidadeScalarArgs, context), e.pointer());
    const Value memory = field(offsetof(AlidadeScalarArgs, scratch), e.pointer());
    SmallVector<Type> types(values.size(), e.f64());
    return e.branch(
        e.isSet(call), types,
        [&] {
          SmallVector<Value> addresses, sums;
          for (size_t i = 0; i < values.size(); ++i)
            addresses.push_back(e.address(memory, e.index(i), e.f64()));
          for (auto [value, address] : llvm::zip_equal(values, addresses))
            e.store(value, address, sizeof(double));
          e.call(call, {context, memory, e.index(values.size())});
          for (Value address : addresses) sums.push_back(e.load(e.f64(), address, sizeof(double)));
          return sums;
        },
        [&] { return llvm::to_vector(values); });
  }
};

FailureOr<ScratchSize> buildFunction(ModuleOp module, const std::string& name,
                                     ObjectiveOp objective, const KnownValues& known,
                                     LoopPlan::Function kind) {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  Location loc = objective.getLoc();
  Emitter e(builder, loc);
  auto function =
      func::FuncOp::create(builder, loc, name, builder.getFunctionType({e.pointer()}, {}));
  builder.setInsertionPointToEnd(function.addEntryBlock());
  CpuScalarBlock block(e, objective, known, kind, function.getArgument(0));
  if (failed(block.emit())) return failure();
  func::ReturnOp::create(builder, loc);
  return block.scratchSize();
}

}  // namespace

FailureOr<ScalarBlockSizes> buildScalarBlock(ModuleOp module, StringRef suffix,
                                             ObjectiveOp objective) {
  return buildBoth(
      objective, [&](StringRef name, const KnownValues& known, LoopPlan::Function kind) {
        return buildFunction(module, (name + "_" + suffix).str(), objective, known, kind);
      });
}

}  // namespace alidade::pref
