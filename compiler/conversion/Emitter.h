// A shorthand for writing straight-line code and loops in the upstream arith, math, scf and llvm
// dialects. Scalars and fixed vectors are treated alike: an operand decides the type of the result.
// Integers are signed.
//
//   Emitter e(builder, loc);
//   mlir::Value y = e.fma(x, e.like(x, 2.0), e.like(x, 1.0));

#ifndef ALIDADE_COMPILER_CONVERSION_EMITTER_H_
#define ALIDADE_COMPILER_CONVERSION_EMITTER_H_

#include <cstdint>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

namespace alidade::pref {

class Emitter {
 public:
  using Body = llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value index,
                                                                 mlir::ValueRange carried)>;
  using Branch = llvm::function_ref<llvm::SmallVector<mlir::Value>()>;

  Emitter(mlir::OpBuilder& builder, mlir::Location loc) : builder(builder), loc(loc) {}

  mlir::OpBuilder& builder;
  const mlir::Location loc;

  mlir::Type i1();
  mlir::Type i32();
  mlir::Type i64();
  mlir::Type f32();
  mlir::Type f64();
  mlir::Type pointer();

  // Constants; `like` has the float type, `likeInt` the integer type of `model`, splat where that
  // is a vector.
  mlir::Value constant(mlir::Type type, double value);
  mlir::Value constantInt(mlir::Type type, int64_t value);
  mlir::Value index(int64_t value);  // i64
  mlir::Value like(mlir::Value model, double value);
  mlir::Value likeInt(mlir::Value model, int64_t value);
  // A vector of `lanes` copies.
  mlir::Value splat(mlir::Value scalar, int64_t lanes);

  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value div(mlir::Value a, mlir::Value b);
  mlir::Value neg(mlir::Value a);
  mlir::Value abs(mlir::Value a);
  mlir::Value sqrt(mlir::Value a);
  mlir::Value fma(mlir::Value a, mlir::Value b, mlir::Value c);
  // a > b ? a : b: one machine instruction; a NaN in `a` gives b.
  mlir::Value greater(mlir::Value a, mlir::Value b);
  // coefficients[0] + x * (coefficients[1] + ...).
  mlir::Value horner(mlir::Value x, llvm::ArrayRef<double> coefficients);

  mlir::Value compare(mlir::arith::CmpFPredicate predicate, mlir::Value a, mlir::Value b);
  mlir::Value compareInt(mlir::arith::CmpIPredicate predicate, mlir::Value a, mlir::Value b);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  mlir::Value shiftLeft(mlir::Value a, int64_t bits);
  mlir::Value shiftRight(mlir::Value a, int64_t bits);  // arithmetic
  mlir::Value shiftRightLogical(mlir::Value a, int64_t bits);
  mlir::Value bitAnd(mlir::Value a, mlir::Value b);
  mlir::Value bitOr(mlir::Value a, mlir::Value b);
  mlir::Value bitXor(mlir::Value a, mlir::Value b);
  mlir::Value remainder(mlir::Value a, mlir::Value b);
  mlir::Value bitsToFloat(mlir::Value a);  // i32 -> f32, i64 -> f64
  mlir::Value floatToBits(mlir::Value a);
  mlir::Value extend(mlir::Value a);    // f32 -> f64
  mlir::Value truncate(mlir::Value a);  // f64 -> f32
  mlir::Value intToFloat(mlir::Value a, mlir::Type type);
  mlir::Value floatToInt(mlir::Value a);  // to i64, towards zero

  // Element `index` (i64) of an array of `element`; loads of a vector type begin at that element
  // and need the alignment of one element only.
  mlir::Value address(mlir::Value base, mlir::Value index, mlir::Type element);
  mlir::Value load(mlir::Type type, mlir::Value address, unsigned alignment);
  void store(mlir::Value value, mlir::Value address, unsigned alignment);
  mlir::Value isSet(mlir::Value pointer);  // not null
  // Calls the C function at `function`, which returns nothing.
  void call(mlir::Value function, mlir::ValueRange arguments);

  // for (i = begin; i < end; i += step); the body returns the carried values of the next iteration.
  llvm::SmallVector<mlir::Value> loop(mlir::Value begin, mlir::Value end, mlir::Value step,
                                      mlir::ValueRange carried, Body body);
  // Both branches return values of `types`; without types the second branch may be missing.
  llvm::SmallVector<mlir::Value> branch(mlir::Value condition, mlir::TypeRange types, Branch then,
                                        Branch otherwise = nullptr);
};

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_CONVERSION_EMITTER_H_
