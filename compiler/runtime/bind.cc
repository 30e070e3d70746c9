#include "compiler/runtime/bind.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "ATen/ATen.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/status/status.h"
#include "compiler/runtime/bind_axes.h"
#include "compiler/runtime/check.h"

namespace alidade::runtime {
namespace {

using schedule::HeadShape;

class Binder {
 public:
  Binder(const Signature& signature, const ObjectiveInputs& inputs, const BindOptions& options)
      : signature_(signature), inputs_(inputs), options_(options) {}

  absl::StatusOr<BoundInputs> Bind() {
    ALIDADE_RETURN_IF_ERROR(BindHyperparameters());
    ALIDADE_RETURN_IF_ERROR(CheckGivenNames());
    FindDeviceAndType();
    ALIDADE_RETURN_IF_ERROR(BindHeads());
    ALIDADE_ASSIGN_OR_RETURN(bound_.problem.offsets, BindAxes(signature_, inputs_, IsPart()));
    labels_of_.resize(signature_.axes.size());
    for (const Distribution& distribution : signature_.distributions) {
      ALIDADE_RETURN_IF_ERROR(BindDistribution(distribution));
    }
    if (inputs_.distributions.empty())
      return Invalid("distributions: expected at least one, got none");
    ALIDADE_RETURN_IF_ERROR(CheckTransformsAreUsed());
    ALIDADE_RETURN_IF_ERROR(BindDataInputs());
    ALIDADE_RETURN_IF_ERROR(BindState());
    ALIDADE_RETURN_IF_ERROR(BindGradientBuffers());
    ALIDADE_RETURN_IF_ERROR(CheckGradients());
    ALIDADE_RETURN_IF_ERROR(BindRanks());
    ALIDADE_RETURN_IF_ERROR(schedule::ValidateProblem(signature_, bound_.problem));
    return std::move(bound_);
  }

 private:
  // Whether distributions are left out, where that is allowed: then there is no loss, and what only
  // the loss needs may be left out, too.
  bool IsPart() const {
    if (!options_.reads_only) return false;
    for (const Distribution& d : signature_.distributions)
      if (inputs_.distributions.count(d.Name()) == 0) return true;
    return false;
  }

  // Whether a given distribution is read at the tokens of data input `i`.
  bool IsIndexOfGiven(int64_t i) const {
    for (const schedule::VocabularyRead& read : signature_.reads)
      if (read.index_input == i && !bound_.problem.uses[read.distribution].absent) return true;
    return false;
  }

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

  absl::Status CheckGivenNames() const {
    std::vector<std::string> distributions, inputs, states;
    for (const Distribution& d : signature_.distributions) distributions.push_back(d.Name());
    for (const schedule::Input& input : signature_.inputs) inputs.push_back(input.name);
    for (const schedule::State& state : signature_.states) states.push_back(state.name);
    const std::vector<std::string> models = signature_.Models();
    const std::vector<std::string> trained = signature_.Models(/*with_gradient=*/true);
    ALIDADE_RETURN_IF_ERROR(CheckNames("distribution", inputs_.distributions, distributions));
    ALIDADE_RETURN_IF_ERROR(CheckNames("head", inputs_.heads, models));
    ALIDADE_RETURN_IF_ERROR(CheckNames("bias", inputs_.biases, models));
    ALIDADE_RETURN_IF_ERROR(CheckNames("model of a temperature", inputs_.temperatures, models));
    ALIDADE_RETURN_IF_ERROR(CheckNames("model of a soft cap", inputs_.soft_caps, models));
    ALIDADE_RETURN_IF_ERROR(CheckNames("head gradient", inputs_.head_gradients, trained));
    ALIDADE_RETURN_IF_ERROR(CheckNames("bias gradient", inputs_.bias_gradients, trained));
    ALIDADE_RETURN_IF_ERROR(CheckNames("data input", inputs_.inputs, inputs));
    return CheckNames("state", inputs_.state, states);
  }

  // The first scored tensor decides; the others are held against it.
  void FindDeviceAndType() {
    for (const Distribution& d : signature_.distributions) {
      const auto given = inputs_.distributions.find(d.Name());
      if (given == inputs_.distributions.end()) continue;
      const ScoredTokens& tokens = given->second;
      for (const at::Tensor& tensor : {tokens.hidden, tokens.logits, tokens.logp}) {
        if (!tensor.defined()) continue;
        if (!found_device_ && (tensor.is_cpu() || tensor.is_cuda())) {
          bound_.device = tensor.device();
          found_device_ = true;
        }
        if (!tensor.is_same(tokens.logp) && tensor.is_cuda() &&
            tensor.scalar_type() == at::kBFloat16) {
          bound_.dtype = at::kBFloat16;
          bound_.problem.element_bytes = 2;
        }
      }
    }
  }

  TensorNeeds Needs(at::ScalarType dtype, std::vector<int64_t> sizes) const {
    return {bound_.device, dtype, std::move(sizes)};
  }

  absl::Status BindHeads() {
    for (const auto& [model, head] : inputs_.heads) {
      ALIDADE_RETURN_IF_ERROR(
          CheckTensor(model + ".head", head, Needs(bound_.dtype, {kAnySize, kAnySize})));
      if (head.numel() == 0)
        return Invalid(model, ".head: expected at least one element, got ",
                       ShapeText(head.sizes()));
      bound_.problem.heads[model] = {.hidden = head.size(1),
                                     .vocabulary = head.size(0),
                                     .requires_grad = TakesGradient(model) && head.requires_grad()};
      bound_.heads[model] = head;
    }
    // In the order of the signature, so that the first of equal ones is named by the others.
    std::vector<std::string> seen;
    for (const std::string& model : signature_.Models()) {
      if (bound_.heads.count(model) == 0) continue;
      const at::Tensor& head = bound_.heads.at(model);
      for (const std::string& other : seen) {
        const at::Tensor& first = bound_.heads.at(other);
        HeadShape& shape = bound_.problem.heads.at(model);
        if (shape.same_as.empty() && bound_.problem.heads.at(other).same_as.empty() &&
            first.const_data_ptr() == head.const_data_ptr() && first.sizes() == head.sizes()) {
          shape.same_as = other;
        }
      }
      seen.push_back(model);
    }
    return BindTransforms();
  }

  absl::Status BindTransforms() {
    for (const auto& [model, temperature] : inputs_.temperatures) {
      if (!std::isfinite(temperature) || temperature <= 0) {
        return Invalid("temperature of ", model, ": expected a number in (0, inf), got ",
                       temperature);
      }
    }
    for (const auto& [model, cap] : inputs_.soft_caps) {
      if (!std::isfinite(cap) || cap < 0)
        return Invalid("soft cap of ", model, ": expected a number in [0, inf), got ", cap);
    }
    return absl::OkStatus();
  }

  // A setting of a model whose log-probabilities are given would do nothing; given logits hold the
  // bias already.
  absl::Status CheckTransformsAreUsed() const {
    const auto check = [](const auto& given, const std::set<std::string>& used, const char* what,
                          const char* missing) -> absl::Status {
      for (const auto& [model, value] : given) {
        if (used.count(model) != 0) continue;
        return Invalid(what, " of ", model, ": expected none, because no ", missing, " of ", model,
                       " are given; got one");
      }
      return absl::OkStatus();
    };
    constexpr char kScores[] = "hidden states or logits";
    ALIDADE_RETURN_IF_ERROR(check(inputs_.biases, has_hidden_, "bias", "hidden states"));
    ALIDADE_RETURN_IF_ERROR(check(inputs_.temperatures, has_scores_, "temperature", kScores));
    return check(inputs_.soft_caps, has_scores_, "soft cap", kScores);
  }

  // Shape facts of a model whose hidden states or logits are given.
  absl::Status BindModel(const std::string& model, int64_t vocabulary) {
    has_scores_.insert(model);
    HeadShape& shape = bound_.problem.heads[model];
    shape.vocabulary = vocabulary;
    if (const auto t = inputs_.temperatures.find(model); t != inputs_.temperatures.end())
      shape.inverse_temperature = 1 / t->second;
    if (const auto cap = inputs_.soft_caps.find(model); cap != inputs_.soft_caps.end())
      shape.soft_cap = cap->second;
    return absl::OkStatus();
  }

  absl::Status BindBias(const std::string& model, int64_t vocabulary) {
    has_hidden_.insert(model);
    HeadShape& shape = bound_.problem.heads[model];
    const auto bias = inputs_.biases.find(model);
    if (bias == inputs_.biases.end()) return absl::OkStatus();
    ALIDADE_RETURN_IF_ERROR(
        CheckTensor(model + ".bias", bias->second, Needs(at::kFloat, {vocabulary})));
    shape.has_bias = true;
    shape.bias_requires_grad = TakesGradient(model) && bias->second.requires_grad();
    bound_.biases[model] = bias->second;
    return absl::OkStatus();
  }

  bool TakesGradient(const std::string& model) const {
    const std::vector<std::string> trained = signature_.Models(/*with_gradient=*/true);
    return options_.want_gradients &&
           std::find(trained.begin(), trained.end(), model) != trained.end();
  }

  absl::Status BindDistribution(const Distribution& distribution) {
    const std::string name = distribution.Name();
    const auto given = inputs_.distributions.find(name);
    if (given == inputs_.distributions.end()) {
      if (options_.reads_only) {
        bound_.problem.uses.push_back({.absent = true});
        bound_.distributions.emplace_back();
        return absl::OkStatus();
      }
      return Invalid(name, ": expected its scored tokens, which objective '", signature_.name,
                     "' reads; got none");
    }
    const ScoredTokens& tokens = given->second;
    const int kinds = tokens.hidden.defined() + tokens.logits.defined() + tokens.logp.defined();
    if (kinds != 1) {
      return Invalid(name, ": expected either hidden or logp, got ",
                     kinds == 0 ? "neither" : "both", "; logits may take the place of hidden");
    }
    const bool wants = options_.want_gradients && distribution.requires_grad;
    const int64_t count = bound_.problem.offsets[distribution.axis].back();
    schedule::DistributionUse use;
    BoundInputs::Scores scores{.hidden = tokens.hidden,
                               .logits = tokens.logits,
                               .logp = tokens.logp,
                               .labels = tokens.labels};
    if (tokens.logp.defined()) {
      ALIDADE_RETURN_IF_ERROR(CheckTensor(name + ".logp", tokens.logp, Needs(at::kFloat, {count})));
      use.provided = true;
      scores.logp_gradient = wants && tokens.logp.requires_grad();
    } else if (tokens.logits.defined()) {
      ALIDADE_RETURN_IF_ERROR(BindLogits(distribution, tokens, count, use));
      use.logits_gradient = wants && tokens.logits.requires_grad();
      use.logits_in_place = use.logits_gradient && tokens.overwrite_logits;
    } else {
      ALIDADE_RETURN_IF_ERROR(BindHidden(distribution, tokens, count));
      use.hidden_gradient = wants && tokens.hidden.requires_grad();
    }
    bound_.problem.uses.push_back(use);
    bound_.distributions.push_back(std::move(scores));
    return absl::OkStatus();
  }

  absl::Status BindLogits(const Distribution& distribution, const ScoredTokens& tokens,
                          int64_t count, schedule::DistributionUse& use) {
    const std::string name = distribution.Name();
    const auto head = bound_.problem.heads.find(distribution.model);
    const int64_t vocabulary =
        head == bound_.problem.heads.end() ? kAnySize : head->second.vocabulary;
    ALIDADE_RETURN_IF_ERROR(
        CheckTensor(name + ".logits", tokens.logits, Needs(bound_.dtype, {count, vocabulary})));
    if (tokens.logits.size(1) == 0)
      return Invalid(name, ".logits: expected a vocabulary, got shape ",
                     ShapeText(tokens.logits.sizes()));
    use.logits = true;
    ALIDADE_RETURN_IF_ERROR(BindModel(distribution.model, tokens.logits.size(1)));
    return BindLabels(distribution, tokens.labels, count, tokens.logits.size(1));
  }

  absl::Status BindHidden(const Distribution& distribution, const ScoredTokens& tokens,
                          int64_t count) {
    const std::string name = distribution.Name();
    const auto head = bound_.heads.find(distribution.model);
    if (head == bound_.heads.end()) {
      return Invalid(distribution.model, ".head: expected a tensor [V, H] for ", name,
                     ".hidden, got none");
    }
    ALIDADE_RETURN_IF_ERROR(CheckTensor(name + ".hidden", tokens.hidden,
                                        Needs(bound_.dtype, {count, head->second.size(1)})));
    ALIDADE_RETURN_IF_ERROR(BindModel(distribution.model, head->second.size(0)));
    ALIDADE_RETURN_IF_ERROR(BindBias(distribution.model, head->second.size(0)));
    return BindLabels(distribution, tokens.labels, count, head->second.size(0));
  }

  // All distributions over the same tokens have the same labels.
  absl::Status BindLabels(const Distribution& distribution, const at::Tensor& labels, int64_t count,
                          int64_t vocabulary) {
    const std::string name = distribution.Name() + ".labels";
    ALIDADE_RETURN_IF_ERROR(CheckLabels(name, labels, bound_.device, count, vocabulary));
    if (!bound_.device.is_cpu()) return absl::OkStatus();
    auto& [first_name, first_labels] = labels_of_[distribution.axis];
    if (first_name.empty()) {
      first_name = name;
      first_labels = Integers(labels);
      return absl::OkStatus();
    }
    const absl::Span<const int64_t> values = Integers(labels);
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] != first_labels[i]) {
        return Invalid(name, "[", i, "]: expected ", first_labels[i], " as in ", first_name,
                       ", got ", values[i]);
      }
    }
    return absl::OkStatus();
  }

  absl::Status BindDataInputs() {
    for (size_t i = 0; i < signature_.inputs.size(); ++i) {
      const schedule::Input& input = signature_.inputs[i];
      const auto given = inputs_.inputs.find(input.name);
      const int64_t points = input.axis == schedule::Input::kNone ? 1
                             : input.axis == schedule::Input::kRow
                                 ? bound_.problem.num_rows()
                                 : bound_.problem.offsets[input.axis].back();
      if (given == inputs_.inputs.end() || !given->second.defined()) {
        if (IsPart() && !IsIndexOfGiven(i)) {
          bound_.inputs.emplace_back();
          continue;
        }
        return Invalid(input.name, ": expected ", points, " numbers over ", AxisText(input.axis),
                       ", which objective '", signature_.name, "' reads; got none");
      }
      // A number over [] is a scalar or an array of one.
      const at::Tensor values = given->second.dim() == 0 ? given->second.view({1}) : given->second;
      ALIDADE_RETURN_IF_ERROR(CheckTensor(input.name, values, Needs(at::kFloat, {points})));
      ALIDADE_RETURN_IF_ERROR(CheckFinite(input.name, values));
      for (const schedule::VocabularyRead& read : signature_.reads) {
        const auto head =
            bound_.problem.heads.find(signature_.distributions[read.distribution].model);
        if (read.index_input != static_cast<int64_t>(i) || head == bound_.problem.heads.end())
          continue;
        ALIDADE_RETURN_IF_ERROR(CheckIndexes(input.name, values, head->second.vocabulary));
      }
      bound_.inputs.push_back(values);
    }
    return absl::OkStatus();
  }

  std::string AxisText(int64_t axis) const {
    if (axis == schedule::Input::kNone) return "[]";
    return axis == schedule::Input::kRow ? "row" : signature_.axes[axis].Name();
  }

  absl::Status BindState() {
    std::vector<at::Tensor> values;
    for (const schedule::State& state : signature_.states) {
      const auto given = inputs_.state.find(state.name);
      if (given == inputs_.state.end()) {
        values.push_back(at::scalar_tensor(
            state.default_value, at::TensorOptions().dtype(at::kDouble).device(bound_.device)));
        continue;
      }
      ALIDADE_RETURN_IF_ERROR(CheckTensor(state.name, given->second, Needs(at::kDouble, {})));
      ALIDADE_RETURN_IF_ERROR(CheckFinite(state.name, given->second));
      values.push_back(given->second.detach());
    }
    if (!values.empty()) bound_.state = at::stack(values);
    return absl::OkStatus();
  }

  absl::Status BindGradientBuffers() {
    const auto bind = [&](const NamedTensors& given, const std::string& field, bool is_bias,
                          std::map<std::string, at::Tensor>& bound) -> absl::Status {
      for (const auto& [model, buffer] : given) {
        const std::string name = absl::StrCat("gradient of ", model, ".", field);
        const auto shape = bound_.problem.heads.find(model);
        if (shape == bound_.problem.heads.end() || (is_bias && !shape->second.has_bias) ||
            (!is_bias && shape->second.hidden == 0)) {
          return Invalid(name, ": expected no buffer, because no ", model, ".", field,
                         " is given; got one");
        }
        if (!options_.want_gradients)
          return Invalid(name, ": expected no buffer while gradients are off, got one");
        HeadShape& head = shape->second;
        ALIDADE_RETURN_IF_ERROR(CheckTensor(
            name, buffer,
            Needs(at::kFloat, is_bias ? std::vector<int64_t>{head.vocabulary}
                                      : std::vector<int64_t>{head.vocabulary, head.hidden})));
        if (buffer.requires_grad())
          return Invalid(name, ": expected a buffer without gradient of its own, got one with");
        (is_bias ? head.bias_requires_grad : head.requires_grad) = true;
        head.adds_gradient = true;
        bound[model] = buffer;
      }
      return absl::OkStatus();
    };
    ALIDADE_RETURN_IF_ERROR(
        bind(inputs_.head_gradients, "head", /*is_bias=*/false, bound_.head_gradients));
    return bind(inputs_.bias_gradients, "bias", /*is_bias=*/true, bound_.bias_gradients);
  }

  // Where one distribution gets a gradient, another that the objective differentiates must not lose
  // its own silently.
  absl::Status CheckGradients() const {
    bool any = false;
    for (size_t d = 0; d < bound_.distributions.size(); ++d) {
      any |= bound_.distributions[d].logp_gradient || IsActive(signature_, bound_.problem, d);
    }
    if (!any) return absl::OkStatus();
    for (size_t d = 0; d < bound_.distributions.size(); ++d) {
      const Distribution& distribution = signature_.distributions[d];
      const schedule::DistributionUse& use = bound_.problem.uses[d];
      if (!distribution.requires_grad) continue;
      const bool lost = (use.provided && !bound_.distributions[d].logp_gradient) ||
                        (use.logits && !use.logits_gradient);
      if (!lost) continue;
      return Invalid(distribution.Name(), use.provided ? ".logp" : ".logits",
                     ": expected a tensor that requires a gradient, because objective '",
                     signature_.name, "' differentiates through it; got requires_grad = false");
    }
    return absl::OkStatus();
  }

  absl::Status BindRanks() {
    bound_.all_reduce = inputs_.all_reduce;
    if (inputs_.all_reduce == nullptr) return absl::OkStatus();
    if (!signature_.reduces_ranks) {
      return Invalid("all_reduce: expected none, because objective '", signature_.name,
                     "' reduces nothing over ranks; got one");
    }
    if (!bound_.device.is_cpu()) {
      return absl::UnimplementedError(
          absl::StrCat("all_reduce: expected tensors on cpu, got ", bound_.device.str()));
    }
    return absl::OkStatus();
  }

  const Signature& signature_;
  const ObjectiveInputs& inputs_;
  const BindOptions options_;
  BoundInputs bound_;
  bool found_device_ = false;
  std::set<std::string> has_hidden_, has_scores_;  // models of given hidden states; or logits
  std::vector<std::pair<std::string, absl::Span<const int64_t>>> labels_of_;  // by axis
};

}  // namespace

absl::StatusOr<BoundInputs> BindInputs(const Signature& signature, const ObjectiveInputs& inputs,
                                       const BindOptions& options) {
  return Binder(signature, inputs, options).Bind();
}

}  // namespace alidade::runtime
