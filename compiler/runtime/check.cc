#include "compiler/runtime/check.h"

#include <cmath>

#include "ATen/ATen.h"
#include "absl/strings/str_join.h"
#include "common/status/status.h"

namespace alidade::runtime {
namespace {

template <typename T>
absl::Status CheckFiniteElements(const std::string& name, const at::Tensor& tensor) {
  const T* values = tensor.data_ptr<T>();
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    if (!std::isfinite(values[i])) {
      const std::string where = tensor.dim() == 0 ? "" : absl::StrCat("[", i, "]");
      return Invalid(name, where, ": expected a finite number, got ", values[i]);
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string ShapeText(at::IntArrayRef sizes) {
  const auto format = [](std::string* out, int64_t size) {
    absl::StrAppend(out, size == kAnySize ? std::string("*") : absl::StrCat(size));
  };
  return absl::StrCat("[", absl::StrJoin(sizes, ", ", format), "]");
}

absl::Status CheckTensor(const std::string& name, const at::Tensor& tensor,
                         const TensorNeeds& needs) {
  if (!tensor.defined())
    return Invalid(name, ": expected a tensor ", ShapeText(needs.sizes), ", got none");
  if (tensor.device() != needs.device) {
    return Invalid(name, ": expected a tensor on ", needs.device.str(), ", got ",
                   tensor.device().str());
  }
  if (tensor.layout() != at::kStrided)
    return Invalid(name, ": expected a dense tensor, got a sparse one");
  if (tensor.scalar_type() != needs.dtype) {
    return Invalid(name, ": expected ", c10::toString(needs.dtype), ", got ",
                   c10::toString(tensor.scalar_type()));
  }
  bool fits = tensor.dim() == static_cast<int64_t>(needs.sizes.size());
  for (size_t i = 0; fits && i < needs.sizes.size(); ++i)
    fits = needs.sizes[i] == kAnySize || needs.sizes[i] == tensor.size(i);
  if (!fits) {
    return Invalid(name, ": expected shape ", ShapeText(needs.sizes), ", got ",
                   ShapeText(tensor.sizes()));
  }
  if (!tensor.is_contiguous()) {
    return Invalid(name, ": expected a contiguous tensor, got shape ", ShapeText(tensor.sizes()),
                   " with strides ", ShapeText(tensor.strides()));
  }
  return absl::OkStatus();
}

absl::Span<const int64_t> Integers(const at::Tensor& tensor) {
  return absl::MakeConstSpan(tensor.data_ptr<int64_t>(), tensor.numel());
}

absl::Status CheckOffsets(const std::string& name, const at::Tensor& offsets, int64_t parents) {
  ALIDADE_RETURN_IF_ERROR(CheckTensor(
      name, offsets, {at::kCPU, at::kLong, {parents == kAnySize ? kAnySize : parents + 1}}));
  if (parents == kAnySize && offsets.numel() < 2)
    return Invalid(name, ": expected at least one row, got shape ", ShapeText(offsets.sizes()));
  const absl::Span<const int64_t> values = Integers(offsets);
  if (values[0] != 0) return Invalid(name, "[0]: expected 0, got ", values[0]);
  for (size_t i = 1; i < values.size(); ++i) {
    if (values[i] < values[i - 1]) {
      return Invalid(name, "[", i, "]: expected at least ", values[i - 1],
                     " (offsets never fall), got ", values[i]);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckLabels(const std::string& name, const at::Tensor& labels, c10::Device device,
                         int64_t tokens, int64_t vocabulary) {
  ALIDADE_RETURN_IF_ERROR(CheckTensor(name, labels, {device, at::kLong, {tokens}}));
  if (!device.is_cpu()) {
    if (tokens > 0) {
      at::_assert_async(at::logical_and(labels.min().ge(0), labels.max().lt(vocabulary)),
                        absl::StrCat(name, ": expected tokens in [0, ", vocabulary, ")"));
    }
    return absl::OkStatus();
  }
  const absl::Span<const int64_t> values = Integers(labels);
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] < 0 || values[i] >= vocabulary) {
      return Invalid(name, "[", i, "]: expected a token in [0, ", vocabulary, "), got ", values[i]);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckIndexes(const std::string& name, const at::Tensor& indexes, int64_t vocabulary) {
  if (!indexes.device().is_cpu()) return absl::OkStatus();
  const float* values = indexes.data_ptr<float>();
  for (int64_t i = 0; i < indexes.numel(); ++i) {
    if (!(values[i] >= 0 && values[i] < vocabulary && values[i] == std::floor(values[i]))) {
      return Invalid(name, "[", i, "]: expected a token, a whole number in [0, ", vocabulary,
                     "), got ", values[i]);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckFinite(const std::string& name, const at::Tensor& tensor) {
  if (!tensor.device().is_cpu()) return absl::OkStatus();
  return tensor.scalar_type() == at::kDouble ? CheckFiniteElements<double>(name, tensor)
                                             : CheckFiniteElements<float>(name, tensor);
}

}  // namespace alidade::runtime
