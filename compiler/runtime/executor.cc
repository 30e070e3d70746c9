#include "compiler/runtime/executor.h"

#include <algorithm>
#include <utility>

#include "ATen/ATen.h"
#include "c10/core/GradMode.h"
#include "common/status/status.h"
#include "compiler/runtime/workspace.h"

namespace alidade::runtime {
namespace {

using schedule::Chunk;
using schedule::Form;
using schedule::HeadShape;
using schedule::Place;
using schedule::Schedule;
using schedule::Segment;
using schedule::Step;
using schedule::StepOp;

void ReduceOverRanks(void* context, double* values, int64_t count) {
  (*static_cast<const AllReduce*>(context))(absl::MakeSpan(values, count));
}

// Shapes: C tokens of a chunk, H hidden, V vocabulary, M tokens of a distribution.
class Walk {
 public:
  Walk(const Objective& objective, const Kernels& kernels, const BoundInputs& inputs,
       const Schedule& schedule)
      : objective_(objective),
        kernels_(kernels),
        signature_(objective.signature()),
        problem_(inputs.problem),
        inputs_(inputs),
        schedule_(schedule),
        workspace_(BytesNeeded(inputs, schedule), inputs.device) {}

  absl::StatusOr<Execution> Run() {
    Allocate();
    for (const Step& step : schedule_.steps) ALIDADE_RETURN_IF_ERROR(RunStep(step));
    return std::move(out_);
  }

 private:
  static int64_t BytesNeeded(const BoundInputs& inputs, const Schedule& schedule) {
    const int64_t size = c10::elementSize(inputs.dtype);
    return Workspace::RoundUp(schedule.max_logits * size) +
           Workspace::RoundUp(schedule.max_partner_logits * size) +
           Workspace::RoundUp(schedule.max_hidden * size);
  }

  at::TensorOptions Options(at::ScalarType dtype) const {
    return at::TensorOptions().dtype(dtype).device(inputs_.device);
  }

  void Allocate() {
    z_ = workspace_.Take(schedule_.max_logits, inputs_.dtype);
    partner_z_ = workspace_.Take(schedule_.max_partner_logits, inputs_.dtype);
    x_ = workspace_.Take(schedule_.max_hidden, inputs_.dtype);
    out_.results =
        at::zeros({static_cast<int64_t>(1 + signature_.metrics.size())}, Options(at::kFloat));
    unwanted_results_ = at::empty_like(out_.results);
    if (!signature_.states.empty()) out_.new_state = inputs_.state.clone();
    AllocateReads();
    AllocateGradients();
    const AlidadeObjectiveTable& table = objective_.table();
    if (signature_.has_known()) {
      known_ = at::empty({Doubles(table.known_fixed, table.known_per_row, table.known_per_axis, 0,
                                  problem_.num_rows())},
                         Options(at::kDouble));
    }
  }

  void AllocateReads() {
    out_.reads.resize(signature_.reads.size());
    out_.cotangents.resize(signature_.num_cotangents());
    for (size_t r = 0; r < signature_.reads.size(); ++r) {
      const schedule::VocabularyRead& read = signature_.reads[r];
      const schedule::DistributionUse& use = problem_.uses[read.distribution];
      if (use.absent) continue;
      const int64_t tokens = NumTokens(signature_, problem_, read.distribution);
      // A token that no kernel has found yet may be loaded in a pass whose result is not used: 0.
      out_.reads[r] = use.provided          ? inputs_.distributions[read.distribution].logp.detach()
                      : read.op == "argmax" ? at::zeros({tokens}, Options(at::kFloat))
                                            : at::empty({tokens}, Options(at::kFloat));
      if (read.cotangent < 0) continue;
      const bool active =
          schedule_.kind != schedule::Kind::kR && IsActive(signature_, problem_, read.distribution);
      if (active || inputs_.distributions[read.distribution].logp_gradient)
        out_.cotangents[read.cotangent] = at::empty({tokens}, Options(at::kFloat));
    }
  }

  void AllocateGradients() {
    const size_t count = signature_.distributions.size();
    out_.hidden_gradients.resize(count);
    out_.logits_gradients.resize(count);
    if (schedule_.kind == schedule::Kind::kR) return;
    for (size_t d = 0; d < count; ++d) {
      if (!IsActive(signature_, problem_, d)) continue;
      const BoundInputs::Scores& scores = inputs_.distributions[d];
      const schedule::DistributionUse& use = problem_.uses[d];
      if (use.hidden_gradient) out_.hidden_gradients[d] = at::empty_like(scores.hidden.detach());
      if (use.logits_gradient) {
        out_.logits_gradients[d] =
            use.logits_in_place ? scores.logits.detach() : at::empty_like(scores.logits.detach());
      }
    }
    const std::string& model = schedule_.gradient_model;
    if (!model.empty()) {
      const HeadShape& head = problem_.heads.at(model);
      if (head.requires_grad) {
        out_.head_gradients[model] =
            Buffer(inputs_.head_gradients, model, {head.vocabulary, head.hidden});
      }
    }
    for (const auto& [name, head] : problem_.heads) {
      if (head.bias_requires_grad)
        out_.bias_gradients[name] = Buffer(inputs_.bias_gradients, name, {head.vocabulary});
    }
    for (int64_t d : schedule_.accumulators) {
      const HeadShape& head = problem_.heads.at(signature_.distributions[d].model);
      accumulators_[d] = {at::empty({head.vocabulary, head.hidden}, Options(at::kFloat)),
                          at::empty({head.vocabulary}, Options(at::kFloat))};
    }
  }

  // The caller's buffer, or memory of our own: zeros where steps only ever add.
  at::Tensor Buffer(const std::map<std::string, at::Tensor>& given, const std::string& model,
                    std::vector<int64_t> sizes) const {
    const auto buffer = given.find(model);
    if (buffer != given.end()) return buffer->second;
    return problem_.heads.at(model).adds_gradient ? at::zeros(sizes, Options(at::kFloat))
                                                  : at::empty(sizes, Options(at::kFloat));
  }

  // fixed + per_row * rows + per_axis * points of rows [row_begin, row_end).
  int64_t Doubles(uint64_t fixed, uint64_t per_row, const uint64_t* per_axis, int64_t row_begin,
                  int64_t row_end) const {
    int64_t doubles = fixed + per_row * (row_end - row_begin);
    for (size_t axis = 0; axis < signature_.axes.size(); ++axis) {
      doubles += per_axis[axis] * (FirstPoint(signature_, problem_, axis, row_end) -
                                   FirstPoint(signature_, problem_, axis, row_begin));
    }
    return doubles;
  }

  absl::Status RunStep(const Step& step) {
    switch (step.op) {
      case StepOp::kKnownBlock:
        return RunKnown();
      case StepOp::kScalarBlock:
        return RunScalars(step);
      case StepOp::kRowKernel:
        return RunRows(step, schedule_.chunks[step.chunk]);
      case StepOp::kAddAccumulator:
        AddAccumulator(step);
        return absl::OkStatus();
      case StepOp::kScaleHidden:
        out_.hidden_gradients[step.distribution]
            .narrow(0, step.begin, step.end - step.begin)
            .mul_(Weights(step.distribution, step.begin, step.end).unsqueeze(1));
        return absl::OkStatus();
      case StepOp::kClearHead:
        for (auto& [model, gradient] : out_.head_gradients) gradient.zero_();
        for (auto& [model, gradient] : out_.bias_gradients) gradient.zero_();
        return absl::OkStatus();
      default:
        RunChunkStep(step, schedule_.chunks[step.chunk]);
        return absl::OkStatus();
    }
  }

  // What known and scalar block share. `offsets` keeps device copies alive.
  AlidadeScalarArgs ScalarArgs(std::vector<at::Tensor>& offsets) const {
    AlidadeScalarArgs args = {};
    for (size_t r = 0; r < out_.reads.size(); ++r)
      args.reads[r] = out_.reads[r].defined() ? out_.reads[r].data_ptr<float>() : nullptr;
    for (size_t axis = 0; axis < problem_.offsets.size(); ++axis) {
      if (inputs_.device.is_cpu()) {
        args.offsets[axis] = problem_.offsets[axis].data();
        continue;
      }
      offsets.push_back(DeviceCopy(problem_.offsets[axis], inputs_.device));
      args.offsets[axis] = offsets.back().data_ptr<int64_t>();
    }
    for (size_t i = 0; i < inputs_.inputs.size(); ++i)
      args.inputs[i] = inputs_.inputs[i].data_ptr<float>();
    std::copy(inputs_.hyperparameters.begin(), inputs_.hyperparameters.end(), args.hyperparameters);
    args.state = inputs_.state.defined() ? inputs_.state.data_ptr<double>() : nullptr;
    args.known = known_.defined() ? known_.mutable_data_ptr<double>() : nullptr;
    args.results = unwanted_results_.mutable_data_ptr<float>();
    args.num_rows = problem_.num_rows();
    return args;
  }

  // The first of `count` doubles of scratch memory, which `scratch` owns.
  double* Scratch(int64_t count, at::Tensor& scratch) const {
    scratch = at::empty({count}, Options(at::kDouble));
    return count == 0 ? nullptr : scratch.mutable_data_ptr<double>();
  }

  absl::Status RunKnown() {
    std::vector<at::Tensor> offsets;
    at::Tensor scratch;
    AlidadeScalarArgs args = ScalarArgs(offsets);
    args.row_end = problem_.num_rows();
    const AlidadeObjectiveTable& table = objective_.table();
    args.scratch = Scratch(Doubles(table.scratch_fixed, table.scratch_per_row,
                                   table.scratch_per_axis, 0, problem_.num_rows()),
                           scratch);
    ReduceWith(args);
    return kernels_.Known(args);
  }

  absl::Status RunScalars(const Step& step) {
    std::vector<at::Tensor> offsets;
    at::Tensor scratch;
    AlidadeScalarArgs args = ScalarArgs(offsets);
    for (size_t c = 0; step.gradient && c < out_.cotangents.size(); ++c) {
      if (out_.cotangents[c].defined())
        args.cotangents[c] = out_.cotangents[c].mutable_data_ptr<float>();
    }
    args.row_begin = step.row_begin;
    args.row_end = step.row_end;
    const AlidadeObjectiveTable& table = objective_.table();
    args.scratch = Scratch(Doubles(table.scratch_fixed, table.scratch_per_row,
                                   table.scratch_per_axis, step.row_begin, step.row_end),
                           scratch);
    if (step.results) {
      args.results = out_.results.mutable_data_ptr<float>();
      if (out_.new_state.defined()) args.new_state = out_.new_state.mutable_data_ptr<double>();
      ReduceWith(args);
      out_.has_loss = true;
    }
    return kernels_.Scalars(args);
  }

  void ReduceWith(AlidadeScalarArgs& args) const {
    if (inputs_.all_reduce == nullptr) return;
    args.all_reduce = &ReduceOverRanks;
    args.context = const_cast<AllReduce*>(&inputs_.all_reduce);
  }

  // Logits [C, V] of a chunk.
  at::Tensor Logits(const Chunk& chunk) const {
    const int64_t tokens = chunk.num_tokens();
    const int64_t vocabulary = problem_.heads.at(chunk.model).vocabulary;
    const auto rows = [&](const at::Tensor& memory, int64_t begin) {
      return memory.narrow(0, begin, tokens * vocabulary).view({tokens, vocabulary});
    };
    const Segment& first = chunk.segments.front();
    switch (chunk.place) {
      case Place::kPartner:
        return rows(partner_z_, chunk.partner_begin);
      case Place::kHeadGradient:
        return rows(out_.head_gradients.at(schedule_.gradient_model).view({-1}).view(inputs_.dtype),
                    0);
      case Place::kInput:
        return inputs_.distributions[first.distribution].logits.detach().narrow(0, first.begin,
                                                                                tokens);
      case Place::kOutput:
        return out_.logits_gradients[first.distribution].narrow(0, first.begin, tokens);
      default:
        return rows(z_, 0);
    }
  }

  // The weights [end - begin] of tokens of a separable distribution.
  at::Tensor Weights(int64_t distribution, int64_t begin, int64_t end) const {
    return out_.cotangents[WeightOf(signature_, distribution)].narrow(0, begin, end - begin);
  }

  absl::Status RunRows(const Step& step, const Chunk& chunk) {
    const at::Tensor z = Logits(chunk);
    int64_t row = 0;
    for (const Segment& segment : chunk.segments) {
      const int64_t begin = row;
      row += segment.end - segment.begin;
      const int64_t program = signature_.distributions[segment.distribution].program;
      if (program < 0 || segment.begin == segment.end) continue;
      AlidadeRowArgs args = RowArgs(segment, z, begin);
      FillReads(step, segment, args);
      args.mode = ALIDADE_ROWS_READ;
      if (step.reads && segment.form == Form::kFactored) args.mode = ALIDADE_ROWS_UNSCALED;
      if (step.gradient && segment.form == Form::kWeighted) args.mode = ALIDADE_ROWS_SCALED;
      if (args.mode == ALIDADE_ROWS_READ && !step.reads && !step.indexes) continue;
      ALIDADE_RETURN_IF_ERROR(kernels_.Rows(program, inputs_.dtype == at::kBFloat16, args));
    }
    return absl::OkStatus();
  }

  // Everything but reads, cotangents and mode.
  AlidadeRowArgs RowArgs(const Segment& segment, const at::Tensor& z, int64_t begin) const {
    const Distribution& distribution = signature_.distributions[segment.distribution];
    const HeadShape& head = problem_.heads.at(distribution.model);
    AlidadeRowArgs args = {};
    args.rows = segment.end - segment.begin;
    args.vocab = z.size(1);
    args.stride = z.size(1);
    args.logits = Row(z, begin);
    args.labels =
        inputs_.distributions[segment.distribution].labels.data_ptr<int64_t>() + segment.begin;
    args.bias = BiasOf(segment.distribution);
    args.inverse_temperature = static_cast<float>(head.inverse_temperature);
    args.soft_cap = static_cast<float>(head.soft_cap);
    args.partner_inverse_temperature = 1;
    if (segment.partner_chunk >= 0) {
      const std::string& model = signature_.distributions[distribution.partner].model;
      const HeadShape& partner = problem_.heads.at(model);
      const at::Tensor logits = Logits(schedule_.chunks[segment.partner_chunk]);
      args.partner = Row(logits, segment.partner_row);
      args.partner_stride = logits.size(1);
      args.partner_bias = BiasOf(distribution.partner);
      args.partner_inverse_temperature = static_cast<float>(partner.inverse_temperature);
      args.partner_soft_cap = static_cast<float>(partner.soft_cap);
    }
    return args;
  }

  static float* Row(const at::Tensor& z, int64_t row) {
    return reinterpret_cast<float*>(static_cast<char*>(z.data_ptr()) +
                                    row * z.stride(0) * static_cast<int64_t>(z.element_size()));
  }

  // Given logits hold it already.
  const float* BiasOf(int64_t distribution) const {
    const auto bias = inputs_.biases.find(signature_.distributions[distribution].model);
    if (bias == inputs_.biases.end() || problem_.uses[distribution].logits) return nullptr;
    return bias->second.data_ptr<float>();
  }

  // Reads, indexes and cotangents in the order of the row program.
  void FillReads(const Step& step, const Segment& segment, AlidadeRowArgs& args) {
    int64_t position = 0, gradient = 0;
    args.scale = 1;
    for (int64_t r : ReadsOf(signature_, segment.distribution)) {
      const schedule::VocabularyRead& read = signature_.reads[r];
      if (step.reads || (step.indexes && IsIndex(r)))
        args.reads[position] = out_.reads[r].mutable_data_ptr<float>() + segment.begin;
      const at::Tensor* index = read.index_input >= 0  ? &inputs_.inputs[read.index_input]
                                : read.index_read >= 0 ? &out_.reads[read.index_read]
                                                       : nullptr;
      if (index != nullptr) args.indexes[position] = index->data_ptr<float>() + segment.begin;
      if (read.op == "logprob_mix") {
        args.scale = read.scale_hyper >= 0 ? inputs_.hyperparameters[read.scale_hyper]
                                           : static_cast<float>(read.scale_constant);
      }
      if (read.cotangent >= 0) {
        const at::Tensor& cotangent = out_.cotangents[read.cotangent];
        if (step.gradient && cotangent.defined())
          args.cotangents[gradient] = cotangent.data_ptr<float>() + segment.begin;
        ++gradient;
      }
      ++position;
    }
  }

  // Whether another read takes its token from read `r`.
  bool IsIndex(int64_t r) const {
    for (const schedule::VocabularyRead& read : signature_.reads)
      if (read.index_read == r) return true;
    return false;
  }

  void RunChunkStep(const Step& step, const Chunk& chunk) {
    const HeadShape& shape = problem_.heads.at(chunk.model);
    const int64_t tokens = chunk.num_tokens(), first = chunk.gradient_begin();
    at::Tensor z = Logits(chunk);
    if (step.op == StepOp::kCopyLogits) return CopyLogits(chunk, z);
    if (step.op == StepOp::kBiasGrad) return BiasGradient(step, chunk, z);
    at::Tensor x = x_.narrow(0, 0, tokens * shape.hidden).view({tokens, shape.hidden});
    switch (step.op) {
      case StepOp::kGather:
        return Gather(chunk, x);
      case StepOp::kHeadGemm:
        at::mm_out(z, x, inputs_.heads.at(chunk.model).detach().t());
        return;
      case StepOp::kScaleInput:
        return ScaleInput(chunk, x);
      case StepOp::kHeadGradGemm:
        return TransposedGemm(out_.head_gradients.at(schedule_.gradient_model),
                              z.narrow(0, first, tokens - first),
                              x.narrow(0, first, tokens - first), step.accumulate);
      case StepOp::kHiddenGemm: {
        at::Tensor u = x.narrow(0, first, tokens - first);
        at::mm_out(u, z.narrow(0, first, tokens - first), inputs_.heads.at(chunk.model).detach());
        return;
      }
      case StepOp::kScatterHidden:
        return ScatterHidden(step, chunk, x);
      default:
        return Accumulate(step, chunk, z, x);
    }
  }

  void CopyLogits(const Chunk& chunk, at::Tensor z) {
    int64_t row = 0;
    for (const Segment& s : chunk.segments) {
      const int64_t count = s.end - s.begin;
      z.narrow(0, row, count)
          .copy_(inputs_.distributions[s.distribution].logits.detach().narrow(0, s.begin, count));
      row += count;
    }
  }

  void Gather(const Chunk& chunk, at::Tensor x) {
    int64_t row = 0;
    for (const Segment& s : chunk.segments) {
      const int64_t count = s.end - s.begin;
      x.narrow(0, row, count)
          .copy_(inputs_.distributions[s.distribution].hidden.detach().narrow(0, s.begin, count));
      row += count;
    }
  }

  void ScaleInput(const Chunk& chunk, at::Tensor x) {
    int64_t row = 0;
    for (const Segment& s : chunk.segments) {
      const int64_t count = s.end - s.begin;
      if (s.form == Form::kFactored && count > 0)
        x.narrow(0, row, count).mul_(Weights(s.distribution, s.begin, s.end).unsqueeze(1));
      row += count;
    }
  }

  void ScatterHidden(const Step& step, const Chunk& chunk, const at::Tensor& u) {
    int64_t row = 0;
    for (const Segment& s : chunk.segments) {
      const int64_t count = s.end - s.begin;
      const at::Tensor& gradient = out_.hidden_gradients[s.distribution];
      if (s.form != Form::kNone && gradient.defined() && count > 0) {
        at::Tensor out = gradient.narrow(0, s.begin, count);
        const at::Tensor rows = u.narrow(0, row, count);
        if (step.scaled && s.form == Form::kFactored) {
          at::mul_out(out, rows, Weights(s.distribution, s.begin, s.end).unsqueeze(1));
        } else {
          out.copy_(rows);
        }
      }
      row += count;
    }
  }

  // out [V, H] (+)= z^T x, f32 whatever the type of the factors.
  void TransposedGemm(at::Tensor& out, const at::Tensor& z, const at::Tensor& x,
                      bool accumulate) const {
    const at::Tensor factor = z.t();
    if (inputs_.dtype == at::kFloat) {
      accumulate ? at::addmm_out(out, out, factor, x) : at::mm_out(out, factor, x);
    } else {
      accumulate ? at::addmm_out(out, out, factor, x, at::kFloat)
                 : at::mm_out(out, factor, x, at::kFloat);
    }
  }

  // out [V] (+)= z^T w; w: the tokens' weights, or 1 where z holds them already.
  void BiasGradient(const Step& step, const Chunk& chunk, const at::Tensor& z) {
    // All segments with gradient are of one model.
    at::Tensor out =
        out_.bias_gradients.at(signature_.distributions[chunk.segments.back().distribution].model);
    if (!step.accumulate) out.zero_();
    int64_t row = 0;
    for (const Segment& s : chunk.segments) {
      const int64_t count = s.end - s.begin;
      if (s.form != Form::kNone && count > 0)
        AddColumns(out, z.narrow(0, row, count),
                   s.form == Form::kFactored ? Weights(s.distribution, s.begin, s.end)
                                             : at::ones({count}, Options(at::kFloat)));
      row += count;
    }
  }

  // out [V] += z^T weights, in f32.
  void AddColumns(at::Tensor& out, const at::Tensor& z, const at::Tensor& weights) const {
    if (inputs_.dtype == at::kFloat) {
      out.addmv_(z.t(), weights);
    } else {
      out.add_(at::mm(z.t(), weights.to(inputs_.dtype).unsqueeze(1), at::kFloat).squeeze(1));
    }
  }

  void Accumulate(const Step& step, const Chunk& chunk, const at::Tensor& z, const at::Tensor& x) {
    auto& [sums, bias_sums] = accumulators_.at(chunk.segments.front().distribution);
    TransposedGemm(sums, z, x, step.accumulate);
    if (!problem_.heads.at(chunk.model).bias_requires_grad) return;
    if (!step.accumulate) bias_sums.zero_();
    AddColumns(bias_sums, z, at::ones({z.size(0)}, Options(at::kFloat)));
  }

  void AddAccumulator(const Step& step) {
    const auto& [sums, bias_sums] = accumulators_.at(step.distribution);
    const int64_t token = FirstToken(signature_, problem_, step.distribution, step.row_begin);
    const at::Tensor weight = Weights(step.distribution, token, token + 1);
    const auto add = [&](at::Tensor& gradient, const at::Tensor& accumulated) {
      step.accumulate ? gradient.addcmul_(accumulated, weight)
                      : at::mul_out(gradient, accumulated, weight);
    };
    const std::string& model = signature_.distributions[step.distribution].model;
    if (problem_.heads.at(model).requires_grad)
      add(out_.head_gradients.at(schedule_.gradient_model), sums);
    if (problem_.heads.at(model).bias_requires_grad) add(out_.bias_gradients.at(model), bias_sums);
  }

  const Objective& objective_;
  const Kernels& kernels_;
  const Signature& signature_;
  const schedule::Problem& problem_;
  const BoundInputs& inputs_;
  const Schedule& schedule_;
  Workspace workspace_;
  at::Tensor z_, partner_z_, x_;  // flat
  at::Tensor known_, unwanted_results_;
  // By distribution: Z^T x [V, H] and column sums of Z [V] of a row's tokens so far.
  std::map<int64_t, std::pair<at::Tensor, at::Tensor>> accumulators_;
  Execution out_;
};

}  // namespace

absl::StatusOr<Execution> Execute(const Objective& objective, const Kernels& kernels,
                                  const BoundInputs& inputs, const Schedule& schedule) {
  const c10::NoGradGuard no_grad;
  return Walk(objective, kernels, inputs, schedule).Run();
}

}  // namespace alidade::runtime
