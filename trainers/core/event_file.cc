#include "trainers/core/event_file.h"

#include <array>

#include "trainers/core/event.pb.h"

namespace alidade::trainers {
namespace {

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? 0x82f63b78u : 0);
    table[i] = value;
  }
  return table;
}

uint32_t MaskedCrc(absl::string_view bytes) {
  const uint32_t crc = Crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

std::string LittleEndian(uint64_t value, int num_bytes) {
  std::string bytes;
  for (int i = 0; i < num_bytes; ++i) bytes.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  return bytes;
}

}  // namespace

uint32_t Crc32c(absl::string_view bytes) {
  static constexpr std::array<uint32_t, 256> kTable = MakeTable();
  uint32_t crc = 0xffffffffu;
  for (const char byte : bytes)
    crc = (crc >> 8) ^ kTable[(crc ^ static_cast<uint8_t>(byte)) & 0xff];
  return ~crc;
}

std::string EncodeRecord(absl::string_view payload) {
  std::string record = LittleEndian(payload.size(), 8);
  record += LittleEndian(MaskedCrc(record), 4);
  record.append(payload.data(), payload.size());
  record += LittleEndian(MaskedCrc(payload), 4);
  return record;
}

std::string EncodeFileVersion(double wall_time) {
  Event event;
  event.set_wall_time(wall_time);
  event.set_file_version("brain.Event:2");
  return EncodeRecord(event.SerializeAsString());
}

std::string EncodeScalars(double wall_time, int64_t step,
                          const std::vector<std::pair<std::string, double>>& scalars) {
  Event event;
  event.set_wall_time(wall_time);
  event.set_step(step);
  for (const auto& [tag, value] : scalars) {
    EventSummaryValue* scalar = event.mutable_summary()->add_value();
    scalar->set_tag(tag);
    scalar->set_simple_value(static_cast<float>(value));
  }
  return EncodeRecord(event.SerializeAsString());
}

}  // namespace alidade::trainers
