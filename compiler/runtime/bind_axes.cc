#include "compiler/runtime/bind_axes.h"

#include <string>
#include <utility>

#include "absl/types/span.h"
#include "common/status/status.h"
#include "compiler/runtime/check.h"

namespace alidade::runtime {
namespace {

// All i < j of the members of each row.
std::vector<int64_t> PairOffsets(const std::vector<int64_t>& members) {
  std::vector<int64_t> pairs = {0};
  for (size_t row = 0; row + 1 < members.size(); ++row) {
    const int64_t count = members[row + 1] - members[row];
    pairs.push_back(pairs.back() + count * (count - 1) / 2);
  }
  return pairs;
}

class AxisBinder {
 public:
  AxisBinder(const Signature& signature, const ObjectiveInputs& inputs, bool is_part)
      : signature_(signature), inputs_(inputs), is_part_(is_part) {}

  absl::StatusOr<std::vector<std::vector<int64_t>>> Bind() {
    offsets_.resize(signature_.axes.size());
    source_.resize(signature_.axes.size());
    ALIDADE_RETURN_IF_ERROR(CheckGiven());
    for (size_t axis = 0; axis < signature_.axes.size(); ++axis)
      ALIDADE_RETURN_IF_ERROR(BindAxis(axis));
    // Axes that nothing brings, now that the number of rows is known.
    for (size_t axis = 0; axis < signature_.axes.size(); ++axis) {
      if (!offsets_[axis].empty()) continue;
      const int64_t parent = signature_.axes[axis].parent;
      const int64_t parents = parent >= 0 ? offsets_[parent].back() : num_rows_;
      offsets_[axis].assign(parents + 1, 0);
    }
    return std::move(offsets_);
  }

 private:
  // inputs.offsets holds only axes that no distribution could contradict.
  absl::Status CheckGiven() const {
    std::vector<std::string> names;
    for (size_t axis = 0; axis < signature_.axes.size(); ++axis) {
      if (signature_.axes[axis].kind != "pair" && !HasDistribution(axis))
        names.push_back(signature_.axes[axis].Name());
    }
    return CheckNames("axis of offsets", inputs_.offsets, names);
  }

  bool HasDistribution(int64_t axis) const {
    for (const Distribution& d : signature_.distributions)
      if (d.axis == axis) return true;
    return false;
  }

  absl::Status BindAxis(int64_t axis) {
    const schedule::Axis& shape = signature_.axes[axis];
    if (shape.kind == "pair") {
      const std::vector<int64_t>& members = offsets_[*signature_.FindAxis("member")];
      if (!members.empty()) offsets_[axis] = PairOffsets(members);
      return absl::OkStatus();
    }
    if (!HasDistribution(axis)) {
      const auto given = inputs_.offsets.find(shape.Name());
      if (given == inputs_.offsets.end() && is_part_) return absl::OkStatus();
      return Take(axis, shape.Name() + ".offsets",
                  given == inputs_.offsets.end() ? at::Tensor() : given->second);
    }
    for (const Distribution& d : signature_.distributions) {
      const auto given = inputs_.distributions.find(d.Name());
      if (d.axis != axis || given == inputs_.distributions.end()) continue;
      ALIDADE_RETURN_IF_ERROR(Take(axis, d.Name() + ".offsets", given->second.offsets));
    }
    return absl::OkStatus();
  }

  absl::Status Take(int64_t axis, const std::string& name, const at::Tensor& tensor) {
    const int64_t parent = signature_.axes[axis].parent;
    if (parent >= 0 && offsets_[parent].empty()) {
      return Invalid(signature_.axes[parent].Name(), ".offsets: expected a tensor [*] for ", name,
                     ", got none");
    }
    const int64_t parents = parent >= 0 ? offsets_[parent].back() : kAnySize;
    ALIDADE_RETURN_IF_ERROR(CheckOffsets(name, tensor, parents));
    const absl::Span<const int64_t> values = Integers(tensor);
    if (parent < 0) {
      const int64_t rows = static_cast<int64_t>(values.size()) - 1;
      if (first_.empty()) {
        first_ = name;
        num_rows_ = rows;
      }
      if (rows != num_rows_)
        return Invalid(name, ": expected ", num_rows_, " rows as in ", first_, ", got ", rows);
    }
    std::vector<int64_t>& known = offsets_[axis];
    if (known.empty()) {
      known.assign(values.begin(), values.end());
      source_[axis] = name;
      return absl::OkStatus();
    }
    for (size_t i = 0; i < known.size(); ++i) {
      if (known[i] != values[i]) {
        return Invalid(name, "[", i, "]: expected ", known[i], " as in ", source_[axis], ", got ",
                       values[i]);
      }
    }
    return absl::OkStatus();
  }

  const Signature& signature_;
  const ObjectiveInputs& inputs_;
  const bool is_part_;
  std::vector<std::vector<int64_t>> offsets_;
  std::vector<std::string> source_;  // by axis: the tensor that its offsets came from
  std::string first_;                // the first offsets by row; they fix the number of rows
  int64_t num_rows_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<std::vector<int64_t>>> BindAxes(const Signature& signature,
                                                           const ObjectiveInputs& inputs,
                                                           bool is_part) {
  return AxisBinder(signature, inputs, is_part).Bind();
}

}  // namespace alidade::runtime
