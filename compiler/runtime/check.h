#ifndef ALIDADE_COMPILER_RUNTIME_CHECK_H_
#define ALIDADE_COMPILER_RUNTIME_CHECK_H_

// Checks of single tensors. Every error names the tensor, expected and got.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/registry/nearest_name.h"

namespace alidade::runtime {

inline constexpr int64_t kAnySize = -1;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// "[4, 7]"; kAnySize prints as *.
std::string ShapeText(at::IntArrayRef sizes);

struct TensorNeeds {
  c10::Device device;
  at::ScalarType dtype;
  std::vector<int64_t> sizes;  // kAnySize: whatever it is
};

// Defined, dense, contiguous, on the device, of the type and the shape.
absl::Status CheckTensor(const std::string& name, const at::Tensor& tensor,
                         const TensorNeeds& needs);

// [parents + 1] i64 on the CPU (kAnySize: at least one parent): begins with 0, never falls.
absl::Status CheckOffsets(const std::string& name, const at::Tensor& offsets, int64_t parents);

// [tokens] i64, each in [0, vocabulary); on a GPU the device itself checks that.
absl::Status CheckLabels(const std::string& name, const at::Tensor& labels, c10::Device device,
                         int64_t tokens, int64_t vocabulary);

// Tokens given as f32 on the CPU: each a whole number in [0, vocabulary).
absl::Status CheckIndexes(const std::string& name, const at::Tensor& indexes, int64_t vocabulary);

// Elements of an f32 or f64 tensor on the CPU; on a GPU nothing is looked at.
absl::Status CheckFinite(const std::string& name, const at::Tensor& tensor);

// The elements of an i64 tensor on the CPU.
absl::Span<const int64_t> Integers(const at::Tensor& tensor);

// Names in `given` that are not in `known`: NotFound, with the nearest.
template <typename Map>
absl::Status CheckNames(absl::string_view kind, const Map& given,
                        const std::vector<std::string>& known) {
  for (const auto& [name, value] : given) {
    bool is_known = false;
    for (const std::string& candidate : known) is_known |= candidate == name;
    if (!is_known) return UnknownNameError(kind, name, known);
  }
  return absl::OkStatus();
}

}  // namespace alidade::runtime

#endif  // ALIDADE_COMPILER_RUNTIME_CHECK_H_
