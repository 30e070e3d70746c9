#include "compiler/simt/Memory.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace alidade::pref::simt {

Buffer::Buffer(std::string name, uintptr_t begin, uint64_t bytes, Access access)
    : name(std::move(name)), begin(begin), bytes(bytes), access(access) {}

uint64_t Buffer::distance(uint64_t address) const {
  if (address < begin) return begin - address;
  return address <= begin + bytes ? 0 : address - (begin + bytes);
}

void Buffer::forget() { pages_.clear(); }

Buffer::Record& Buffer::recordOf(uint64_t offset) {
  if (pages_.empty()) pages_.resize((bytes + kPageBytes - 1) / kPageBytes);
  std::unique_ptr<Record[]>& page = pages_[offset / kPageBytes];
  if (!page) page = std::make_unique<Record[]>(kPageBytes);
  return page[offset % kPageBytes];
}

std::optional<Conflict> Buffer::touch(uint64_t offset, uint64_t size, bool write, uint32_t who,
                                      const Clock& clock) {
  const Touch now{clock.now, who};
  const auto conflictWith = [&](const Touch& other) -> std::optional<Conflict::Kind> {
    if (other.when < clock.launchBegin) return std::nullopt;
    if (other.when < clock.blockBegin) return Conflict::Kind::kBetweenBlocks;
    if (other.when < clock.block || other.thread() == now.thread()) return std::nullopt;
    if (other.warp() == now.warp() && other.when < clock.warps[now.warp()]) return std::nullopt;
    return Conflict::Kind::kInBlock;
  };
  for (uint64_t at = offset; at < offset + size; ++at) {
    Record& record = recordOf(at);
    if (!write && access == Access::kWrite && record.write.when == 0)
      return Conflict{Conflict::Kind::kUninitialised, at, {}, false};
    if (const auto kind = conflictWith(record.write))
      return Conflict{*kind, at, record.write, true};
    if (write) {
      for (const Touch& read :
           {record.read, record.otherWarpRead, record.sameWarpRead, record.earlierRead})
        if (const auto kind = conflictWith(read)) return Conflict{*kind, at, read, false};
      record.write = now;
      continue;
    }
    if (const auto kind = conflictWith(record.read)) {
      (*kind == Conflict::Kind::kBetweenBlocks ? record.earlierRead
       : record.read.warp() == now.warp()      ? record.sameWarpRead
                                               : record.otherWarpRead) = record.read;
    }
    record.read = now;
  }
  return std::nullopt;
}

absl::Status Memory::add(const std::string& name, const void* data, uint64_t bytes, Access access) {
  if (bytes == 0) return absl::OkStatus();
  if (data == nullptr)
    return absl::InvalidArgumentError(absl::StrCat(name, ": expected an array, got null"));
  auto added = std::make_unique<Buffer>(name, reinterpret_cast<uintptr_t>(data), bytes, access);
  uintptr_t end = added->begin + bytes;
  auto next = buffers_.lower_bound(added->begin);
  if (next != buffers_.begin()) {
    const Buffer& before = *std::prev(next)->second;
    if (before.begin + before.bytes > added->begin) --next;
  }
  while (next != buffers_.end() && next->second->begin < end) {
    const Buffer& other = *next->second;
    if (access != Access::kRead || other.access != Access::kRead) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": expected memory of its own, got bytes of ", other.name));
    }
    end = std::max(end, other.begin + other.bytes);
    if (other.begin <= added->begin) added->name = other.name;
    added->begin = std::min(added->begin, other.begin);
    added->bytes = end - added->begin;
    next = buffers_.erase(next);
  }
  const uintptr_t begin = added->begin;
  buffers_[begin] = std::move(added);
  return absl::OkStatus();
}

Buffer* Memory::find(uint64_t address, uint64_t size) {
  const auto next = buffers_.upper_bound(address);
  if (next == buffers_.begin()) return nullptr;
  Buffer* buffer = std::prev(next)->second.get();
  return buffer->contains(address, size) ? buffer : nullptr;
}

const Buffer* Memory::nearest(uint64_t address) const {
  const Buffer* nearest = nullptr;
  for (const auto& [begin, buffer] : buffers_)
    if (nearest == nullptr || buffer->distance(address) < nearest->distance(address))
      nearest = buffer.get();
  return nearest;
}

std::string Memory::describe(uint64_t address) const {
  const Buffer* buffer = nearest(address);
  if (address == 0) return "the null pointer";
  if (buffer == nullptr) return "memory of which nothing is registered";
  const std::string array = absl::StrCat(buffer->name, " (", buffer->bytes, " bytes)");
  const uint64_t distance = buffer->distance(address);
  if (address < buffer->begin) return absl::StrCat(distance, " bytes before ", array);
  const uint64_t offset = address - buffer->begin;
  if (offset < buffer->bytes) return absl::StrCat("byte ", offset, " of ", array);
  if (distance == 0) return absl::StrCat("the end of ", array);
  return absl::StrCat(distance, " bytes after the end of ", array);
}

}  // namespace alidade::pref::simt
