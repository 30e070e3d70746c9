// Records of a TensorBoard event file.
#ifndef ALIDADE_TRAINERS_CORE_EVENT_FILE_H_
#define ALIDADE_TRAINERS_CORE_EVENT_FILE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace alidade::trainers {

// CRC-32C (Castagnoli polynomial, reflected; RFC 3720, section 12.1).
uint32_t Crc32c(absl::string_view bytes);

// One record: length (u64), masked CRC of the length (u32), payload, masked CRC of the payload
// (u32); little endian. mask(c) = rotate_right(c, 15) + 0xa282ead8.
std::string EncodeRecord(absl::string_view payload);

// The first record of every event file. `wall_time` in seconds since 1970.
std::string EncodeFileVersion(double wall_time);

// One point of each named curve.
std::string EncodeScalars(double wall_time, int64_t step,
                          const std::vector<std::pair<std::string, double>>& scalars);

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_CORE_EVENT_FILE_H_
