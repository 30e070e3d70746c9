#include "compiler/simt/Machine.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"

using namespace mlir;

namespace alidade::pref::simt {
namespace {

// Before and after every array that the machine owns, so that a step outside finds nothing.
constexpr uint64_t kRedZone = 256;
constexpr uint64_t kOwnAlignment = 128;

std::string textOf(const Dim& at) { return absl::StrCat("(", at.x, ", ", at.y, ", ", at.z, ")"); }

Dim positionIn(uint64_t number, const Dim& extent) {
  const int64_t n = static_cast<int64_t>(number);
  return {n % extent.x, n / extent.x % extent.y, n / extent.x / extent.y};
}

}  // namespace

Machine::Machine(const Program& program, const Launch& launch, Memory& memory)
    : program_(program),
      launch_(launch),
      memory_(memory),
      numThreads_(static_cast<uint32_t>(launch.block.count())),
      registers_(uint64_t{program.numSlots} * numThreads_),
      hints_(program.origins.size()) {}

Dim Machine::threadPosition(uint32_t thread) const { return positionIn(thread, launch_.block); }
Dim Machine::blockPosition(uint64_t number) const { return positionIn(number, launch_.grid); }

std::string Machine::who(const Dim& block, uint32_t thread) const {
  return absl::StrCat("block ", textOf(block), ", thread ", textOf(threadPosition(thread)));
}

void Machine::fail(const Instruction& instruction, uint32_t thread, const std::string& message) {
  if (failed()) return;
  status_ = absl::FailedPreconditionError(
      absl::StrCat(simt::describe(instruction.op), ": ", who(block_, thread), ": ", message));
}

uint64_t Machine::own(const std::string& name, const void* contents, uint64_t bytes,
                      Access access) {
  owned_.push_back(std::make_unique<char[]>(bytes + 2 * kRedZone + kOwnAlignment));
  const uintptr_t start = reinterpret_cast<uintptr_t>(owned_.back().get()) + kRedZone;
  const uintptr_t begin = (start + kOwnAlignment - 1) / kOwnAlignment * kOwnAlignment;
  char* data = reinterpret_cast<char*>(begin);
  if (contents != nullptr) std::memcpy(data, contents, bytes);
  // Fresh memory overlaps nothing.
  local_.add(name, data, bytes, access).IgnoreError();
  return begin;
}

void Machine::set(uint32_t index, uint64_t bits) { std::fill_n(slot(index), numThreads_, bits); }

absl::Status Machine::run(ArrayRef<Argument> arguments) {
  for (const auto& [index, bits] : program_.constants) set(index, bits);
  for (auto [number, parameter] : llvm::enumerate(program_.parameters)) {
    const std::string& bytes = arguments[number].bytes();
    uint64_t bits = 0;
    if (parameter.byValue) {
      bits = own(absl::StrCat("parameter ", number), bytes.data(), bytes.size(), Access::kRead);
    } else {
      std::memcpy(&bits, bytes.data(), bytes.size());
    }
    set(parameter.slot, bits);
  }
  for (auto [number, array] : llvm::enumerate(program_.shared)) {
    const uint64_t begin =
        own(absl::StrCat("shared array ", number), nullptr, array.bytes, Access::kWrite);
    if (Buffer* buffer = local_.find(begin, array.bytes)) shared_.push_back(buffer);
    set(array.slot, begin);
  }
  std::vector<uint32_t> all(numThreads_);
  std::iota(all.begin(), all.end(), 0u);
  memory_.clock.launchBegin = memory_.clock.now + 1;
  const int64_t blocks = launch_.grid.count();
  for (int64_t number = 0; number < blocks && !failed(); ++number) {
    block_ = blockPosition(number);
    runBlock(all);
  }
  return status_;
}

void Machine::runBlock(Threads all) {
  endBlockInterval();
  memory_.clock.blockBegin = memory_.clock.now;
  blockBegins_.push_back(memory_.clock.now);
  for (Buffer* buffer : shared_) buffer->forget();
  executed_ = 0;
  runCode(program_.code, all);
}

bool Machine::runCode(const Code& code, Threads threads) {
  for (const Instruction& instruction : code) {
    if (++executed_ > launch_.instructionLimit) {
      fail(instruction, threads.front(),
           absl::StrCat("does not end: expected at most ", launch_.instructionLimit,
                        " instructions of one block (Launch::instructionLimit)"));
    } else {
      instruction.execute(*this, instruction, threads);
    }
    if (failed()) return false;
  }
  return true;
}

char* Machine::access(const Instruction& instruction, uint32_t thread, uint64_t address,
                      uint64_t bytes, uint64_t alignment, bool write) {
  const char* verb = write ? "writes " : "reads ";
  Buffer*& buffer = hints_[instruction.id];
  if (buffer == nullptr || !buffer->contains(address, bytes)) {
    buffer = memory_.find(address, bytes);
    if (buffer == nullptr) buffer = local_.find(address, bytes);
  }
  if (buffer == nullptr) {
    const Buffer* local = local_.nearest(address);
    const Buffer* given = memory_.nearest(address);
    const bool isLocal = local && (!given || local->distance(address) < given->distance(address));
    fail(instruction, thread,
         absl::StrCat(verb, bytes, " bytes at ", (isLocal ? local_ : memory_).describe(address)));
    return nullptr;
  }
  const uint64_t offset = address - buffer->begin;
  if (address % alignment != 0) {
    fail(instruction, thread,
         absl::StrCat(verb, bytes, " bytes at byte ", offset, " of ", buffer->name,
                      ", expected an address that is a multiple of ", alignment));
    return nullptr;
  }
  if (buffer->access == Access::kRead) {
    if (!write) return reinterpret_cast<char*>(address);
    fail(instruction, thread,
         absl::StrCat(verb, bytes, " bytes at byte ", offset, " of ", buffer->name,
                      ", which is only read"));
    return nullptr;
  }
  const auto conflict =
      buffer->touch(offset, bytes, write, Touch::makeWho(thread, instruction.id), memory_.clock);
  if (!conflict) return reinterpret_cast<char*>(address);
  failConflict(instruction, thread, *buffer, *conflict, bytes, write);
  return nullptr;
}

void Machine::failConflict(const Instruction& instruction, uint32_t thread, const Buffer& buffer,
                           const Conflict& conflict, uint64_t bytes, bool write) {
  const std::string what = absl::StrCat(write ? "writes " : "reads ", bytes, " bytes with byte ",
                                        conflict.offset, " of ", buffer.name);
  if (conflict.kind == Conflict::Kind::kUninitialised) {
    fail(instruction, thread, absl::StrCat(what, ", which nobody has written"));
    return;
  }
  // Blocks follow one another, so the time tells the block.
  const auto next = std::upper_bound(blockBegins_.begin(), blockBegins_.end(), conflict.other.when);
  const Dim block = blockPosition(next - blockBegins_.begin() - 1);
  const char* when = conflict.kind == Conflict::Kind::kInBlock
                         ? " without a barrier in between, at "
                         : " in the same launch, at ";
  fail(instruction, thread,
       absl::StrCat("race: ", what, ", which ", who(block, conflict.other.thread()),
                    conflict.otherWrites ? " writes" : " reads", when,
                    simt::describe(program_.origins[conflict.other.instruction()])));
}

}  // namespace alidade::pref::simt
