#include "compiler/runtime/bind.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"

namespace alidade::runtime {
namespace {

constexpr int64_t kAnySize = -1;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

std::string ShapeText(at::IntArrayRef sizes) {
  return absl::StrCat("[", absl::StrJoin(sizes, ", "), "]");
}

std::string ShapeText(std::initializer_list<int64_t> sizes) {
  const auto format = [](std::string* out, int64_t size) {
    absl::StrAppend(out, size == kAnySize ? std::string("*") : absl::StrCat(size));
  };
  return absl::StrCat("[", absl::StrJoin(sizes, ", ", format), "]");
}

absl::Status CheckTensor(const std::string& name, const at::Tensor& tensor, at::ScalarType dtype,
                         std::initializer_list<int64_t> sizes) {
  if (!tensor.defined())
    return Invalid(name, ": expected a tensor ", ShapeText(sizes), ", got none");
  if (!tensor.device().is_cpu())
    return Invalid(name, ": expected a tensor on cpu, got ", tensor.device().str());
  if (tensor.layout() != at::kStrided)
    return Invalid(name, ": expected a dense tensor, got a sparse one");
  if (tensor.scalar_type() != dtype) {
    return Invalid(name, ": expected ", c10::toString(dtype), ", got ",
                   c10::toString(tensor.scalar_type()));
  }
  bool fits = tensor.dim() == static_cast<int64_t>(sizes.size());
  for (size_t i = 0; fits && i < sizes.size(); ++i) {
    const int64_t expected = sizes.begin()[i];
    fits = expected == kAnySize || expected == tensor.size(i);
  }
  if (!fits)
    return Invalid(name, ": expected shape ", ShapeText(sizes), ", got ",
                   ShapeText(tensor.sizes()));
  if (!tensor.is_contiguous()) {
    return Invalid(name, ": expected a contiguous tensor, got shape ", ShapeText(tensor.sizes()),
                   " with strides ", ShapeText(tensor.strides()));
  }
  return absl::OkStatus();
}

absl::Span<const int64_t> Integers(const at::Tensor& tensor) {
  return absl::MakeConstSpan(tensor.data_ptr<int64_t>(), tensor.numel());
}

absl::Status CheckOffsets(const std::string& name, const at::Tensor& offsets) {
  ALIDADE_RETURN_IF_ERROR(CheckTensor(name, offsets, at::kLong, {kAnySize}));
  if (offsets.numel() < 2)
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

absl::Status CheckLabels(const std::string& name, const at::Tensor& labels, int64_t tokens,
                         int64_t vocabulary) {
  ALIDADE_RETURN_IF_ERROR(CheckTensor(name, labels, at::kLong, {tokens}));
  const absl::Span<const int64_t> values = Integers(labels);
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] < 0 || values[i] >= vocabulary) {
      return Invalid(name, "[", i, "]: expected a token in [0, ", vocabulary, "), got ", values[i]);
    }
  }
  return absl::OkStatus();
}

// Names in `given` that are not in `known`.
template <typename Map>
absl::Status CheckNames(absl::string_view kind, const Map& given,
                        const std::vector<std::string>& known) {
  for (const auto& [name, value] : given) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      return UnknownNameError(kind, name, known);
  }
  return absl::OkStatus();
}

class Binder {
 public:
  Binder(const Signature& signature, const ObjectiveInputs& inputs, bool want_gradients)
      : signature_(signature), inputs_(inputs), want_gradients_(want_gradients) {}

  absl::StatusOr<BoundInputs> Bind() {
    ALIDADE_RETURN_IF_ERROR(BindHyperparameters());
    ALIDADE_RETURN_IF_ERROR(BindHeads());
    bound_.problem.offsets.resize(signature_.axes.size());
    offsets_of_.resize(signature_.axes.size());
    labels_of_.resize(signature_.axes.size());
    std::vector<std::string> names;
    for (const Distribution& distribution : signature_.distributions)
      names.push_back(distribution.Name());
    ALIDADE_RETURN_IF_ERROR(CheckNames("distribution", inputs_.distributions, names));
    for (const Distribution& distribution : signature_.distributions) {
      ALIDADE_RETURN_IF_ERROR(BindDistribution(distribution));
    }
    ALIDADE_RETURN_IF_ERROR(CheckGradients());
    return std::move(bound_);
  }

 private:
  absl::Status BindHyperparameters() {
    std::vector<std::string> names;
    for (const Hyperparameter& hyper : signature_.hyperparameters) names.push_back(hyper.name);
    ALIDADE_RETURN_IF_ERROR(CheckNames("hyperparameter", inputs_.hyperparameters, names));
    for (const Hyperparameter& hyper : signature_.hyperparameters) {
      const auto given = inputs_.hyperparameters.find(hyper.name);
      const double value =
          given == inputs_.hyperparameters.end() ? hyper.default_value : given->second;
      if (!std::isfinite(value) || !hyper.Contains(value)) {
        return Invalid("hyperparameter ", hyper.name, ": expected a number in ", hyper.Range(),
                       ", got ", value);
      }
      bound_.hyperparameters.push_back(static_cast<float>(value));
    }
    return absl::OkStatus();
  }

  absl::Status BindHeads() {
    ALIDADE_RETURN_IF_ERROR(CheckNames("head", inputs_.heads, signature_.Models()));
    const std::vector<std::string> with_gradient = signature_.Models(/*with_gradient=*/true);
    for (const auto& [model, head] : inputs_.heads) {
      ALIDADE_RETURN_IF_ERROR(CheckTensor(model + ".head", head, at::kFloat, {kAnySize, kAnySize}));
      if (head.numel() == 0)
        return Invalid(model, ".head: expected at least one element, got ",
                       ShapeText(head.sizes()));
      const bool takes_gradient =
          std::find(with_gradient.begin(), with_gradient.end(), model) != with_gradient.end();
      bound_.problem.heads[model] = {
          .hidden = head.size(1),
          .vocabulary = head.size(0),
          .requires_grad = want_gradients_ && takes_gradient && head.requires_grad()};
      bound_.heads[model] = head;
    }
    return absl::OkStatus();
  }

  absl::Status BindDistribution(const Distribution& distribution) {
    const std::string name = distribution.Name();
    const auto given = inputs_.distributions.find(name);
    if (given == inputs_.distributions.end()) {
      return Invalid(name, ": expected its scored tokens, which objective '", signature_.name,
                     "' reads; got none");
    }
    const ScoredTokens& tokens = given->second;
    if (tokens.hidden.defined() == tokens.logp.defined()) {
      return Invalid(name, ": expected either hidden or logp, got ",
                     tokens.hidden.defined() ? "both" : "neither");
    }
    ALIDADE_RETURN_IF_ERROR(BindOffsets(distribution, tokens.offsets));
    const int64_t response = *signature_.FindResponse(distribution.response);
    const int64_t count = bound_.problem.offsets[response].back();
    schedule::DistributionUse use{.provided = tokens.logp.defined()};
    BoundInputs::Scores scores{
        .hidden = tokens.hidden, .logp = tokens.logp, .labels = tokens.labels};
    if (use.provided) {
      ALIDADE_RETURN_IF_ERROR(CheckTensor(name + ".logp", tokens.logp, at::kFloat, {count}));
      scores.logp_gradient =
          want_gradients_ && distribution.requires_grad && tokens.logp.requires_grad();
    } else {
      const auto head = bound_.problem.heads.find(distribution.model);
      if (head == bound_.problem.heads.end()) {
        return Invalid(distribution.model, ".head: expected a tensor [V, H] for ", name,
                       ".hidden, got none");
      }
      ALIDADE_RETURN_IF_ERROR(
          CheckTensor(name + ".hidden", tokens.hidden, at::kFloat, {count, head->second.hidden}));
      ALIDADE_RETURN_IF_ERROR(
          CheckLabels(name + ".labels", tokens.labels, count, head->second.vocabulary));
      ALIDADE_RETURN_IF_ERROR(CheckSameLabels(name, response, tokens.labels));
      use.hidden_gradient =
          want_gradients_ && distribution.requires_grad && tokens.hidden.requires_grad();
    }
    bound_.problem.uses.push_back(use);
    bound_.distributions.push_back(std::move(scores));
    return absl::OkStatus();
  }

  // All distributions of a response score the same tokens, and all responses have the same rows.
  absl::Status BindOffsets(const Distribution& distribution, const at::Tensor& offsets) {
    const std::string name = distribution.Name() + ".offsets";
    ALIDADE_RETURN_IF_ERROR(CheckOffsets(name, offsets));
    const absl::Span<const int64_t> values = Integers(offsets);
    if (first_.empty()) {
      first_ = name;
      num_rows_ = values.size() - 1;
    }
    if (static_cast<int64_t>(values.size()) - 1 != num_rows_) {
      return Invalid(name, ": expected ", num_rows_, " rows as in ", first_, ", got ",
                     values.size() - 1);
    }
    const int64_t response = *signature_.FindResponse(distribution.response);
    std::vector<int64_t>& known = bound_.problem.offsets[response];
    if (known.empty()) {
      known.assign(values.begin(), values.end());
      offsets_of_[response] = name;
      return absl::OkStatus();
    }
    for (size_t i = 0; i < known.size(); ++i) {
      if (known[i] != values[i]) {
        return Invalid(name, "[", i, "]: expected ", known[i], " as in ", offsets_of_[response],
                       ", got ", values[i]);
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckSameLabels(const std::string& name, int64_t response,
                               const at::Tensor& labels) {
    auto& [first_name, first_labels] = labels_of_[response];
    if (first_name.empty()) {
      first_name = name;
      first_labels = Integers(labels);
      return absl::OkStatus();
    }
    const absl::Span<const int64_t> values = Integers(labels);
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] != first_labels[i]) {
        return Invalid(name, ".labels[", i, "]: expected ", first_labels[i], " as in ", first_name,
                       ".labels, got ", values[i]);
      }
    }
    return absl::OkStatus();
  }

  // Where one distribution gets a gradient, another that the objective differentiates must not lose
  // its own silently.
  absl::Status CheckGradients() const {
    bool any = false;
    for (size_t d = 0; d < bound_.distributions.size(); ++d) {
      any |= bound_.distributions[d].logp_gradient ||
             (!bound_.problem.uses[d].provided && IsActive(signature_, bound_.problem, d));
    }
    if (!any) return absl::OkStatus();
    for (size_t d = 0; d < bound_.distributions.size(); ++d) {
      const Distribution& distribution = signature_.distributions[d];
      if (distribution.requires_grad && bound_.problem.uses[d].provided &&
          !bound_.distributions[d].logp_gradient) {
        return Invalid(distribution.Name(),
                       ".logp: expected a tensor that requires a gradient, because objective '",
                       signature_.name, "' differentiates through it; got requires_grad = false");
      }
    }
    return absl::OkStatus();
  }

  const Signature& signature_;
  const ObjectiveInputs& inputs_;
  const bool want_gradients_;
  BoundInputs bound_;
  std::string first_;  // the first offsets seen; they fix the number of rows
  int64_t num_rows_ = 0;
  std::vector<std::string> offsets_of_;  // by response: the tensor that its offsets came from
  std::vector<std::pair<std::string, absl::Span<const int64_t>>> labels_of_;  // by response
};

}  // namespace

absl::StatusOr<BoundInputs> BindInputs(const Signature& signature, const ObjectiveInputs& inputs,
                                       bool want_gradients) {
  return Binder(signature, inputs, want_gradients).Bind();
}

}  // namespace alidade::runtime
