#include "compiler/schedule/interpreter.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace alidade::schedule {
namespace {

// Shapes: C tokens of a chunk, H hidden, V vocabulary.
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
    ALIDADE_RETURN_IF_ERROR(Prepare());
    for (const Step& step : schedule_.steps) {
      if (step.op == StepOp::kScalarBlock) {
        ALIDADE_RETURN_IF_ERROR(RunBlock(step));
      } else if (step.op == StepOp::kScaleHidden) {
        ScaleHidden(step.distribution);
      } else {
        RunChunkStep(step, schedule_.chunks[step.chunk]);
      }
    }
    outputs_.loss = results_[0];
    outputs_.metrics.assign(results_.begin() + 1, results_.end());
    return std::move(outputs_);
  }

 private:
  absl::Status Prepare() {
    const size_t count = signature_.distributions.size();
    if (inputs_.distributions.size() != count)
      return Mismatch("distributions", count, inputs_.distributions.size());
    outputs_.logp.resize(count);
    outputs_.cotangents.resize(count);
    outputs_.hidden_gradients.resize(count);
    for (size_t d = 0; d < count; ++d) {
      const Distribution& distribution = signature_.distributions[d];
      const size_t tokens = NumTokens(signature_, problem_, d);
      const InterpreterInputs::Scores& scores = inputs_.distributions[d];
      if (distribution.requires_grad) outputs_.cotangents[d].assign(tokens, 0.0);
      if (problem_.uses[d].provided) {
        if (scores.logp.size() != tokens)
          return Mismatch(distribution.Name() + ".logp", tokens, scores.logp.size());
        outputs_.logp[d] = scores.logp;
        continue;
      }
      const HeadShape& head = problem_.heads.at(distribution.model);
      if (scores.labels.size() != tokens)
        return Mismatch(distribution.Name() + ".labels", tokens, scores.labels.size());
      if (scores.hidden.size() != tokens * head.hidden) {
        return Mismatch(distribution.Name() + ".hidden", tokens * head.hidden,
                        scores.hidden.size());
      }
      outputs_.logp[d].assign(tokens, 0.0);
      if (IsActive(signature_, problem_, d) && problem_.uses[d].hidden_gradient) {
        outputs_.hidden_gradients[d].assign(tokens * head.hidden, 0.0);
      }
    }
    for (const auto& [model, head] : problem_.heads) {
      const size_t size = head.vocabulary * head.hidden;
      const auto values = inputs_.heads.find(model);
      if (values == inputs_.heads.end() || values->second.size() != size) {
        return Mismatch(model + ".head", size,
                        values == inputs_.heads.end() ? 0 : values->second.size());
      }
      if (head.requires_grad) outputs_.head_gradients[model].assign(size, 0.0);
    }
    results_.assign(1 + signature_.metrics.size(), 0.0);
    return absl::OkStatus();
  }

  static absl::Status Mismatch(const std::string& what, size_t expected, size_t got) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": expected ", expected, " elements, got ", got));
  }

  absl::Status RunBlock(const Step& step) {
    ScalarCall call;
    for (const VocabularyRead& read : signature_.reads) {
      call.reads.push_back(outputs_.logp[read.distribution].data());
      if (read.cotangent >= 0) {
        call.cotangents.push_back(step.gradient ? outputs_.cotangents[read.distribution].data()
                                                : nullptr);
      }
    }
    for (const auto& offsets : problem_.offsets) call.offsets.push_back(offsets.data());
    call.hyperparameters = inputs_.hyperparameters;
    call.results = step.results ? results_.data() : nullptr;
    call.row_begin = step.row_begin;
    call.row_end = step.row_end;
    call.num_rows = problem_.num_rows();
    return block_(call);
  }

  void RunChunkStep(const Step& step, const Chunk& chunk) {
    const HeadShape& head = problem_.heads.at(chunk.model);
    switch (step.op) {
      case StepOp::kGather:
        return Gather(chunk, head);
      case StepOp::kHeadGemm:
        return HeadGemm(inputs_.heads.at(chunk.model), head);
      case StepOp::kRowKernel:
        return RowKernel(chunk, head, step.gradient);
      case StepOp::kHiddenGemm:
        return HiddenGemm(inputs_.heads.at(chunk.model), head);
      case StepOp::kScatterHidden:
        return ScatterHidden(chunk, head, step.scaled);
      case StepOp::kScaleInput:
        return ScaleInput(chunk, head);
      default:
        return HeadGradGemm(outputs_.head_gradients.at(chunk.model), head, step.accumulate);
    }
  }

  void Gather(const Chunk& chunk, const HeadShape& head) {
    x_.clear();
    y_.clear();
    for (const Segment& s : chunk.segments) {
      const InterpreterInputs::Scores& scores = inputs_.distributions[s.distribution];
      x_.insert(x_.end(), scores.hidden.begin() + s.begin * head.hidden,
                scores.hidden.begin() + s.end * head.hidden);
      y_.insert(y_.end(), scores.labels.begin() + s.begin, scores.labels.begin() + s.end);
    }
  }

  // z [C, V] = x [C, H] head [V, H]^T
  void HeadGemm(const std::vector<double>& head_values, const HeadShape& head) {
    z_.assign(y_.size() * head.vocabulary, 0.0);
    for (size_t t = 0; t < y_.size(); ++t) {
      for (int64_t v = 0; v < head.vocabulary; ++v) {
        double sum = 0;
        for (int64_t h = 0; h < head.hidden; ++h)
          sum += x_[t * head.hidden + h] * head_values[v * head.hidden + h];
        z_[t * head.vocabulary + v] = sum;
      }
    }
  }

  void RowKernel(const Chunk& chunk, const HeadShape& head, bool gradient) {
    size_t t = 0;
    for (const Segment& s : chunk.segments) {
      for (int64_t token = s.begin; token < s.end; ++token, ++t) {
        double* row = z_.data() + t * head.vocabulary;
        const double largest = *std::max_element(row, row + head.vocabulary);
        double sum = 0;
        for (int64_t v = 0; v < head.vocabulary; ++v) sum += std::exp(row[v] - largest);
        const double log_sum = largest + std::log(sum);
        outputs_.logp[s.distribution][token] = row[y_[t]] - log_sum;
        if (!gradient) continue;
        for (int64_t v = 0; v < head.vocabulary; ++v) row[v] = -std::exp(row[v] - log_sum);
        row[y_[t]] += 1;
      }
    }
  }

  // u [C, H] = z [C, V] head [V, H]
  void HiddenGemm(const std::vector<double>& head_values, const HeadShape& head) {
    u_.assign(y_.size() * head.hidden, 0.0);
    for (size_t t = 0; t < y_.size(); ++t) {
      for (int64_t v = 0; v < head.vocabulary; ++v) {
        const double weight = z_[t * head.vocabulary + v];
        for (int64_t h = 0; h < head.hidden; ++h)
          u_[t * head.hidden + h] += weight * head_values[v * head.hidden + h];
      }
    }
  }

  void ScatterHidden(const Chunk& chunk, const HeadShape& head, bool scaled) {
    size_t t = 0;
    for (const Segment& s : chunk.segments) {
      std::vector<double>& gradient = outputs_.hidden_gradients[s.distribution];
      for (int64_t token = s.begin; token < s.end; ++token, ++t) {
        if (gradient.empty()) continue;
        const double weight = scaled ? outputs_.cotangents[s.distribution][token] : 1.0;
        for (int64_t h = 0; h < head.hidden; ++h)
          gradient[token * head.hidden + h] = weight * u_[t * head.hidden + h];
      }
    }
  }

  void ScaleInput(const Chunk& chunk, const HeadShape& head) {
    size_t t = 0;
    for (const Segment& s : chunk.segments) {
      for (int64_t token = s.begin; token < s.end; ++token, ++t) {
        for (int64_t h = 0; h < head.hidden; ++h)
          x_[t * head.hidden + h] *= outputs_.cotangents[s.distribution][token];
      }
    }
  }

  // dHead [V, H] (+)= z [C, V]^T x [C, H]
  void HeadGradGemm(std::vector<double>& gradient, const HeadShape& head, bool accumulate) {
    if (!accumulate) std::fill(gradient.begin(), gradient.end(), 0.0);
    for (size_t t = 0; t < y_.size(); ++t) {
      for (int64_t v = 0; v < head.vocabulary; ++v) {
        const double weight = z_[t * head.vocabulary + v];
        for (int64_t h = 0; h < head.hidden; ++h)
          gradient[v * head.hidden + h] += weight * x_[t * head.hidden + h];
      }
    }
  }

  void ScaleHidden(int64_t d) {
    std::vector<double>& gradient = outputs_.hidden_gradients[d];
    if (gradient.empty()) return;
    const std::vector<double>& cotangent = outputs_.cotangents[d];
    const int64_t hidden = problem_.heads.at(signature_.distributions[d].model).hidden;
    for (size_t i = 0; i < gradient.size(); ++i) gradient[i] *= cotangent[i / hidden];
  }

  const Signature& signature_;
  const Problem& problem_;
  const Schedule& schedule_;
  const InterpreterInputs& inputs_;
  const ScalarBlock& block_;
  InterpreterOutputs outputs_;
  std::vector<double> results_;
  std::vector<double> x_, z_, u_;  // [C, H], [C, V], [C, H] of the chunk being worked on
  std::vector<int64_t> y_;         // [C]
};

}  // namespace

absl::StatusOr<InterpreterOutputs> InterpretSchedule(const Signature& signature,
                                                     const Problem& problem,
                                                     const Schedule& schedule,
                                                     const InterpreterInputs& inputs,
                                                     const ScalarBlock& block) {
  return Walk(signature, problem, schedule, inputs, block).Run();
}

}  // namespace alidade::schedule
