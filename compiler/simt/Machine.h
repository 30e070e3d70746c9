// Runs a program: block after block, the threads of a block in lockstep under a mask. Code that is
// free of races gives the same results in every order, and code that is not is refused.

#ifndef ALIDADE_COMPILER_SIMT_MACHINE_H_
#define ALIDADE_COMPILER_SIMT_MACHINE_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "compiler/simt/Kernel.h"
#include "compiler/simt/Memory.h"
#include "compiler/simt/Program.h"

namespace alidade::pref::simt {

// The low bytes of a register as T; the rest of a register is 0.
template <typename T>
T fromBits(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
template <typename T>
uint64_t toBits(T value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}

class Machine {
 public:
  Machine(const Program& program, const Launch& launch, Memory& memory);

  // Arguments are checked already.
  absl::Status run(llvm::ArrayRef<Argument> arguments);

  // For instructions.

  // A register of all threads.
  uint64_t* slot(uint32_t index) { return registers_.data() + uint64_t{index} * numThreads_; }
  uint32_t numThreads() const { return numThreads_; }
  const Launch& launch() const { return launch_; }
  const Dim& block() const { return block_; }
  Dim threadPosition(uint32_t thread) const;
  // False once something failed.
  bool runCode(const Code& code, Threads threads);
  // `bytes` bytes at `address` for one thread, or null after an error.
  char* access(const Instruction& instruction, uint32_t thread, uint64_t address, uint64_t bytes,
               uint64_t alignment, bool write);
  // All threads of the block, or the lanes of one warp, have met.
  void endBlockInterval() { memory_.clock.block = ++memory_.clock.now; }
  void endWarpInterval(uint32_t warp) { memory_.clock.warps[warp] = ++memory_.clock.now; }
  // Ends the run with "<operation>: block (..), thread (..): <message>".
  void fail(const Instruction& instruction, uint32_t thread, const std::string& message);
  bool failed() const { return !status_.ok(); }

 private:
  const Program& program_;
  const Launch& launch_;
  Memory& memory_;
  const uint32_t numThreads_;
  std::vector<uint64_t> registers_;             // [slot][thread]
  Memory local_;                                // shared arrays and parameters by value
  std::vector<std::unique_ptr<char[]>> owned_;  // their bytes
  std::vector<Buffer*> shared_;
  std::vector<Buffer*> hints_;         // by instruction: the buffer of its last access
  std::vector<uint32_t> blockBegins_;  // when each block so far began
  Dim block_;
  int64_t executed_ = 0;
  absl::Status status_;

  uint64_t own(const std::string& name, const void* contents, uint64_t bytes, Access access);
  void set(uint32_t index, uint64_t bits);
  void runBlock(Threads all);
  std::string who(const Dim& block, uint32_t thread) const;
  Dim blockPosition(uint64_t number) const;
  void failConflict(const Instruction& instruction, uint32_t thread, const Buffer& buffer,
                    const Conflict& conflict, uint64_t bytes, bool write);
};

}  // namespace alidade::pref::simt

#endif  // ALIDADE_COMPILER_SIMT_MACHINE_H_
