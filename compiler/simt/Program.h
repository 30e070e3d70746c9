// A kernel as the machine runs it: a flat list of instructions per region. Every SSA value has one
// register per element, of 64 bits per thread; what only renames elements (vector.extract,
// vector.from_elements, casts that keep the bits) names the same registers and costs nothing.

#ifndef ALIDADE_COMPILER_SIMT_PROGRAM_H_
#define ALIDADE_COMPILER_SIMT_PROGRAM_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace alidade::pref::simt {

class Machine;
struct Instruction;
using Code = std::vector<Instruction>;
// Numbers within the block, ascending: the threads that take part.
using Threads = llvm::ArrayRef<uint32_t>;
// Runs an instruction for `threads`; on an error it tells the machine.
using Execute = void (*)(Machine& machine, const Instruction& instruction, Threads threads);

struct Instruction {
  Execute execute = nullptr;
  mlir::Operation* op = nullptr;                     // that it came from
  uint32_t id = 0;                                   // index into Program::origins
  llvm::SmallVector<uint32_t, 4> operands, results;  // registers
  llvm::SmallVector<int64_t, 2> numbers;             // immediates; each instruction says which
  std::vector<Code> regions;
};

struct Parameter {
  uint32_t slot = 0;
  uint64_t bytes = 0;
  bool byValue = false;  // the register holds the address of a copy (llvm.byval)
};

struct SharedArray {
  uint32_t slot = 0;  // holds the address
  uint64_t bytes = 0;
};

struct Program {
  std::string name;
  Code code;
  uint32_t numSlots = 0;
  std::vector<std::pair<uint32_t, uint64_t>> constants;  // register, bits
  std::vector<Parameter> parameters;
  std::vector<SharedArray> shared;
  std::vector<mlir::Operation*> origins;  // by Instruction::id
  std::optional<std::array<int64_t, 3>> blockSize;
};

// Errors name the operation or type that the machine does not know, and where it is.
absl::StatusOr<Program> translate(mlir::gpu::GPUFuncOp kernel);

// "rows.mlir:12:5: 'llvm.store %1, %2 : f32, !llvm.ptr'".
std::string describe(mlir::Operation* op);

// Bits of an integer, float, index or pointer that a register can hold; nullopt for other types.
std::optional<unsigned> bitsOf(mlir::Type element);
// Bytes in memory.
inline uint64_t bytesOf(unsigned bits) { return (bits + 7) / 8; }

}  // namespace alidade::pref::simt

#endif  // ALIDADE_COMPILER_SIMT_PROGRAM_H_
