// The memory that kernels may touch: arrays of the host, each registered with what a kernel may do
// to it. Addresses are real, so structs that hold pointers need no translation.
//
// Beside every byte of an array that may be written lies a record of who touched it last and when.
// Time stands still but for barriers: of the block, and of a warp (bar.warp.sync). Two touches of a
// byte by different threads of a block, one of them a write, without a barrier of the block in
// between, nor one of the warp where they share it, are a race; so are touches by different blocks
// of one launch; in whatever order the interpreter happened to run them. Shuffles order nothing.

#ifndef ALIDADE_COMPILER_SIMT_MEMORY_H_
#define ALIDADE_COMPILER_SIMT_MEMORY_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace alidade::pref::simt {

enum class Access {
  kRead,       // a write is an error
  kReadWrite,  // contents are given
  kWrite,      // results and scratch memory: a byte must be written before it is read
};

inline constexpr uint32_t kWarpLanes = 32;
inline constexpr uint32_t kMostThreads = 1024;  // of a block, on every GPU so far

// When a byte was touched, and by whom.
struct Touch {
  uint32_t when = 0;  // Clock::now; 0: never
  uint32_t who = 0;   // makeWho

  static constexpr uint32_t kThreadBits = 10;
  static uint32_t makeWho(uint32_t thread, uint32_t instruction) {
    return instruction << kThreadBits | thread;
  }
  uint32_t thread() const { return who & (kMostThreads - 1); }
  uint32_t warp() const { return thread() / kWarpLanes; }
  uint32_t instruction() const { return who >> kThreadBits; }
};
static_assert(kMostThreads == 1u << Touch::kThreadBits);

// Grows by one at each barrier; beside it when the last barriers were, and when the running block
// and launch began.
struct Clock {
  uint32_t now = 1;
  uint32_t block = 1;
  std::array<uint32_t, kMostThreads / kWarpLanes> warps = {};
  uint32_t blockBegin = 1, launchBegin = 1;
};

// What is wrong with a touch.
struct Conflict {
  enum class Kind { kUninitialised, kInBlock, kBetweenBlocks };
  Kind kind;
  uint64_t offset;  // of the first byte concerned
  Touch other;      // of the other thread
  bool otherWrites;
};

struct Buffer {
  Buffer(std::string name, uintptr_t begin, uint64_t bytes, Access access);

  std::string name;
  uintptr_t begin;
  uint64_t bytes;
  Access access;

  bool contains(uint64_t address, uint64_t size) const {
    return address >= begin && address - begin <= bytes && size <= bytes - (address - begin);
  }
  // Bytes between `address` and the buffer; 0 inside and at its end.
  uint64_t distance(uint64_t address) const;
  // Records that `who` reads or writes `size` bytes from `offset`, unless that is a conflict.
  std::optional<Conflict> touch(uint64_t offset, uint64_t size, bool write, uint32_t who,
                                const Clock& clock);
  // Nobody has touched anything.
  void forget();

 private:
  // The last write and the last read; readers beside the last one, of another warp and of its own;
  // and a reader of an earlier block. These suffice: a write that races with any reader races with
  // one of them.
  struct Record {
    Touch write, read, otherWarpRead, sameWarpRead, earlierRead;
  };
  static constexpr uint64_t kPageBytes = 256;
  std::vector<std::unique_ptr<Record[]>> pages_;

  Record& recordOf(uint64_t offset);
};

class Memory {
 public:
  // Registers `bytes` bytes at `data`, which stay owned by the caller. Arrays that are only read
  // may overlap and then count as one; any other overlap is an error that names both. Zero bytes
  // register nothing.
  absl::Status add(const std::string& name, const void* data, uint64_t bytes, Access access);

  // The buffer that holds the whole range, or null.
  Buffer* find(uint64_t address, uint64_t size);
  // The buffer at the least distance, or null where there is none; and in words, for messages:
  // "8 bytes after the end of logits (4000 bytes)".
  const Buffer* nearest(uint64_t address) const;
  std::string describe(uint64_t address) const;

  Clock clock;  // goes on from launch to launch

 private:
  std::map<uintptr_t, std::unique_ptr<Buffer>> buffers_;  // by begin; disjoint
};

}  // namespace alidade::pref::simt

#endif  // ALIDADE_COMPILER_SIMT_MEMORY_H_
