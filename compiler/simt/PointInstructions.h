// What one operation does to the registers of each thread by itself: arith, math and intrinsics.

#ifndef ALIDADE_COMPILER_SIMT_POINTINSTRUCTIONS_H_
#define ALIDADE_COMPILER_SIMT_POINTINSTRUCTIONS_H_

#include "compiler/simt/Program.h"

namespace alidade::pref::simt {

// For one element of the operands and the result. Null for an operation, or one on types, that is
// not known.
Execute pointInstruction(mlir::Operation* op);

// True where the result has the bits of the operand, so that no instruction is needed: casts of
// pointers and indices, bitcasts of scalars, zero extension.
bool keepsBits(mlir::Operation* op);

}  // namespace alidade::pref::simt

#endif  // ALIDADE_COMPILER_SIMT_POINTINSTRUCTIONS_H_
