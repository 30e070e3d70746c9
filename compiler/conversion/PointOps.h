// The value of one element-wise or constant operation of the dialect at one point, as arith and
// math ops on f64.

#ifndef ALIDADE_COMPILER_CONVERSION_POINTOPS_H_
#define ALIDADE_COMPILER_CONVERSION_POINTOPS_H_

#include "compiler/conversion/Emitter.h"
#include "mlir/IR/Operation.h"

namespace alidade::pref {

// `operands` are the f64 values of op's operands at the point. Returns null, after an error at
// `op`, for an operation that has no such form; what reads memory or reduces an axis is the
// caller's.
mlir::Value emitPoint(Emitter& e, mlir::Operation* op, mlir::ValueRange operands);

// pref.uniform at a point (i64, its number in the batch) for an f64 seed: exactly the number that
// uniformAt of the dialect gives.
mlir::Value emitUniform(Emitter& e, mlir::Value seed, mlir::Value point);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_CONVERSION_POINTOPS_H_
