#include "compiler/schedule/interpreter.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "compiler/schedule/interpret_row.h"

namespace alidade::schedule {
namespace {

absl::Status Mismatch(const std::string& what, size_t expected, size_t got) {
  return absl::InvalidArgumentError(
      absl::StrCat(what, ": expected ", expected, " elements, got ", got));
}

// Shapes: C tokens of a chunk, H hidden, V vocabulary, M tokens of a distribution.
class Walk {
 public:
  Walk(const Signature& signature, const Problem& problem, const Schedule& schedule,
       const InterpreterInputs& inputs, const ScalarBlock& block)
      : signature_(signature),
        problem_(problem),
        schedule_(schedule),
        inputs_(inputs),
        block_(block) {}

  absl::StatusOr<InterpreterOutputs> Run() {
    ALIDADE_RETURN_IF_ERROR(PrepareDistributions());
    ALIDADE_RETURN_IF_ERROR(PrepareHeads());
    ALIDADE_RETURN_IF_ERROR(PrepareNumbers());
    for (const Step& step : schedule_.steps) ALIDADE_RETURN_IF_ERROR(RunStep(step));
    outputs_.loss = results_[0];
    outputs_.metrics.assign(results_.begin() + 1, results_.end());
    for (size_t d = 0; d < logits_.size(); ++d) {
      if (problem_.uses[d].logits_in_place && !outputs_.logits_gradients[d].empty())
        outputs_.logits_gradients[d] = std::move(logits_[d]);
    }
    outputs_.logp.resize(signature_.distributions.size());
    for (size_t r = 0; r < signature_.reads.size(); ++r) {
      const VocabularyRead& read = signature_.reads[r];
      if (read.op == "logprob") outputs_.logp[read.distribution] = outputs_.reads[r];
    }
    return std::move(outputs_);
  }

 private:
  absl::Status PrepareDistributions() {
    const size_t count = signature_.distributions.size();
    if (inputs_.distributions.size() != count)
      return Mismatch("distributions", count, inputs_.distributions.size());
    outputs_.hidden_gradients.resize(count);
    outputs_.logits_gradients.resize(count);
    logits_.resize(count);
    for (const VocabularyRead& read : signature_.reads) {
      const size_t tokens = NumTokens(signature_, problem_, read.distribution);
      // An index is read before it is known only where the result is thrown away; it stays in
      // range.
      outputs_.reads.emplace_back(tokens, read.op == "argmax" ? 0.0 : inputs_.unknown);
      if (read.cotangent >= 0) outputs_.cotangents.emplace_back(tokens, inputs_.unknown);
    }
    for (size_t d = 0; d < count; ++d) ALIDADE_RETURN_IF_ERROR(PrepareDistribution(d));
    return absl::OkStatus();
  }

  absl::Status PrepareDistribution(int64_t d) {
    const std::string name = signature_.distributions[d].Name();
    const DistributionUse& use = problem_.uses[d];
    const InterpreterInputs::Scores& scores = inputs_.distributions[d];
    const size_t tokens = NumTokens(signature_, problem_, d);
    if (use.absent) return absl::OkStatus();
    if (use.provided) {
      if (scores.logp.size() != tokens) return Mismatch(name + ".logp", tokens, scores.logp.size());
      outputs_.reads[ReadsOf(signature_, d).front()] = scores.logp;
      return absl::OkStatus();
    }
    const HeadShape& head = problem_.heads.at(signature_.distributions[d].model);
    if (scores.labels.size() != tokens)
      return Mismatch(name + ".labels", tokens, scores.labels.size());
    const size_t width = use.logits ? head.vocabulary : head.hidden;
    const std::vector<double>& values = use.logits ? scores.logits : scores.hidden;
    if (values.size() != tokens * width) {
      return Mismatch(name + (use.logits ? ".logits" : ".hidden"), tokens * width, values.size());
    }
    const bool active = schedule_.kind != Kind::kR && IsActive(signature_, problem_, d);
    if (use.logits) {
      logits_[d] = values;
      if (active) outputs_.logits_gradients[d].assign(values.size(), inputs_.unknown);
    } else if (active && use.hidden_gradient) {
      outputs_.hidden_gradients[d].assign(values.size(), inputs_.unknown);
    }
    return absl::OkStatus();
  }

  absl::Status PrepareHeads() {
    for (const auto& [model, head] : problem_.heads) {
      const size_t size = head.vocabulary * head.hidden;
      ALIDADE_RETURN_IF_ERROR(CheckSize(inputs_.heads, model, ".head", size));
      if (head.has_bias) {
        ALIDADE_RETURN_IF_ERROR(CheckSize(inputs_.biases, model, ".bias", head.vocabulary));
      }
      if (model != schedule_.gradient_model) continue;
      if (head.requires_grad) {
        std::vector<double>& gradient = outputs_.head_gradients[model];
        gradient.assign(size, inputs_.unknown);
        if (head.adds_gradient) {
          ALIDADE_RETURN_IF_ERROR(CheckSize(inputs_.head_gradients, model, ".head gradient", size));
          gradient = inputs_.head_gradients.at(model);
        }
      }
      if (head.bias_requires_grad) {
        std::vector<double>& gradient = outputs_.bias_gradients[model];
        gradient.assign(head.vocabulary, inputs_.unknown);
        if (head.adds_gradient) {
          ALIDADE_RETURN_IF_ERROR(
              CheckSize(inputs_.bias_gradients, model, ".bias gradient", head.vocabulary));
          gradient = inputs_.bias_gradients.at(model);
        }
      }
    }
    if (const auto head = problem_.heads.find(schedule_.gradient_model);
        head != problem_.heads.end() && head->second.requires_grad) {
      borrowed_.assign(head->second.vocabulary * head->second.hidden * 4 / problem_.element_bytes,
                       inputs_.unknown);
    }
    z_.assign(schedule_.max_logits, inputs_.unknown);
    partner_z_.assign(schedule_.max_partner_logits, inputs_.unknown);
    x_.assign(schedule_.max_hidden, inputs_.unknown);
    return absl::OkStatus();
  }

  static absl::Status CheckSize(const std::map<std::string, std::vector<double>>& given,
                                const std::string& model, const char* what, size_t size) {
    const auto values = given.find(model);
    const size_t got = values == given.end() ? 0 : values->second.size();
    return got == size ? absl::OkStatus() : Mismatch(model + what, size, got);
  }

  absl::Status PrepareNumbers() {
    if (inputs_.inputs.size() != signature_.inputs.size())
      return Mismatch("inputs", signature_.inputs.size(), inputs_.inputs.size());
    for (size_t i = 0; i < signature_.inputs.size(); ++i) {
      const Input& input = signature_.inputs[i];
      const size_t points = input.axis == Input::kNone  ? 1
                            : input.axis == Input::kRow ? problem_.num_rows()
                                                        : problem_.offsets[input.axis].back();
      if (inputs_.inputs[i].size() != points)
        return Mismatch(input.name, points, inputs_.inputs[i].size());
    }
    if (inputs_.hyperparameters.size() != signature_.hyperparameters.size()) {
      return Mismatch("hyperparameters", signature_.hyperparameters.size(),
                      inputs_.hyperparameters.size());
    }
    state_ = inputs_.state;
    if (state_.empty()) {
      for (const State& state : signature_.states) state_.push_back(state.default_value);
    }
    if (state_.size() != signature_.states.size())
      return Mismatch("state", signature_.states.size(), state_.size());
    outputs_.state = state_;
    results_.assign(1 + signature_.metrics.size(), 0.0);
    return absl::OkStatus();
  }

  absl::Status RunStep(const Step& step) {
    switch (step.op) {
      case StepOp::kKnownBlock:
      case StepOp::kScalarBlock:
        return RunBlock(step);
      case StepOp::kScaleHidden:
        ScaleHidden(step);
        return absl::OkStatus();
      case StepOp::kAddAccumulator:
        AddAccumulator(step);
        return absl::OkStatus();
      case StepOp::kClearHead:
        for (auto& [model, values] : outputs_.head_gradients)
          std::fill(values.begin(), values.end(), 0.0);
        for (auto& [model, values] : outputs_.bias_gradients)
          std::fill(values.begin(), values.end(), 0.0);
        return absl::OkStatus();
      default:
        return RunChunkStep(step, schedule_.chunks[step.chunk]);
    }
  }

  absl::Status RunBlock(const Step& step) {
    ScalarCall call;
    for (const std::vector<double>& read : outputs_.reads) call.reads.push_back(read.data());
    for (std::vector<double>& cotangent : outputs_.cotangents) {
      call.cotangents.push_back(step.gradient ? cotangent.data() : nullptr);
    }
    for (const auto& offsets : problem_.offsets) call.offsets.push_back(offsets.data());
    for (const std::vector<double>& input : inputs_.inputs) call.inputs.push_back(input.data());
    call.hyperparameters = inputs_.hyperparameters;
    call.state = state_.data();
    call.new_state = step.results ? outputs_.state.data() : nullptr;
    call.results = step.results ? results_.data() : nullptr;
    call.known = step.op == StepOp::kKnownBlock;
    call.row_begin = step.row_begin;
    call.row_end = call.known ? problem_.num_rows() : step.row_end;
    call.num_rows = problem_.num_rows();
    return block_(call);
  }

  absl::Status RunChunkStep(const Step& step, const Chunk& chunk) {
    const HeadShape& head = problem_.heads.at(chunk.model);
    const int64_t tokens = chunk.num_tokens();
    ALIDADE_ASSIGN_OR_RETURN(double* const z, LogitsOf(chunk));
    if (chunk.place != Place::kInput && chunk.place != Place::kOutput &&
        tokens * head.hidden > static_cast<int64_t>(x_.size())) {
      return absl::InternalError(absl::StrCat("chunk ", step.chunk, ": ", tokens * head.hidden,
                                              " hidden values in a buffer of ", x_.size()));
    }
    switch (step.op) {
      case StepOp::kGather:
        Gather(chunk, head);
        break;
      case StepOp::kHeadGemm:
        HeadGemm(z, tokens, inputs_.heads.at(chunk.model), head);
        if (chunk.place == Place::kHeadGradient) {
          std::vector<double>& gradient = outputs_.head_gradients.at(schedule_.gradient_model);
          std::fill(gradient.begin(), gradient.end(), inputs_.unknown);
        }
        break;
      case StepOp::kCopyLogits:
        CopyLogits(chunk.segments.front(), head, z);
        break;
      case StepOp::kRowKernel:
        return RowKernel(step, chunk, z);
      case StepOp::kScaleInput:
        ScaleInput(chunk, head);
        break;
      case StepOp::kHeadGradGemm:
        HeadGradGemm(chunk, head, z, outputs_.head_gradients.at(chunk.model), step.accumulate);
        break;
      case StepOp::kBiasGrad:
        BiasGrad(chunk, head, z, /*weighted=*/true, outputs_.bias_gradients.at(chunk.model),
                 step.accumulate);
        break;
      case StepOp::kHiddenGemm:
        HiddenGemm(chunk, head, z, inputs_.heads.at(chunk.model));
        break;
      case StepOp::kScatterHidden:
        ScatterHidden(chunk, head, step.scaled);
        break;
      default:
        Accumulate(chunk, head, z, step.accumulate);
    }
    return absl::OkStatus();
  }

  // The first of the chunk's logits.
  absl::StatusOr<double*> LogitsOf(const Chunk& chunk) {
    const int64_t vocabulary = problem_.heads.at(chunk.model).vocabulary;
    const Segment& first = chunk.segments.front();
    std::vector<double>* memory = &z_;
    int64_t begin = 0;
    switch (chunk.place) {
      case Place::kWorkspace:
        break;
      case Place::kPartner:
        memory = &partner_z_;
        begin = chunk.partner_begin;
        break;
      case Place::kHeadGradient:
        memory = &borrowed_;
        break;
      case Place::kInput:
        memory = &logits_[first.distribution];
        begin = first.begin * vocabulary;
        break;
      case Place::kOutput:
        memory = &outputs_.logits_gradients[first.distribution];
        begin = first.begin * vocabulary;
        break;
    }
    const int64_t end = begin + chunk.num_tokens() * vocabulary;
    if (end > static_cast<int64_t>(memory->size())) {
      return absl::InternalError(absl::StrCat("a chunk of ", chunk.model, ": logits end at ", end,
                                              " in a buffer of ", memory->size()));
    }
    return memory->data() + begin;
  }

  void Gather(const Chunk& chunk, const HeadShape& head) {
    auto x = x_.begin();
    for (const Segment& s : chunk.segments) {
      const std::vector<double>& hidden = inputs_.distributions[s.distribution].hidden;
      x = std::copy(hidden.begin() + s.begin * head.hidden, hidden.begin() + s.end * head.hidden,
                    x);
    }
  }

  // z [C, V] = x [C, H] head [V, H]^T
  void HeadGemm(double* z, int64_t tokens, const std::vector<double>& head_values,
                const HeadShape& head) {
    for (int64_t t = 0; t < tokens; ++t) {
      for (int64_t v = 0; v < head.vocabulary; ++v) {
        double sum = 0;
        for (int64_t h = 0; h < head.hidden; ++h)
          sum += x_[t * head.hidden + h] * head_values[v * head.hidden + h];
        z[t * head.vocabulary + v] = sum;
      }
    }
  }

  void CopyLogits(const Segment& segment, const HeadShape& head, double* z) {
    const std::vector<double>& given = logits_[segment.distribution];
    std::copy(given.begin() + segment.begin * head.vocabulary,
              given.begin() + segment.end * head.vocabulary, z);
  }

  absl::Status RowKernel(const Step& step, const Chunk& chunk, double* z) {
    for (const Segment& s : chunk.segments) {
      const HeadShape& head = HeadOf(s.distribution);
      const bool weighted = step.gradient && s.form == Form::kWeighted;
      if (step.indexes || step.reads || weighted) {
        double* partner = nullptr;
        if (s.partner_chunk >= 0) {
          ALIDADE_ASSIGN_OR_RETURN(partner, LogitsOf(schedule_.chunks[s.partner_chunk]));
          partner += s.partner_row * head.vocabulary;
        }
        for (int64_t token = s.begin; token < s.end; ++token) {
          const int64_t at = (token - s.begin) * head.vocabulary;
          Row(step, s, token, z + at, partner == nullptr ? nullptr : partner + at);
        }
      }
      z += (s.end - s.begin) * head.vocabulary;
    }
    return absl::OkStatus();
  }

  // One token: all its reads, and what the form of its segment says about its logits.
  void Row(const Step& step, const Segment& s, int64_t token, double* z, const double* partner_z) {
    const HeadTransform transform = TransformOf(s.distribution);
    const std::vector<double> x = transform.Apply(z, HeadOf(s.distribution).vocabulary);
    std::vector<double> partner;
    if (partner_z != nullptr) {
      const int64_t other = signature_.distributions[s.distribution].partner;
      partner = TransformOf(other).Apply(partner_z, x.size());
    }
    const bool weighted = step.gradient && s.form == Form::kWeighted;
    const bool factored = step.reads && s.form == Form::kFactored;
    std::vector<double> gradient(x.size(), 0.0);
    for (int64_t r : ReadsOf(signature_, s.distribution)) {
      const VocabularyRead& read = signature_.reads[r];
      if (step.indexes && read.op != "argmax") continue;
      const RowOperands operands = {.token = TokenOf(read, s.distribution, token),
                                    .scale = read.scale_hyper >= 0
                                                 ? inputs_.hyperparameters[read.scale_hyper]
                                                 : read.scale_constant};
      if (step.indexes || step.reads)
        outputs_.reads[r][token] = ReadRow(read.op, x, partner, operands);
      if (read.cotangent < 0 || !(weighted || factored)) continue;
      const double weight = weighted ? outputs_.cotangents[read.cotangent][token] : 1.0;
      AddReadGradient(read.op, x, partner, operands, weight, gradient);
    }
    if (weighted || factored) transform.PullBack(z, gradient);
  }

  int64_t TokenOf(const VocabularyRead& read, int64_t d, int64_t token) const {
    if (read.index_input >= 0) return static_cast<int64_t>(inputs_.inputs[read.index_input][token]);
    if (read.index_read >= 0) return static_cast<int64_t>(outputs_.reads[read.index_read][token]);
    return inputs_.distributions[d].labels[token];
  }

  const HeadShape& HeadOf(int64_t d) const {
    return problem_.heads.at(signature_.distributions[d].model);
  }

  HeadTransform TransformOf(int64_t d) const {
    const HeadShape& head = HeadOf(d);
    const bool biased = head.has_bias && !problem_.uses[d].logits;
    return {.bias = biased ? inputs_.biases.at(signature_.distributions[d].model).data() : nullptr,
            .inverse_temperature = head.inverse_temperature,
            .soft_cap = head.soft_cap};
  }

  double Weight(const Segment& s, int64_t token) const {
    if (s.form != Form::kFactored) return 1;
    return outputs_.cotangents[WeightOf(signature_, s.distribution)][token];
  }

  // visit(token of the segment, row of the chunk) for the rows with gradient.
  template <typename Visit>
  void ForGradientRows(const Chunk& chunk, Visit visit) const {
    int64_t row = 0;
    for (const Segment& s : chunk.segments) {
      for (int64_t token = s.begin; token < s.end; ++token, ++row) {
        if (s.form != Form::kNone) visit(s, token, row);
      }
    }
  }

  void ScaleInput(const Chunk& chunk, const HeadShape& head) {
    ForGradientRows(chunk, [&](const Segment& s, int64_t token, int64_t row) {
      for (int64_t h = 0; h < head.hidden; ++h) x_[row * head.hidden + h] *= Weight(s, token);
    });
  }

  // gradient [V, H] (+)= z [C, V]^T x [C, H]
  void HeadGradGemm(const Chunk& chunk, const HeadShape& head, const double* z,
                    std::vector<double>& gradient, bool accumulate) {
    if (!accumulate) std::fill(gradient.begin(), gradient.end(), 0.0);
    ForGradientRows(chunk, [&](const Segment&, int64_t, int64_t row) {
      for (int64_t v = 0; v < head.vocabulary; ++v) {
        for (int64_t h = 0; h < head.hidden; ++h) {
          gradient[v * head.hidden + h] += z[row * head.vocabulary + v] * x_[row * head.hidden + h];
        }
      }
    });
  }

  // gradient [V] (+)= z [C, V]^T w [C], or the column sums of z
  void BiasGrad(const Chunk& chunk, const HeadShape& head, const double* z, bool weighted,
                std::vector<double>& gradient, bool accumulate) {
    if (!accumulate) std::fill(gradient.begin(), gradient.end(), 0.0);
    ForGradientRows(chunk, [&](const Segment& s, int64_t token, int64_t row) {
      const double weight = weighted ? Weight(s, token) : 1;
      for (int64_t v = 0; v < head.vocabulary; ++v)
        gradient[v] += z[row * head.vocabulary + v] * weight;
    });
  }

  // u [C, H] = z [C, V] head [V, H], where x was
  void HiddenGemm(const Chunk& chunk, const HeadShape& head, const double* z,
                  const std::vector<double>& head_values) {
    ForGradientRows(chunk, [&](const Segment&, int64_t, int64_t row) {
      double* u = x_.data() + row * head.hidden;
      std::fill(u, u + head.hidden, 0.0);
      for (int64_t v = 0; v < head.vocabulary; ++v) {
        for (int64_t h = 0; h < head.hidden; ++h)
          u[h] += z[row * head.vocabulary + v] * head_values[v * head.hidden + h];
      }
    });
  }

  void ScatterHidden(const Chunk& chunk, const HeadShape& head, bool scaled) {
    ForGradientRows(chunk, [&](const Segment& s, int64_t token, int64_t row) {
      std::vector<double>& gradient = outputs_.hidden_gradients[s.distribution];
      if (gradient.empty()) return;
      const double weight = scaled ? Weight(s, token) : 1;
      for (int64_t h = 0; h < head.hidden; ++h)
        gradient[token * head.hidden + h] = weight * x_[row * head.hidden + h];
    });
  }

  void Accumulate(const Chunk& chunk, const HeadShape& head, const double* z, bool accumulate) {
    const int64_t d = chunk.segments.front().distribution;
    if (head.requires_grad) {
      std::vector<double>& sums = accumulators_[d];
      sums.resize(head.vocabulary * head.hidden, inputs_.unknown);
      HeadGradGemm(chunk, head, z, sums, accumulate);
    }
    if (head.bias_requires_grad) {
      std::vector<double>& sums = bias_accumulators_[d];
      sums.resize(head.vocabulary, inputs_.unknown);
      BiasGrad(chunk, head, z, /*weighted=*/false, sums, accumulate);
    }
  }

  void AddAccumulator(const Step& step) {
    const int64_t d = step.distribution;
    const int64_t token = FirstToken(signature_, problem_, d, step.row_begin);
    const double weight = outputs_.cotangents[WeightOf(signature_, d)][token];
    const auto add = [&](const std::vector<double>& sums, std::vector<double>& gradient) {
      for (size_t i = 0; i < sums.size(); ++i)
        gradient[i] = (step.accumulate ? gradient[i] : 0.0) + weight * sums[i];
    };
    const std::string& model = schedule_.gradient_model;
    if (accumulators_.count(d) > 0) add(accumulators_[d], outputs_.head_gradients.at(model));
    if (bias_accumulators_.count(d) > 0)
      add(bias_accumulators_[d], outputs_.bias_gradients.at(model));
  }

  void ScaleHidden(const Step& step) {
    std::vector<double>& gradient = outputs_.hidden_gradients[step.distribution];
    const std::vector<double>& weights =
        outputs_.cotangents[WeightOf(signature_, step.distribution)];
    const int64_t hidden = HeadOf(step.distribution).hidden;
    for (int64_t i = step.begin * hidden; i < step.end * hidden; ++i)
      gradient[i] *= weights[i / hidden];
  }

  const Signature& signature_;
  const Problem& problem_;
  const Schedule& schedule_;
  const InterpreterInputs& inputs_;
  const ScalarBlock& block_;
  InterpreterOutputs outputs_;
  std::vector<double> results_, state_;
  std::vector<double> z_, partner_z_, x_;  // the workspace: [C, V], [C, V], [C, H]
  std::vector<double> borrowed_;  // memory of the f32 head gradient, in elements of the logits
  std::vector<std::vector<double>> logits_;  // by distribution: given ones [M, V]
  std::map<int64_t, std::vector<double>> accumulators_, bias_accumulators_;  // [V, H], [V]
};

}  // namespace

absl::StatusOr<InterpreterOutputs> InterpretSchedule(const Signature& signature,
                                                     const Problem& problem,
                                                     const Schedule& schedule,
                                                     const InterpreterInputs& inputs,
                                                     const ScalarBlock& block) {
  ALIDADE_RETURN_IF_ERROR(ValidateProblem(signature, problem));
  ALIDADE_ASSIGN_OR_RETURN(InterpreterOutputs outputs,
                           Walk(signature, problem, schedule, inputs, block).Run());
  return outputs;
}

}  // namespace alidade::schedule
