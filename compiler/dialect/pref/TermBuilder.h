// A short hand for building formulas out of the dialect's operations; types are inferred.
//
//   TermBuilder t(builder, loc);
//   Value g = t.mul(cotangent, t.sigmoid(t.neg(x)));

#ifndef ALIDADE_COMPILER_DIALECT_PREF_TERMBUILDER_H_
#define ALIDADE_COMPILER_DIALECT_PREF_TERMBUILDER_H_

#include "compiler/dialect/pref/Axes.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"

namespace alidade::pref {

class TermBuilder {
 public:
  using Value = mlir::Value;

  TermBuilder(mlir::OpBuilder& builder, mlir::Location loc) : builder(builder), loc(loc) {}

  Value constant(double value);
  Value neg(Value x);
  Value sign(Value x);
  Value square(Value x);
  Value sqrt(Value x);
  Value abs(Value x);
  Value relu(Value x);
  Value clamp(Value x, Value low, Value high);
  Value exp(Value x);
  Value expm1(Value x);
  Value log(Value x);
  Value sigmoid(Value x);
  Value add(Value a, Value b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value div(Value a, Value b);
  Value max(Value a, Value b);
  Value pow(Value a, Value b);
  Value compare(Predicate predicate, Value a, Value b);
  Value where(Value condition, Value a, Value b);
  Value sum(Value x, AxisKind axis);
  Value mean(Value x, AxisKind axis);
  // By the order of `key`, or by its own when that is null.
  Value sort(Value x, Value key, AxisKind axis);
  Value unsort(Value x, Value key, AxisKind axis);
  Value scan(Value x, Value decay, AxisKind axis, bool reverse);
  Value segmentSum(Value x, Value ids, Axis segment);
  Value segmentGather(Value x, Value ids);
  Value pairGather(Value x, PairSide side);
  Value pairScatter(Value x, PairSide side);
  Value count(Axis axis);
  Value position(Axis axis);
  Value uniform(Value seed, Axis axis);
  // `x` itself when it has these axes already.
  Value broadcast(Value x, llvm::ArrayRef<Axis> axes);
  // Sums over the axes that `x` has beyond `axes`.
  Value reduceTo(Value x, llvm::ArrayRef<Axis> axes);

 private:
  mlir::OpBuilder& builder;
  mlir::Location loc;
};

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_DIALECT_PREF_TERMBUILDER_H_
