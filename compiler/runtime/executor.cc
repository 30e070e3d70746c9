#include "compiler/runtime/executor.h"

#include <algorithm>
#include <cstring>

#include "ATen/ATen.h"
#include "c10/core/GradMode.h"
#include "ATen/Parallel.h"
#include "compiler/runtime/workspace.h"

namespace alidade::runtime {
namespace {

using schedule::Chunk;
using schedule::HeadShape;
using schedule::Schedule;
using schedule::Segment;
using schedule::Step;
using schedule::StepOp;

// Elements below which a loop over rows is not worth another thread.
constexpr int64_t kParallelElements = 1 << 14;

int64_t RowGrain(int64_t elements_per_row) {
  return std::max<int64_t>(1, kParallelElements / std::max<int64_t>(1, elements_per_row));
}

// dst[h] = weight * src[h]
void ScaleRow(float* dst, const float* src, float weight, int64_t size) {
  for (int64_t h = 0; h < size; ++h) dst[h] = weight * src[h];
}

// Shapes: C tokens of a chunk, H hidden, V vocabulary, M tokens of a distribution.
class Walk {
 public:
  Walk(const Objective& objective, const BoundInputs& inputs, const Schedule& schedule)
      : objective_(objective),
        signature_(objective.signature()),
        inputs_(inputs),
        schedule_(schedule),
        workspace_(FloatsNeeded(schedule)) {}

  Execution Run() {
    Allocate();
    for (const Step& step : schedule_.steps) {
      if (step.op == StepOp::kScalarBlock) {
        RunBlock(step);
      } else if (step.op == StepOp::kScaleHidden) {
        ScaleHidden(step.distribution);
      } else if (const Chunk& chunk = schedule_.chunks[step.chunk];
                 chunk.num_tokens() > 0 || !step.accumulate) {
        RunChunkStep(step, chunk);
      }
    }
    return std::move(out_);
  }

 private:
  static int64_t FloatsNeeded(const Schedule& schedule) {
    return Workspace::RoundUp(schedule.max_logits) + 2 * Workspace::RoundUp(schedule.max_hidden) +
           Workspace::RoundUp(schedule.max_tokens);
  }

  void Allocate() {
    z_ = workspace_.Take(schedule_.max_logits);
    x_ = workspace_.Take(schedule_.max_hidden);
    u_ = workspace_.Take(schedule_.max_hidden);
    chunk_logp_ = workspace_.Take(schedule_.max_tokens);
    labels_.resize(schedule_.max_tokens);
    out_.results = at::zeros({static_cast<int64_t>(1 + signature_.metrics.size())}, at::kFloat);
    const size_t count = signature_.distributions.size();
    out_.logp.resize(count);
    out_.cotangents.resize(count);
    out_.hidden_gradients.resize(count);
    for (size_t d = 0; d < count; ++d) {
      const BoundInputs::Scores& scores = inputs_.distributions[d];
      const bool provided = inputs_.problem.uses[d].provided;
      const int64_t tokens = schedule::NumTokens(signature_, inputs_.problem, d);
      const bool active = !provided && schedule_.kind != schedule::Kind::kR &&
                          IsActive(signature_, inputs_.problem, d);
      out_.logp[d] = provided ? scores.logp.detach() : at::empty({tokens}, at::kFloat);
      if (active || scores.logp_gradient) out_.cotangents[d] = at::empty({tokens}, at::kFloat);
      if (active && inputs_.problem.uses[d].hidden_gradient) {
        out_.hidden_gradients[d] = at::empty(scores.hidden.sizes(), at::kFloat);
      }
    }
    if (!schedule_.gradient_model.empty()) {
      const HeadShape& head = inputs_.problem.heads.at(schedule_.gradient_model);
      if (head.requires_grad) {
        out_.head_gradients[schedule_.gradient_model] =
            at::empty({head.vocabulary, head.hidden}, at::kFloat);
      }
    }
  }

  void RunBlock(const Step& step) {
    AlidadeScalarArgs args = {};
    for (size_t i = 0; i < signature_.reads.size(); ++i) {
      const schedule::VocabularyRead& read = signature_.reads[i];
      args.reads[i] = out_.logp[read.distribution].data_ptr<float>();
      const at::Tensor& cotangent = out_.cotangents[read.distribution];
      if (read.cotangent >= 0 && step.gradient && cotangent.defined()) {
        args.cotangents[read.cotangent] = cotangent.mutable_data_ptr<float>();
      }
    }
    const AlidadeObjectiveTable& table = objective_.table();
    int64_t doubles = table.scratch_fixed + table.scratch_per_row * (step.row_end - step.row_begin);
    for (size_t i = 0; i < inputs_.problem.offsets.size(); ++i) {
      const std::vector<int64_t>& role = inputs_.problem.offsets[i];
      args.offsets[i] = role.data();
      doubles += table.scratch_per_axis[i] * (role[step.row_end] - role[step.row_begin]);
    }
    std::copy(inputs_.hyperparameters.begin(), inputs_.hyperparameters.end(), args.hyperparameters);
    std::vector<double> scratch(doubles);
    std::vector<float> unwanted(1 + signature_.metrics.size());
    args.results = step.results ? out_.results.mutable_data_ptr<float>() : unwanted.data();
    args.row_begin = step.row_begin;
    args.row_end = step.row_end;
    args.num_rows = inputs_.problem.num_rows();
    args.scratch = scratch.data();
    objective_.variant().scalars(&args);
  }

  void RunChunkStep(const Step& step, const Chunk& chunk) {
    const HeadShape& shape = inputs_.problem.heads.at(chunk.model);
    const at::Tensor& head = inputs_.heads.at(chunk.model);
    const int64_t tokens = chunk.num_tokens();
    const at::Tensor z = Logits(chunk, tokens, shape);
    at::Tensor x = x_.narrow(0, 0, tokens * shape.hidden).view({tokens, shape.hidden});
    at::Tensor u = u_.narrow(0, 0, tokens * shape.hidden).view({tokens, shape.hidden});
    switch (step.op) {
      case StepOp::kGather:
        return Gather(chunk, shape.hidden);
      case StepOp::kHeadGemm: {
        at::Tensor out = z;
        at::mm_out(out, x, head.t());
        return;
      }
      case StepOp::kRowKernel:
        return RowKernel(chunk, z, step.gradient);
      case StepOp::kHiddenGemm:
        at::mm_out(u, z, head);
        return;
      case StepOp::kScatterHidden:
        return ScatterHidden(chunk, shape.hidden, step.scaled);
      case StepOp::kScaleInput:
        return ScaleInput(chunk, shape.hidden);
      default: {
        at::Tensor& gradient = out_.head_gradients.at(chunk.model);
        if (step.accumulate) {
          at::addmm_out(gradient, gradient, z.t(), x);
        } else {
          at::mm_out(gradient, z.t(), x);
        }
      }
    }
  }

  // z [C, V] of a chunk, in the workspace or in the head gradient that nothing has written yet.
  at::Tensor Logits(const Chunk& chunk, int64_t tokens, const HeadShape& shape) {
    at::Tensor memory = chunk.borrows_head_gradient
                            ? out_.head_gradients.at(schedule_.gradient_model).view({-1})
                            : z_;
    return memory.narrow(0, 0, tokens * shape.vocabulary).view({tokens, shape.vocabulary});
  }

  void Gather(const Chunk& chunk, int64_t hidden) {
    float* x = x_.mutable_data_ptr<float>();
    int64_t* y = labels_.data();
    for (const Segment& s : chunk.segments) {
      const BoundInputs::Scores& scores = inputs_.distributions[s.distribution];
      const int64_t tokens = s.end - s.begin;
      if (tokens == 0) continue;
      std::memcpy(x, scores.hidden.data_ptr<float>() + s.begin * hidden,
                  tokens * hidden * sizeof(float));
      std::memcpy(y, scores.labels.data_ptr<int64_t>() + s.begin, tokens * sizeof(int64_t));
      x += tokens * hidden;
      y += tokens;
    }
  }

  void RowKernel(const Chunk& chunk, const at::Tensor& z, bool gradient) {
    const int64_t vocabulary = z.size(1);
    float* logits = z.mutable_data_ptr<float>();
    float* logp = chunk_logp_.mutable_data_ptr<float>();
    // All programs read the log-probability; only those of distributions with gradient write one.
    int64_t program = 0;
    for (const Segment& s : chunk.segments) {
      const Distribution& d = signature_.distributions[s.distribution];
      if (gradient && d.requires_grad) program = d.program;
    }
    const AlidadeRowFn rows = objective_.variant().rows[program];
    at::parallel_for(0, z.size(0), RowGrain(vocabulary), [&](int64_t begin, int64_t end) {
      AlidadeRowArgs args = {};
      args.logits = logits + begin * vocabulary;
      args.rows = end - begin;
      args.vocab = vocabulary;
      args.stride = vocabulary;
      args.labels = labels_.data() + begin;
      args.reads[0] = logp + begin;
      args.inverse_temperature = 1;
      args.mode = gradient ? ALIDADE_ROWS_UNSCALED : ALIDADE_ROWS_READ;
      rows(&args);
    });
    for (const Segment& s : chunk.segments) {
      std::copy(logp, logp + (s.end - s.begin),
                out_.logp[s.distribution].mutable_data_ptr<float>() + s.begin);
      logp += s.end - s.begin;
    }
  }

  void ScatterHidden(const Chunk& chunk, int64_t hidden, bool scaled) {
    const float* u = u_.data_ptr<float>();
    for (const Segment& s : chunk.segments) {
      const at::Tensor& gradient = out_.hidden_gradients[s.distribution];
      if (gradient.defined()) {
        float* out = gradient.mutable_data_ptr<float>();
        const float* weights = scaled ? out_.cotangents[s.distribution].data_ptr<float>() : nullptr;
        at::parallel_for(s.begin, s.end, RowGrain(hidden), [&](int64_t begin, int64_t end) {
          for (int64_t t = begin; t < end; ++t) {
            ScaleRow(out + t * hidden, u + (t - s.begin) * hidden,
                     weights == nullptr ? 1.0f : weights[t], hidden);
          }
        });
      }
      u += (s.end - s.begin) * hidden;
    }
  }

  void ScaleInput(const Chunk& chunk, int64_t hidden) {
    float* x = x_.mutable_data_ptr<float>();
    for (const Segment& s : chunk.segments) {
      const float* weights = out_.cotangents[s.distribution].data_ptr<float>();
      at::parallel_for(s.begin, s.end, RowGrain(hidden), [&](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; ++t) {
          float* row = x + (t - s.begin) * hidden;
          ScaleRow(row, row, weights[t], hidden);
        }
      });
      x += (s.end - s.begin) * hidden;
    }
  }

  void ScaleHidden(int64_t distribution) {
    const at::Tensor& gradient = out_.hidden_gradients[distribution];
    if (!gradient.defined()) return;
    const int64_t hidden = gradient.size(1);
    float* out = gradient.mutable_data_ptr<float>();
    const float* weights = out_.cotangents[distribution].data_ptr<float>();
    at::parallel_for(0, gradient.size(0), RowGrain(hidden), [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t)
        ScaleRow(out + t * hidden, out + t * hidden, weights[t], hidden);
    });
  }

  const Objective& objective_;
  const Signature& signature_;
  const BoundInputs& inputs_;
  const Schedule& schedule_;
  Workspace workspace_;
  at::Tensor z_, x_, u_, chunk_logp_;  // flat: [C * V], [C * H], [C * H], [C]
  std::vector<int64_t> labels_;        // [C]
  Execution out_;
};

}  // namespace

Execution Execute(const Objective& objective, const BoundInputs& inputs, const Schedule& schedule) {
  const c10::NoGradGuard no_grad;
  return Walk(objective, inputs, schedule).Run();
}

}  // namespace alidade::runtime
