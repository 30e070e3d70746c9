#include "compiler/tools/prefc/EvenBatch.h"

#include <string>
#include <utility>
#include <vector>

namespace alidade::pref {
namespace {

int64_t pointsOfEach(const schedule::Axis& axis, const EvenSizes& sizes) {
  if (axis.kind == "token") return sizes.tokens;
  if (axis.kind == "member") return sizes.members;
  if (axis.kind == "segment") return sizes.segments;
  return sizes.members * (sizes.members - 1) / 2;  // pairs
}

}  // namespace

schedule::Problem evenProblem(const schedule::Signature& signature, const EvenSizes& sizes) {
  schedule::Problem problem;
  for (const schedule::Axis& axis : signature.axes) {
    const int64_t parents = axis.parent < 0 ? sizes.rows : problem.offsets[axis.parent].back();
    std::vector<int64_t> offsets;
    for (int64_t parent = 0; parent <= parents; ++parent)
      offsets.push_back(parent * pointsOfEach(axis, sizes));
    problem.offsets.push_back(std::move(offsets));
  }
  for (const schedule::Distribution& distribution : signature.distributions) {
    problem.uses.push_back({.hidden_gradient = distribution.requires_grad});
    schedule::HeadShape& shape = problem.heads[distribution.model];
    const bool wanted =
        shape.requires_grad || (sizes.head.requires_grad && distribution.requires_grad);
    shape = sizes.head;
    shape.requires_grad = wanted;
  }
  return problem;
}

}  // namespace alidade::pref
