// Rewrites math.exp, expm1, log and log1p on f64 as polynomials in arith ops, so that generated
// code calls no library on any target. Each is within 4 units in the last place over its whole
// range (tested), with the limits of IEEE 754: exp overflows to inf, log(0) = -inf, log(negative) =
// NaN, NaN stays NaN.

#ifndef ALIDADE_COMPILER_CONVERSION_EXPANDMATH_H_
#define ALIDADE_COMPILER_CONVERSION_EXPANDMATH_H_

#include <memory>

#include "mlir/Pass/Pass.h"

namespace alidade::pref {

std::unique_ptr<mlir::Pass> createExpandMathPass();

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_CONVERSION_EXPANDMATH_H_
