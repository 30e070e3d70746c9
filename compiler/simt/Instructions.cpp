#include "compiler/simt/Instructions.h"

#include <algorithm>
#include <bit>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "compiler/simt/Machine.h"

using namespace mlir;

namespace alidade::pref::simt {
namespace {

using Mask = llvm::SmallVector<uint32_t, 0>;

// Copies values of one thread, all read before the first is written.
void moveThread(Machine& machine, ArrayRef<uint32_t> from, ArrayRef<uint32_t> to, uint32_t thread) {
  llvm::SmallVector<uint64_t, 16> values;
  for (uint32_t index : from) values.push_back(machine.slot(index)[thread]);
  for (auto [index, value] : llvm::zip_equal(to, values)) machine.slot(index)[thread] = value;
}

template <typename T>
void forLoop(Machine& machine, const Instruction& instruction, Threads threads) {
  constexpr size_t kBounds = 3;
  const uint64_t* lower = machine.slot(instruction.operands[0]);
  const uint64_t* upper = machine.slot(instruction.operands[1]);
  const uint64_t* step = machine.slot(instruction.operands[2]);
  uint64_t* induction = machine.slot(instruction.results[0]);
  const ArrayRef<uint32_t> initial = ArrayRef(instruction.operands).drop_front(kBounds);
  const ArrayRef<uint32_t> carried = ArrayRef(instruction.results).drop_front();
  for (uint32_t t : threads) {
    if (fromBits<T>(step[t]) <= 0) {
      return machine.fail(instruction, t,
                          absl::StrCat("loops with step ", fromBits<T>(step[t]), ", expected > 0"));
    }
    induction[t] = lower[t];
    moveThread(machine, initial, carried, t);
  }
  Mask running(threads.begin(), threads.end());
  while (true) {
    llvm::erase_if(
        running, [&](uint32_t t) { return !(fromBits<T>(induction[t]) < fromBits<T>(upper[t])); });
    if (running.empty() || !machine.runCode(instruction.regions[0], running)) return;
    for (uint32_t t : running) {
      // Stops at the bound where the sum might overflow.
      using Unsigned = std::make_unsigned_t<T>;
      const Unsigned at = fromBits<Unsigned>(induction[t]);
      const Unsigned left = fromBits<Unsigned>(upper[t]) - at, by = fromBits<Unsigned>(step[t]);
      induction[t] = left > by ? toBits<Unsigned>(at + by) : upper[t];
    }
  }
}

template <typename T>
void load(Machine& machine, const Instruction& instruction, Threads threads) {
  const uint64_t* address = machine.slot(instruction.operands[0]);
  const uint64_t bytes = sizeof(T) * instruction.results.size();
  for (uint32_t t : threads) {
    const char* data =
        machine.access(instruction, t, address[t], bytes, instruction.numbers[0], false);
    if (data == nullptr) return;
    for (uint32_t result : instruction.results) {
      T value;
      std::memcpy(&value, data, sizeof(T));
      data += sizeof(T);
      machine.slot(result)[t] = value;
    }
  }
}

template <typename T>
void store(Machine& machine, const Instruction& instruction, Threads threads) {
  const uint64_t* address = machine.slot(instruction.operands[0]);
  const ArrayRef<uint32_t> elements = ArrayRef(instruction.operands).drop_front();
  for (uint32_t t : threads) {
    char* data = machine.access(instruction, t, address[t], sizeof(T) * elements.size(),
                                instruction.numbers[0], true);
    if (data == nullptr) return;
    for (uint32_t element : elements) {
      std::memcpy(data, machine.slot(element) + t, sizeof(T));
      data += sizeof(T);
    }
  }
}

// The first element must be aligned, masked or not.
bool checkAlignment(Machine& machine, const Instruction& instruction, uint32_t thread,
                    uint64_t address) {
  const uint64_t alignment = instruction.numbers[0];
  if (address % alignment == 0) return true;
  machine.fail(instruction, thread,
               absl::StrCat("expected an address that is a multiple of ", alignment, ", got ",
                            address % alignment, " more"));
  return false;
}

}  // namespace

void moveValues(Machine& machine, const Instruction& instruction, Threads threads) {
  for (uint32_t t : threads) moveThread(machine, instruction.operands, instruction.results, t);
}

void runIf(Machine& machine, const Instruction& instruction, Threads threads) {
  const uint64_t* condition = machine.slot(instruction.operands[0]);
  Mask then, otherwise;
  for (uint32_t t : threads) (condition[t] ? then : otherwise).push_back(t);
  if (!then.empty() && !machine.runCode(instruction.regions[0], then)) return;
  if (!otherwise.empty()) machine.runCode(instruction.regions[1], otherwise);
}

Execute runFor(unsigned bits, bool isUnsigned) {
  if (bits == 32) return isUnsigned ? forLoop<uint32_t> : forLoop<int32_t>;
  return isUnsigned ? forLoop<uint64_t> : forLoop<int64_t>;
}

void runWhile(Machine& machine, const Instruction& instruction, Threads threads) {
  const ArrayRef<uint32_t> initial = ArrayRef(instruction.operands).drop_back();
  const uint64_t* condition = machine.slot(instruction.operands.back());
  for (uint32_t t : threads) moveThread(machine, initial, instruction.results, t);
  Mask running(threads.begin(), threads.end());
  while (!running.empty()) {
    if (!machine.runCode(instruction.regions[0], running)) return;
    llvm::erase_if(running, [&](uint32_t t) { return !condition[t]; });
    if (running.empty() || !machine.runCode(instruction.regions[1], running)) return;
  }
}

Execute loadMemory(uint64_t elementBytes) {
  switch (elementBytes) {
    case 1:
      return load<uint8_t>;
    case 2:
      return load<uint16_t>;
    case 4:
      return load<uint32_t>;
    default:
      return load<uint64_t>;
  }
}

Execute storeMemory(uint64_t elementBytes) {
  switch (elementBytes) {
    case 1:
      return store<uint8_t>;
    case 2:
      return store<uint16_t>;
    case 4:
      return store<uint32_t>;
    default:
      return store<uint64_t>;
  }
}

void loadMasked(Machine& machine, const Instruction& instruction, Threads threads) {
  const uint64_t* address = machine.slot(instruction.operands[0]);
  const size_t count = instruction.results.size();
  const uint64_t bytes = instruction.numbers[1];
  for (uint32_t t : threads) {
    if (!checkAlignment(machine, instruction, t, address[t])) return;
    for (size_t i = 0; i < count; ++i) {
      uint64_t value = machine.slot(instruction.operands[1 + count + i])[t];
      if (machine.slot(instruction.operands[1 + i])[t]) {
        const char* data = machine.access(instruction, t, address[t] + i * bytes, bytes, 1, false);
        if (data == nullptr) return;
        value = 0;
        std::memcpy(&value, data, bytes);
      }
      machine.slot(instruction.results[i])[t] = value;
    }
  }
}

void storeMasked(Machine& machine, const Instruction& instruction, Threads threads) {
  const uint64_t* address = machine.slot(instruction.operands[0]);
  const size_t count = (instruction.operands.size() - 1) / 2;
  const uint64_t bytes = instruction.numbers[1];
  for (uint32_t t : threads) {
    if (!checkAlignment(machine, instruction, t, address[t])) return;
    for (size_t i = 0; i < count; ++i) {
      if (!machine.slot(instruction.operands[1 + count + i])[t]) continue;
      char* data = machine.access(instruction, t, address[t] + i * bytes, bytes, 1, true);
      if (data == nullptr) return;
      std::memcpy(data, machine.slot(instruction.operands[1 + i]) + t, bytes);
    }
  }
}

void addScaled(Machine& machine, const Instruction& instruction, Threads threads) {
  const uint64_t* address = machine.slot(instruction.operands[0]);
  const uint64_t* index = machine.slot(instruction.operands[1]);
  uint64_t* out = machine.slot(instruction.results[0]);
  const uint64_t step = instruction.numbers[0];
  const unsigned unused = 64 - static_cast<unsigned>(instruction.numbers[1]);
  for (uint32_t t : threads) {
    const int64_t extended = static_cast<int64_t>(index[t] << unused) >> unused;
    out[t] = address[t] + static_cast<uint64_t>(extended) * step;
  }
}

void addConstant(Machine& machine, const Instruction& instruction, Threads threads) {
  const uint64_t* address = machine.slot(instruction.operands[0]);
  uint64_t* out = machine.slot(instruction.results[0]);
  for (uint32_t t : threads) out[t] = address[t] + instruction.numbers[0];
}

void findElement(Machine& machine, const Instruction& instruction, Threads threads) {
  const size_t rank = instruction.operands.size() - 1;
  const uint64_t bytes = instruction.numbers[0];
  const uint64_t* address = machine.slot(instruction.operands[0]);
  uint64_t* out = machine.slot(instruction.results[0]);
  for (uint32_t t : threads) {
    uint64_t element = 0;
    for (size_t i = 0; i < rank; ++i) {
      const int64_t index = machine.slot(instruction.operands[1 + i])[t];
      const int64_t touched = i + 1 == rank ? instruction.numbers[1] : 1;
      const int64_t extent = instruction.numbers[2 + i];
      if (index < 0 || index > extent - touched) {
        return machine.fail(instruction, t,
                            absl::StrCat("index ", i, ": expected at least 0 and at most ",
                                         extent - touched, ", got ", index));
      }
      element += index * instruction.numbers[2 + rank + i];
    }
    out[t] = address[t] + element * bytes;
  }
}

void readPosition(Machine& machine, const Instruction& instruction, Threads threads) {
  const auto along = [&](const Dim& dim) {
    return instruction.numbers[1] == 0 ? dim.x : instruction.numbers[1] == 1 ? dim.y : dim.z;
  };
  const Launch& launch = machine.launch();
  const auto read = [&](uint32_t t) -> int64_t {
    switch (static_cast<Position>(instruction.numbers[0])) {
      case Position::kThread:
        return along(machine.threadPosition(t));
      case Position::kBlock:
        return along(machine.block());
      case Position::kBlockSize:
        return along(launch.block);
      case Position::kGridSize:
        return along(launch.grid);
      case Position::kGlobal:
        return along(machine.block()) * along(launch.block) + along(machine.threadPosition(t));
      case Position::kLane:
        return t % kWarpLanes;
      case Position::kWarp:
        return t / kWarpLanes;
    }
    return 0;
  };
  uint64_t* out = machine.slot(instruction.results[0]);
  for (uint32_t t : threads) out[t] = read(t);
}

namespace {

// Calls visit with the threads of each warp among `threads`, until an error.
void forEachWarp(Machine& machine, Threads threads, llvm::function_ref<void(Threads)> visit) {
  while (!threads.empty() && !machine.failed()) {
    const uint32_t warp = threads.front() / kWarpLanes;
    const Threads lanes = threads.take_while([&](uint32_t t) { return t / kWarpLanes == warp; });
    visit(lanes);
    threads = threads.drop_front(lanes.size());
  }
}

// The lane that `lane` reads, or -1 where it is outside the width.
int64_t sourceLane(gpu::ShuffleMode mode, int64_t lane, int64_t offset, int64_t width) {
  int64_t source = 0;
  switch (mode) {
    case gpu::ShuffleMode::XOR:
      source = lane ^ offset;
      break;
    case gpu::ShuffleMode::DOWN:
      source = lane + offset;
      break;
    case gpu::ShuffleMode::UP:
      source = lane - offset;
      break;
    case gpu::ShuffleMode::IDX:
      source = offset;
      break;
  }
  return source >= 0 && source < width ? source : -1;
}

// The lanes of one warp that reached a shuffle must be exactly those below the width.
bool checkLanes(Machine& machine, const Instruction& instruction, Threads lanes) {
  const uint64_t* width = machine.slot(instruction.operands.back());
  const uint32_t warp = lanes.front() / kWarpLanes;
  const int64_t wanted = fromBits<int32_t>(width[lanes.front()]);
  if (wanted < 1 || wanted > kWarpLanes) {
    machine.fail(instruction, lanes.front(),
                 absl::StrCat("shuffle: expected a width in [1, 32], got ", wanted));
    return false;
  }
  for (uint32_t t : lanes) {
    if (fromBits<int32_t>(width[t]) == wanted && t % kWarpLanes < wanted) continue;
    machine.fail(
        instruction, t,
        absl::StrCat("shuffle: lane ", t % kWarpLanes, " of warp ", warp, " takes part with width ",
                     fromBits<int32_t>(width[t]), ", expected the lanes below ", wanted, " alone"));
    return false;
  }
  if (lanes.size() == wanted) return true;
  uint32_t missing = 0;
  while (missing < lanes.size() && lanes[missing] % kWarpLanes == missing) ++missing;
  machine.fail(instruction, lanes.front(),
               absl::StrCat("shuffle: lane ", missing, " of warp ", warp,
                            " is inactive, expected all lanes below ", wanted));
  return false;
}

void shuffleWarp(Machine& machine, const Instruction& instruction, Threads lanes) {
  if (!checkLanes(machine, instruction, lanes)) return;
  const size_t elements = instruction.results.size() - 1;
  const auto mode = static_cast<gpu::ShuffleMode>(instruction.numbers[0]);
  const uint64_t* offset = machine.slot(instruction.operands[elements]);
  const int64_t width = static_cast<int64_t>(lanes.size());
  const uint32_t first = lanes.front();
  for (uint32_t t : lanes) {
    const int64_t source = sourceLane(mode, t - first, fromBits<int32_t>(offset[t]), width);
    machine.slot(instruction.results.back())[t] = source >= 0;
    for (size_t i = 0; i < elements; ++i) {
      const uint64_t* values = machine.slot(instruction.operands[i]);
      machine.slot(instruction.results[i])[t] = values[source >= 0 ? first + source : t];
    }
  }
}

}  // namespace

void shuffleLanes(Machine& machine, const Instruction& instruction, Threads threads) {
  forEachWarp(machine, threads, [&](Threads lanes) { shuffleWarp(machine, instruction, lanes); });
}

void waitForWarp(Machine& machine, const Instruction& instruction, Threads threads) {
  const uint64_t* mask = machine.slot(instruction.operands[0]);
  forEachWarp(machine, threads, [&](Threads lanes) {
    const uint32_t warp = lanes.front() / kWarpLanes;
    const uint32_t existing = std::min(machine.numThreads() - warp * kWarpLanes, kWarpLanes);
    const uint64_t all = (uint64_t{1} << existing) - 1;
    uint64_t active = 0;
    for (uint32_t t : lanes) active |= uint64_t{1} << t % kWarpLanes;
    for (uint32_t t : lanes) {
      const uint64_t wanted = mask[t] & all;
      if (wanted == active) continue;
      const int lane = std::countr_zero(wanted ^ active);
      return machine.fail(
          instruction, t,
          absl::StrCat("divergent warp barrier: lane ", lane, " of warp ", warp,
                       (wanted >> lane & 1) != 0 ? " is in the mask but inactive"
                                                 : " is active but not in the mask"));
    }
    // Parts of a warp that meet by themselves order nothing between the parts; then the whole warp
    // keeps its interval, which at worst reports what is no race.
    if (active == all) machine.endWarpInterval(warp);
  });
}

void waitAtBarrier(Machine& machine, const Instruction& instruction, Threads threads) {
  if (threads.size() == machine.numThreads()) return machine.endBlockInterval();
  uint32_t missing = 0;
  while (missing < threads.size() && threads[missing] == missing) ++missing;
  const Dim at = machine.threadPosition(missing);
  machine.fail(instruction, threads.front(),
               absl::StrCat("divergent barrier: ", threads.size(), " of ", machine.numThreads(),
                            " threads of the block reach it; thread (", at.x, ", ", at.y, ", ",
                            at.z, ") does not"));
}

}  // namespace alidade::pref::simt
