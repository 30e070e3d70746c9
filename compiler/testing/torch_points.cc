#include "compiler/testing/torch_points.h"

namespace alidade::testing {

PointSet::PointSet(const std::vector<int64_t>& bounds)
    : offsets(at::tensor(bounds, at::kLong)),
      counts(offsets.diff()),
      parents(at::arange(counts.numel(), at::kLong).repeat_interleave(counts)),
      places(at::arange(bounds.back(), at::kLong) - offsets.index_select(0, parents)),
      size(bounds.back()) {}

MemberPairs::MemberPairs(const PointSet& members) {
  std::vector<int64_t> firsts, seconds;
  for (int64_t row = 0; row < members.counts.numel(); ++row) {
    const int64_t begin = members.offsets[row].item<int64_t>();
    const int64_t end = members.offsets[row + 1].item<int64_t>();
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = i + 1; j < end; ++j) {
        firsts.push_back(i);
        seconds.push_back(j);
      }
    }
    bounds.push_back(firsts.size());
  }
  first = at::tensor(firsts, at::kLong);
  second = at::tensor(seconds, at::kLong);
}

static std::vector<at::Tensor> Groups(const at::Tensor& x, const PointSet& points) {
  std::vector<at::Tensor> groups;
  for (int64_t group = 0; group < points.counts.numel(); ++group) {
    groups.push_back(x.slice(0, points.offsets[group].item<int64_t>(),
                             points.offsets[group + 1].item<int64_t>()));
  }
  return groups;
}

at::Tensor MapGroups(const at::Tensor& x, const PointSet& points,
                     const std::function<at::Tensor(const at::Tensor&)>& fn) {
  std::vector<at::Tensor> groups = Groups(x, points);
  for (at::Tensor& group : groups) {
    if (group.numel() > 0) group = fn(group);
  }
  return at::cat(groups);
}

at::Tensor ReduceGroups(const at::Tensor& x, const PointSet& points,
                        const std::function<at::Tensor(const at::Tensor&)>& fn) {
  std::vector<at::Tensor> groups = Groups(x, points);
  for (at::Tensor& group : groups) group = fn(group);
  return at::stack(groups);
}

at::Tensor SortedOrder(const at::Tensor& x, const PointSet& points) {
  std::vector<at::Tensor> groups = Groups(x.detach(), points);
  for (size_t i = 0; i < groups.size(); ++i) {
    groups[i] =
        groups[i].argsort(/*stable=*/true, /*dim=*/0, /*descending=*/false) + points.offsets[i];
  }
  return at::cat(groups);
}

at::Tensor Scan(const at::Tensor& x, const at::Tensor& decay, const PointSet& points,
                bool reverse) {
  std::vector<at::Tensor> groups = Groups(x, points);
  for (size_t i = 0; i < groups.size(); ++i) {
    std::vector<at::Tensor> elements = groups[i].unbind();
    const int64_t n = elements.size();
    for (int64_t k = 1; k < n; ++k) {
      const int64_t at = reverse ? n - 1 - k : k, before = reverse ? at + 1 : at - 1;
      elements[at] = elements[at] + decay[i] * elements[before];
    }
    if (n > 0) groups[i] = at::stack(elements);
  }
  return at::cat(groups);
}

SegmentPlaces FindSegments(const at::Tensor& ids, const at::Tensor& rows,
                           const PointSet& segments) {
  const at::Tensor whole = ids.detach().to(at::kLong);
  const at::Tensor inside =
      whole.ge(0).logical_and(whole.lt(segments.counts.index_select(0, rows)));
  const at::Tensor index = segments.offsets.index_select(0, rows) + whole;
  return {.index = index.where(inside, at::zeros_like(index)), .inside = inside};
}

at::Tensor UniformAt(double seed, int64_t n) {
  std::vector<double> values;
  for (int64_t position = 0; position < n; ++position) {
    uint64_t z = uint64_t(int64_t(seed)) * 0x9E3779B97F4A7C15u + uint64_t(position) + 1;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    values.push_back((double(z >> 11) + 0.5) * 0x1p-53);
  }
  return at::tensor(values, at::kDouble);
}

}  // namespace alidade::testing
