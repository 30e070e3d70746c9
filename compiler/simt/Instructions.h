// Instructions that are more than a point operation: control flow, memory, positions, exchange.
// `operands`, `results` and `numbers` are those of Instruction.

#ifndef ALIDADE_COMPILER_SIMT_INSTRUCTIONS_H_
#define ALIDADE_COMPILER_SIMT_INSTRUCTIONS_H_

#include "compiler/simt/Program.h"

namespace alidade::pref::simt {

// results = operands, all at once: they may be the same registers in another order.
void moveValues(Machine& machine, const Instruction& instruction, Threads threads);

// operands: condition; regions: then, otherwise. Each region moves its results itself.
void runIf(Machine& machine, const Instruction& instruction, Threads threads);
// operands: lower, upper, step, initial values; results: induction variable, carried values;
// region: body, which moves the carried values. `bits` of the integers: 32 or 64.
Execute runFor(unsigned bits, bool isUnsigned);
// operands: initial values, condition; results: arguments of `before`; regions: before, after.
void runWhile(Machine& machine, const Instruction& instruction, Threads threads);

// operands: address; results: elements, one after another in memory; numbers: alignment.
Execute loadMemory(uint64_t elementBytes);
// operands: address, elements; numbers: alignment.
Execute storeMemory(uint64_t elementBytes);
// operands: address, mask per element, value per masked element; results: elements; numbers:
// alignment, bytes of an element.
void loadMasked(Machine& machine, const Instruction& instruction, Threads threads);
// operands: address, elements, mask per element; numbers: alignment, bytes of an element.
void storeMasked(Machine& machine, const Instruction& instruction, Threads threads);

// operands: address, index; results: address; numbers: bytes per step, bits of the index.
void addScaled(Machine& machine, const Instruction& instruction, Threads threads);
// operands: address; results: address; numbers: bytes.
void addConstant(Machine& machine, const Instruction& instruction, Threads threads);
// Where an element of a memref lies. operands: address, one index per dimension; results: address;
// numbers: bytes of an element, elements touched along the last dimension, extents, strides.
void findElement(Machine& machine, const Instruction& instruction, Threads threads);

// numbers: which, dimension.
enum class Position { kThread, kBlock, kBlockSize, kGridSize, kGlobal, kLane, kWarp };
void readPosition(Machine& machine, const Instruction& instruction, Threads threads);

// operands: elements, offset, width; results: elements, valid; numbers: gpu::ShuffleMode.
void shuffleLanes(Machine& machine, const Instruction& instruction, Threads threads);
void waitAtBarrier(Machine& machine, const Instruction& instruction, Threads threads);
// operands: mask of the lanes that meet.
void waitForWarp(Machine& machine, const Instruction& instruction, Threads threads);

}  // namespace alidade::pref::simt

#endif  // ALIDADE_COMPILER_SIMT_INSTRUCTIONS_H_
