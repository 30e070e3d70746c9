// A SIMT interpreter: runs a gpu.func, before it is lowered to NVVM, on the CPU, with blocks, warps
// of 32 lanes and shared memory, and refuses what a GPU would let pass in silence.
//
//   // gpu.func @scale(%x: !llvm.ptr, %n: i64, %factor: f32) kernel ...
//   ALIDADE_ASSIGN_OR_RETURN(const Kernel kernel, Kernel::compile(function));
//   std::vector<float> x = {1, 2, 3};
//   Memory memory;
//   ALIDADE_RETURN_IF_ERROR(memory.add("x", x.data(), x.size() * sizeof(float),
//                                      Access::kReadWrite));
//   Launch launch;
//   launch.grid = {1, 1, 1};
//   launch.block = {256, 1, 1};
//   ALIDADE_RETURN_IF_ERROR(kernel.launch(
//       launch, {Argument::of(x.data()), Argument::of(int64_t{3}), Argument::of(0.5f)}, memory));
//   // x is {0.5, 1, 1.5}. Had thread 3 stored behind the end, the error would be
//   // "scale.mlir:7:5: 'llvm.store ...': block (0, 0, 0), thread (3, 0, 0): writes 4 bytes at
//   // the end of x (12 bytes)".
//
// Found: accesses outside registered arrays, unaligned ones, writes to what is only read, reads of
// what nobody wrote, races of threads between barriers and of blocks, barriers (of the block, of a
// warp) that some of their threads do not reach, shuffles with lanes missing, divisions by zero,
// over-wide shifts, loops that do not end, blocks of another size than the kernel's. Not modelled:
// caches, timing, the precision of approximate instructions (ex2 and its kin round correctly here).

#ifndef ALIDADE_COMPILER_SIMT_KERNEL_H_
#define ALIDADE_COMPILER_SIMT_KERNEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "compiler/simt/Memory.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace alidade::pref::simt {

struct Dim {
  int64_t x = 1, y = 1, z = 1;
  int64_t count() const { return x * y * z; }
};

struct Launch {
  Dim grid, block;
  // Instructions of one block (each for all its threads) before the run counts as endless.
  int64_t instructionLimit = 20'000'000;
};

// The bytes of one argument.
class Argument {
 public:
  // A pointer, a number, or the struct of a parameter with llvm.byval.
  template <typename T>
  static Argument of(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return Argument(std::string(reinterpret_cast<const char*>(&value), sizeof(T)));
  }
  const std::string& bytes() const { return bytes_; }

 private:
  explicit Argument(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string bytes_;
};

struct Program;

class Kernel {
 public:
  // `function` must outlive the kernel: errors point into it. Errors (invalid argument) name the
  // operation or type that the interpreter does not know.
  static absl::StatusOr<Kernel> compile(mlir::gpu::GPUFuncOp function);

  // Runs all blocks, one after another. After an error memory holds what was written before it.
  absl::Status launch(const Launch& launch, llvm::ArrayRef<Argument> arguments,
                      Memory& memory) const;

 private:
  explicit Kernel(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const Program> program_;
};

}  // namespace alidade::pref::simt

#endif  // ALIDADE_COMPILER_SIMT_KERNEL_H_
