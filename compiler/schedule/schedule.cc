#include "compiler/schedule/schedule.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace alidade::schedule {
namespace {

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

absl::Status CheckOffsets(const Signature& signature, const Problem& problem) {
  if (problem.offsets.size() != signature.axes.size()) {
    return Invalid("offsets: expected those of ", signature.axes.size(), " axes, got ",
                   problem.offsets.size());
  }
  for (size_t i = 0; i < signature.axes.size(); ++i) {
    const Axis& axis = signature.axes[i];
    const std::vector<int64_t>& offsets = problem.offsets[i];
    const int64_t parents =
        axis.parent < 0 ? problem.num_rows() : problem.offsets[axis.parent].back();
    if (static_cast<int64_t>(offsets.size()) != parents + 1) {
      return Invalid("offsets of ", axis.Name(), ": expected ", parents + 1, " numbers, got ",
                     offsets.size());
    }
    for (size_t k = 0; k < offsets.size(); ++k) {
      const int64_t least = k == 0 ? 0 : offsets[k - 1];
      if (offsets[k] < least || (k == 0 && offsets[k] != 0)) {
        return Invalid("offsets of ", axis.Name(), "[", k, "]: expected ",
                       k == 0 ? "0" : absl::StrCat("at least ", least), ", got ", offsets[k]);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckHeads(const Problem& problem) {
  for (const auto& [model, head] : problem.heads) {
    if (head.same_as.empty()) continue;
    const auto other = problem.heads.find(head.same_as);
    if (other == problem.heads.end() || !other->second.same_as.empty()) {
      return Invalid(model, ".head: expected to be the same as a head that is given, got '",
                     head.same_as, "'");
    }
    if (other->second.hidden != head.hidden || other->second.vocabulary != head.vocabulary) {
      return Invalid(model, ".head: expected [", other->second.vocabulary, ", ",
                     other->second.hidden, "] as ", head.same_as, ".head, got [", head.vocabulary,
                     ", ", head.hidden, "]");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckUse(const Signature& signature, const Problem& problem, int64_t d) {
  const Distribution& distribution = signature.distributions[d];
  const DistributionUse& use = problem.uses[d];
  const std::string name = distribution.Name();
  if (use.provided + use.logits + use.absent > 1) {
    return Invalid(name, ": expected one of log-probabilities, logits and nothing, got several");
  }
  if (use.absent) return absl::OkStatus();
  const bool is_partner = [&] {
    for (const Distribution& other : signature.distributions)
      if (other.partner == d) return true;
    return false;
  }();
  if (use.provided) {
    const std::vector<int64_t> reads = ReadsOf(signature, d);
    if (is_partner || reads.size() != 1 || signature.reads[reads[0]].op != "logprob") {
      return Invalid(name, ".logp: expected hidden states or logits, because the objective reads ",
                     "more than log-probabilities of it; got log-probabilities");
    }
    return absl::OkStatus();
  }
  for (int64_t r : ReadsOf(signature, d)) {
    const int64_t index = signature.reads[r].index_read;
    if (index < 0) continue;
    const int64_t source = signature.reads[index].distribution;
    if (problem.uses[source].absent) {
      return Invalid(signature.distributions[source].Name(),
                     ": expected its scored tokens, because ", name,
                     " is read at its argmax; got nothing");
    }
  }
  const auto head = problem.heads.find(distribution.model);
  if (head == problem.heads.end()) {
    return Invalid(distribution.model, ".head: expected a tensor [V, H] for ", name, ", got none");
  }
  if (!use.logits && head->second.hidden <= 0) {
    return Invalid(distribution.model, ".head: expected a tensor [V, H] for ", name,
                   ".hidden, got only a vocabulary");
  }
  if (distribution.partner < 0) return absl::OkStatus();
  const Distribution& partner = signature.distributions[distribution.partner];
  const DistributionUse& partner_use = problem.uses[distribution.partner];
  if (partner_use.provided || partner_use.absent) {
    return Invalid(partner.Name(), ": expected hidden states or logits, because ", name,
                   " is compared with its whole distribution; got ",
                   partner_use.provided ? "log-probabilities" : "nothing");
  }
  const auto partner_head = problem.heads.find(partner.model);
  if (partner_head != problem.heads.end() &&
      partner_head->second.vocabulary != head->second.vocabulary) {
    return Invalid(partner.Name(), ": expected a vocabulary of ", head->second.vocabulary, " as ",
                   name, " has, got ", partner_head->second.vocabulary);
  }
  if (use.logits_in_place && partner_use.logits_in_place && partner.partner == d) {
    return Invalid(name, ".logits: expected not to be overwritten, because ", partner.Name(),
                   " is compared with it and is overwritten too");
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view KindName(Kind kind) {
  switch (kind) {
    case Kind::kR:
      return "R";
    case Kind::kS2:
      return "S2";
    case Kind::kS3:
      return "S3";
    case Kind::kF:
      return "F";
    case Kind::kD:
      return "D";
    case Kind::kRC:
      return "RC";
  }
  return "?";
}

absl::string_view StepOpName(StepOp op) {
  switch (op) {
    case StepOp::kGather:
      return "gather";
    case StepOp::kHeadGemm:
      return "head_gemm";
    case StepOp::kCopyLogits:
      return "copy_logits";
    case StepOp::kRowKernel:
      return "row_kernel";
    case StepOp::kKnownBlock:
      return "known_block";
    case StepOp::kScalarBlock:
      return "scalar_block";
    case StepOp::kScaleInput:
      return "scale_input";
    case StepOp::kHeadGradGemm:
      return "head_grad_gemm";
    case StepOp::kBiasGrad:
      return "bias_grad";
    case StepOp::kHiddenGemm:
      return "hidden_gemm";
    case StepOp::kScatterHidden:
      return "scatter_hidden";
    case StepOp::kAccumulate:
      return "accumulate";
    case StepOp::kAddAccumulator:
      return "add_accumulator";
    case StepOp::kScaleHidden:
      return "scale_hidden";
    case StepOp::kClearHead:
      return "clear_head";
  }
  return "?";
}

absl::Status ValidateProblem(const Signature& signature, const Problem& problem) {
  ALIDADE_RETURN_IF_ERROR(CheckOffsets(signature, problem));
  if (problem.uses.size() != signature.distributions.size()) {
    return Invalid("uses: expected those of ", signature.distributions.size(),
                   " distributions, got ", problem.uses.size());
  }
  ALIDADE_RETURN_IF_ERROR(CheckHeads(problem));
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    ALIDADE_RETURN_IF_ERROR(CheckUse(signature, problem, d));
  }
  return absl::OkStatus();
}

int64_t FirstPoint(const Signature& signature, const Problem& problem, int64_t axis, int64_t row) {
  const int64_t parent = signature.axes[axis].parent;
  return problem.offsets[axis][parent < 0 ? row : FirstPoint(signature, problem, parent, row)];
}

int64_t NumTokens(const Signature& signature, const Problem& problem, int64_t d) {
  return problem.offsets[signature.distributions[d].axis].back();
}

int64_t FirstToken(const Signature& signature, const Problem& problem, int64_t d, int64_t row) {
  return FirstPoint(signature, problem, signature.distributions[d].axis, row);
}

bool IsActive(const Signature& signature, const Problem& problem, int64_t d) {
  const Distribution& distribution = signature.distributions[d];
  const DistributionUse& use = problem.uses[d];
  if (!distribution.requires_grad || use.provided || use.absent) return false;
  if (use.logits) return use.logits_gradient;
  const HeadShape& head = problem.heads.at(distribution.model);
  return use.hidden_gradient || head.requires_grad || head.bias_requires_grad;
}

bool SharesHead(const Problem& problem, const std::string& a, const std::string& b) {
  if (a == b) return true;
  const auto first = [&problem](const std::string& model) {
    const HeadShape& head = problem.heads.at(model);
    return head.same_as.empty() ? model : head.same_as;
  };
  return first(a) == first(b);
}

std::vector<int64_t> ReadsOf(const Signature& signature, int64_t d) {
  std::vector<int64_t> reads;
  for (size_t r = 0; r < signature.reads.size(); ++r) {
    if (signature.reads[r].distribution == d) reads.push_back(r);
  }
  return reads;
}

bool IsSeparable(const Signature& signature, int64_t d) {
  const int64_t program = signature.distributions[d].program;
  return program >= 0 && signature.row_programs[program].separable();
}

int64_t WeightOf(const Signature& signature, int64_t d) {
  for (const VocabularyRead& read : signature.reads) {
    if (read.distribution == d && read.cotangent >= 0) return read.cotangent;
  }
  return -1;
}

int64_t Chunk::num_tokens() const {
  int64_t tokens = 0;
  for (const Segment& segment : segments) tokens += segment.end - segment.begin;
  return tokens;
}

int64_t Chunk::gradient_begin() const {
  int64_t row = 0;
  for (const Segment& segment : segments) {
    if (segment.form != Form::kNone) break;
    row += segment.end - segment.begin;
  }
  return row;
}

std::string Schedule::Print(const Signature& signature) const {
  std::string text;
  for (const Step& step : steps) {
    absl::StrAppend(&text, StepOpName(step.op));
    if (step.chunk >= 0) {
      const Chunk& chunk = chunks[step.chunk];
      absl::StrAppend(&text, " #", step.chunk, " ", chunk.model);
      for (const Segment& s : chunk.segments) {
        absl::StrAppend(&text, " ", signature.distributions[s.distribution].Name(), "[", s.begin,
                        ":", s.end, ")");
        if (s.partner_chunk >= 0) absl::StrAppend(&text, "|#", s.partner_chunk);
      }
    }
    if (step.distribution >= 0)
      absl::StrAppend(&text, " ", signature.distributions[step.distribution].Name());
    if (step.op == StepOp::kScalarBlock)
      absl::StrAppend(&text, " rows[", step.row_begin, ":", step.row_end, ")");
    if (step.op == StepOp::kAddAccumulator) absl::StrAppend(&text, " row ", step.row_begin);
    if (step.op == StepOp::kScaleHidden)
      absl::StrAppend(&text, "[", step.begin, ":", step.end, ")");
    if (step.indexes) absl::StrAppend(&text, " indexes");
    if (step.reads) absl::StrAppend(&text, " reads");
    if (step.gradient) absl::StrAppend(&text, " gradient");
    if (step.results) absl::StrAppend(&text, " results");
    if (step.scaled) absl::StrAppend(&text, " scaled");
    if (step.accumulate) absl::StrAppend(&text, " accumulate");
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace alidade::schedule
