#include "compiler/testing/random_calls.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <string>

namespace alidade::testing {
namespace {

using pref::Array;
using pref::Arrays;
using pref::Call;
using schedule::Distribution;
using schedule::Signature;

std::vector<int64_t> PairOffsets(const std::vector<int64_t>& members) {
  std::vector<int64_t> offsets = {0};
  for (size_t row = 0; row + 1 < members.size(); ++row) {
    const int64_t k = members[row + 1] - members[row];
    offsets.push_back(offsets.back() + k * (k - 1) / 2);
  }
  return offsets;
}

// size: number of points of an axis below one point of its parent.
Layout MakeLayout(const Signature& signature, int64_t rows,
                  const std::function<int64_t(const schedule::Axis&)>& size) {
  Layout layout{.rows = rows};
  for (const schedule::Axis& axis : signature.axes) {
    if (axis.kind == "pair") {
      layout.offsets.push_back(PairOffsets(layout.offsets[*signature.FindAxis("member")]));
      continue;
    }
    std::vector<int64_t> offsets = {0};
    for (int64_t i = 0; i < layout.Points(axis.parent); ++i)
      offsets.push_back(offsets.back() + size(axis));
    layout.offsets.push_back(offsets);
  }
  return layout;
}

// Offsets, and everything that is given per point.
void PutData(const Signature& signature, const Layout& layout, const Arrays& samples,
             std::mt19937& generator, Call& call) {
  for (const Distribution& distribution : signature.distributions) {
    call.inputs[distribution.Name() + ".offsets"] =
        Array::ofIntegers(layout.offsets[distribution.axis]);
  }
  for (size_t i = 0; i < signature.axes.size(); ++i) {
    const schedule::Axis& axis = signature.axes[i];
    if (axis.kind == "member" || axis.kind == "segment")
      call.inputs[axis.Name() + ".offsets"] = Array::ofIntegers(layout.offsets[i]);
  }
  const auto draw = [&](const std::string& name, int64_t count) {
    const Array& sample = samples.at(name);
    const std::vector<double> from =
        sample.isInteger ? std::vector<double>(sample.integers.begin(), sample.integers.end())
                         : sample.reals;
    std::vector<double> values(count);
    for (double& value : values) value = from[generator() % from.size()];
    return values;
  };
  for (const schedule::Input& input : signature.inputs) {
    const int64_t count = layout.Points(input.axis);
    call.inputs[input.name] = input.axis == schedule::Input::kNone
                                  ? Array::ofScalar(draw(input.name, 1)[0])
                                  : Array::ofReals({count}, draw(input.name, count));
  }
  for (const schedule::State& state : signature.states) {
    if (samples.count(state.name) != 0)
      call.inputs[state.name] = Array::ofScalar(draw(state.name, 1)[0]);
  }
}

std::vector<int64_t> RandomLabels(int64_t count, int64_t vocabulary, std::mt19937& generator) {
  std::vector<int64_t> labels(count);
  for (int64_t& label : labels) label = generator() % vocabulary;
  return labels;
}

bool ReadsOnlyLogProbs(const Signature& signature) {
  return std::all_of(signature.reads.begin(), signature.reads.end(),
                     [](const schedule::VocabularyRead& read) { return read.op == "logprob"; });
}

// Old indices of the points of every axis when rows stand in reverse order; the last entry is rows.
std::vector<std::vector<int64_t>> ReversedOrder(const Signature& signature, const Layout& layout) {
  std::vector<int64_t> rows(layout.rows);
  std::iota(rows.rbegin(), rows.rend(), 0);
  std::vector<std::vector<int64_t>> order;
  for (size_t i = 0; i < signature.axes.size(); ++i) {
    const int64_t parent = signature.axes[i].parent;
    std::vector<int64_t> points;
    for (const int64_t p : parent < 0 ? rows : order[parent]) {
      for (int64_t at = layout.offsets[i][p]; at < layout.offsets[i][p + 1]; ++at)
        points.push_back(at);
    }
    order.push_back(points);
  }
  order.push_back(rows);
  return order;
}

// Rows of an array by their old indices.
Array Gathered(const Array& array, const std::vector<int64_t>& indices) {
  const size_t rows = std::max<size_t>(1, array.isInteger ? array.integers.size() : array.shape[0]);
  const size_t width = (array.isInteger ? array.integers.size() : array.reals.size()) / rows;
  Array result = array;
  for (size_t i = 0; i < indices.size(); ++i) {
    for (size_t k = 0; k < width; ++k) {
      if (array.isInteger) {
        result.integers[i * width + k] = array.integers[indices[i] * width + k];
      } else {
        result.reals[i * width + k] = array.reals[indices[i] * width + k];
      }
    }
  }
  return result;
}

std::vector<int64_t> GatheredOffsets(const std::vector<int64_t>& offsets,
                                     const std::vector<int64_t>& parents) {
  std::vector<int64_t> result = {0};
  for (const int64_t p : parents) result.push_back(result.back() + offsets[p + 1] - offsets[p]);
  return result;
}

}  // namespace

int64_t Layout::Points(int64_t axis) const {
  if (axis == schedule::Input::kNone) return 1;
  return axis < 0 ? rows : offsets[axis].back();
}

Layout RandomLayout(const Signature& signature, int64_t rows, unsigned seed, int64_t most_tokens) {
  std::mt19937 generator(seed);
  return MakeLayout(signature, rows, [&](const schedule::Axis& axis) -> int64_t {
    if (axis.kind == "token") return 1 + generator() % most_tokens;
    return axis.kind == "member" ? 2 + generator() % 3 : 1 + generator() % 3;
  });
}

Layout LayoutOf(const Signature& signature, const Call& call) {
  Layout layout;
  for (const schedule::Axis& axis : signature.axes) {
    std::string key = axis.Name() + ".offsets";
    for (const Distribution& distribution : signature.distributions) {
      if (signature.axes[distribution.axis].Name() == axis.Name())
        key = distribution.Name() + ".offsets";
    }
    layout.offsets.push_back(axis.kind == "pair"
                                 ? PairOffsets(layout.offsets[*signature.FindAxis("member")])
                                 : call.inputs.at(key).integers);
    if (axis.parent < 0) layout.rows = layout.offsets.back().size() - 1;
  }
  return layout;
}

Call RandomCall(const Signature& signature, const Arrays& samples, unsigned seed,
                const CallShape& shape) {
  const Layout layout = RandomLayout(signature, shape.rows, seed, shape.most_tokens);
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  const auto reals = [&](int64_t rows, int64_t columns) {
    std::vector<double> values(rows * columns);
    for (double& value : values) value = normal(generator) * 0.6f;
    return Array::ofReals({rows, columns}, values);
  };
  Call call;
  PutData(signature, layout, samples, generator, call);
  std::map<int64_t, Array> labels;  // models score the same tokens
  for (const Distribution& distribution : signature.distributions) {
    const int64_t tokens = layout.Points(distribution.axis);
    if (labels.count(distribution.axis) == 0) {
      labels[distribution.axis] =
          Array::ofIntegers(RandomLabels(tokens, shape.vocabulary, generator));
    }
    call.inputs[distribution.Name() + ".hidden"] = reals(tokens, shape.hidden);
    call.inputs[distribution.Name() + ".labels"] = labels.at(distribution.axis);
  }
  for (const std::string& model : signature.Models())
    call.inputs[model + ".head"] = reals(shape.vocabulary, shape.hidden);
  return call;
}

Call ExtremeCall(const Signature& signature, const Arrays& samples, unsigned pattern) {
  constexpr int64_t kWidth = 4;
  constexpr double kNear = 9.5,
                   kFar = 2500;  // logit of the label, of another token
  const Layout layout = MakeLayout(signature, 2, [](const schedule::Axis& axis) -> int64_t {
    return axis.kind == "token" ? 4 : 2;
  });
  std::mt19937 generator(pattern);
  Call call;
  PutData(signature, layout, samples, generator, call);
  const bool only_logp = ReadsOnlyLogProbs(signature);
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    const std::string name = signature.distributions[d].Name();
    const int64_t tokens = layout.Points(signature.distributions[d].axis);
    const bool far = (pattern >> d & 1) != 0;
    if (only_logp) {
      call.inputs[name + ".logp"] =
          Array::ofReals({tokens}, std::vector<double>(tokens, far ? -kFar : -1e-4));
      continue;
    }
    std::vector<double> logits(tokens * kWidth);
    std::vector<int64_t> labels(tokens);
    for (int64_t t = 0; t < tokens; ++t) {
      labels[t] = t % kWidth;
      logits[t * kWidth + (far ? (labels[t] + 1) % kWidth : labels[t])] = far ? kFar : kNear;
    }
    call.inputs[name + ".hidden"] = Array::ofReals({tokens, kWidth}, logits);
    call.inputs[name + ".labels"] = Array::ofIntegers(labels);
  }
  if (only_logp) return call;
  std::vector<double> identity(kWidth * kWidth);
  for (int64_t i = 0; i < kWidth; ++i) identity[i * kWidth + i] = 1;
  for (const std::string& model : signature.Models())
    call.inputs[model + ".head"] = Array::ofReals({kWidth, kWidth}, identity);
  return call;
}

Call Reversed(const Signature& signature, const Call& call) {
  const Layout layout = LayoutOf(signature, call);
  const std::vector<std::vector<int64_t>> order = ReversedOrder(signature, layout);
  const auto order_of = [&](int64_t axis) -> const std::vector<int64_t>& {
    return axis < 0 ? order.back() : order[axis];
  };
  const auto offsets_of = [&](int64_t axis) {
    return Array::ofIntegers(
        GatheredOffsets(layout.offsets[axis], order_of(signature.axes[axis].parent)));
  };
  Call reversed = call;
  for (const Distribution& distribution : signature.distributions) {
    const std::string name = distribution.Name();
    reversed.inputs[name + ".offsets"] = offsets_of(distribution.axis);
    for (const char* field : {".hidden", ".labels", ".logp"}) {
      const auto found = call.inputs.find(name + field);
      if (found != call.inputs.end())
        reversed.inputs[name + field] = Gathered(found->second, order[distribution.axis]);
    }
  }
  for (size_t i = 0; i < signature.axes.size(); ++i) {
    const std::string key = signature.axes[i].Name() + ".offsets";
    if (call.inputs.count(key) != 0) reversed.inputs[key] = offsets_of(i);
  }
  for (const schedule::Input& input : signature.inputs) {
    if (input.axis == schedule::Input::kNone) continue;
    reversed.inputs[input.name] = Gathered(call.inputs.at(input.name), order_of(input.axis));
  }
  return reversed;
}

}  // namespace alidade::testing
