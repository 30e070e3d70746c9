#ifndef ALIDADE_COMPILER_TESTING_TORCH_POINTS_H_
#define ALIDADE_COMPILER_TESTING_TORCH_POINTS_H_

// The points of an objective's axes as LibTorch index tensors, and what moves values between axes.
// A value is [] for no axes, else 1-D and packed over the points of its innermost axis.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ATen/ATen.h"

namespace alidade::testing {

// The points of one axis.
struct PointSet {
  at::Tensor offsets;  // i64 [parents + 1]
  at::Tensor counts;   // i64 [parents]
  at::Tensor parents;  // i64 [size]: the parent's point of each point
  at::Tensor places;   // i64 [size]: index of each point among those of its parent
  int64_t size = 0;

  explicit PointSet(const std::vector<int64_t>& bounds);
};

// All pairs i < j of the members of each row, as indices into the members.
struct MemberPairs {
  at::Tensor first, second;        // i64 [pairs]
  std::vector<int64_t> bounds{0};  // [rows + 1]

  explicit MemberPairs(const PointSet& members);
};

// Applies fn to each group of x that has one parent, and packs the results: [n] -> [n].
at::Tensor MapGroups(const at::Tensor& x, const PointSet& points,
                     const std::function<at::Tensor(const at::Tensor&)>& fn);

// fn of each group, one number each: [n] -> [].
at::Tensor ReduceGroups(const at::Tensor& x, const PointSet& points,
                        const std::function<at::Tensor(const at::Tensor&)>& fn);

// Indices that put x in ascending order within each group: stable, nan last.
at::Tensor SortedOrder(const at::Tensor& x, const PointSet& points);

// y_t = x_t + decay y_(t-1), or y_(t+1) when reversed; the sum starts anew in each group. `decay`
// has one number per group.
at::Tensor Scan(const at::Tensor& x, const at::Tensor& decay, const PointSet& points, bool reverse);

// Index among the points of `segments` of the span that each point of `ids` is in, and a mask of
// those that are in one. `rows`: the row of each of them.
struct SegmentPlaces {
  at::Tensor index, inside;
};
SegmentPlaces FindSegments(const at::Tensor& ids, const at::Tensor& rows, const PointSet& segments);

// pref.uniform: a number in (0, 1) for each of n places.
at::Tensor UniformAt(double seed, int64_t n);

}  // namespace alidade::testing

#endif  // ALIDADE_COMPILER_TESTING_TORCH_POINTS_H_
