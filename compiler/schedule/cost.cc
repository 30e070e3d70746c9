#include "compiler/schedule/cost.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace alidade::schedule {
namespace {

constexpr double kMebibyte = 1024.0 * 1024.0;
constexpr double kFloatBytes = 4;  // of gradients of head and bias, and of accumulators

class Model {
 public:
  Model(const Problem& problem, const Schedule& schedule, const Machine& machine,
        Candidate& candidate)
      : problem_(problem), schedule_(schedule), machine_(machine), candidate_(candidate) {}

  void Add(const Step& step) {
    candidate_.seconds += machine_.step_seconds;
    if (step.op == StepOp::kAddAccumulator || step.op == StepOp::kClearHead) {
      const HeadShape& head = problem_.heads.at(schedule_.gradient_model);
      const double size = kFloatBytes * head.vocabulary * head.hidden;
      return Stream(step.op == StepOp::kClearHead ? size : size * (step.accumulate ? 3 : 2));
    }
    if (step.chunk < 0) return;
    const Chunk& chunk = schedule_.chunks[step.chunk];
    const HeadShape& head = problem_.heads.at(chunk.model);
    const double tokens = chunk.num_tokens();
    const double gradient_tokens = tokens - chunk.gradient_begin();
    switch (step.op) {
      case StepOp::kHeadGemm:
        return Gemm(tokens, head, HeadBytes(head));
      case StepOp::kHiddenGemm:
        return Gemm(gradient_tokens, head, HeadBytes(head));
      case StepOp::kHeadGradGemm:
      case StepOp::kAccumulate: {
        const double sums = kFloatBytes * head.vocabulary * head.hidden;
        Gemm(gradient_tokens, head, sums);
        if (step.accumulate) Stream(sums);
        return;
      }
      case StepOp::kBiasGrad:
        return Stream(gradient_tokens * head.vocabulary * problem_.element_bytes);
      case StepOp::kCopyLogits:
        return Stream(2 * tokens * head.vocabulary * problem_.element_bytes);
      case StepOp::kRowKernel:
        return RowKernel(step, chunk, head);
      default:
        return;
    }
  }

 private:
  double HeadBytes(const HeadShape& head) const {
    return static_cast<double>(problem_.element_bytes) * head.vocabulary * head.hidden;
  }

  void Gemm(double rows, const HeadShape& head, double other_bytes) {
    const double flops = 2 * rows * head.hidden * head.vocabulary;
    candidate_.flops += flops;
    candidate_.seconds +=
        flops / machine_.gemm_flops * (rows + machine_.gemm_half_rows) / std::max(rows, 1.0);
    candidate_.traffic_bytes += rows * head.vocabulary * problem_.element_bytes + other_bytes;
  }

  void Stream(double bytes) {
    candidate_.traffic_bytes += bytes;
    candidate_.seconds += bytes / machine_.bytes_per_second;
  }

  void RowKernel(const Step& step, const Chunk& chunk, const HeadShape& head) {
    for (const Segment& segment : chunk.segments) {
      const bool weighted = step.gradient && segment.form == Form::kWeighted;
      if (!step.reads && !step.indexes && !weighted) continue;
      const bool writes = weighted || (step.reads && segment.form == Form::kFactored);
      const int64_t rows_of_logits = segment.partner_chunk >= 0 ? 2 : 1;
      const double logits = static_cast<double>(segment.end - segment.begin) * head.vocabulary;
      Stream(logits * problem_.element_bytes * (rows_of_logits + (writes ? 1 : 0)));
      candidate_.seconds += logits * rows_of_logits / machine_.exps_per_second;
    }
  }

  const Problem& problem_;
  const Schedule& schedule_;
  const Machine& machine_;
  Candidate& candidate_;
};

}  // namespace

void AddCost(const Problem& problem, const Schedule& schedule, const Machine& machine,
             Candidate& candidate) {
  candidate.workspace_bytes = schedule.workspace_bytes();
  Model model(problem, schedule, machine, candidate);
  for (const Step& step : schedule.steps) model.Add(step);
  for (const Chunk& chunk : schedule.chunks) {
    if (chunk.place != Place::kPartner && chunk.gradient_begin() < chunk.num_tokens())
      ++candidate.num_chunks;
  }
}

std::string Mebibytes(double bytes) { return absl::StrFormat("%.1f MiB", bytes / kMebibyte); }

}  // namespace alidade::schedule
