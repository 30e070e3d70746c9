#include "compiler/schedule/schedule.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace alidade::schedule {
namespace {

// Appends to a schedule; knows how a chunk of each sort is worked on.
class Builder {
 public:
  Builder(const Signature& signature, const Problem& problem, Schedule& schedule)
      : signature_(signature), problem_(problem), schedule_(schedule) {}

  int64_t AddChunk(Chunk chunk) {
    const HeadShape& head = problem_.heads.at(chunk.model);
    const int64_t tokens = chunk.num_tokens();
    schedule_.max_tokens = std::max(schedule_.max_tokens, tokens);
    if (!chunk.borrows_head_gradient) {
      schedule_.max_logits = std::max(schedule_.max_logits, tokens * head.vocabulary);
    }
    schedule_.max_hidden = std::max(schedule_.max_hidden, tokens * head.hidden);
    schedule_.chunks.push_back(std::move(chunk));
    return schedule_.chunks.size() - 1;
  }

  void Scores(int64_t chunk, bool gradient) {
    Add({.op = StepOp::kGather, .chunk = chunk});
    Add({.op = StepOp::kHeadGemm, .chunk = chunk});
    Add({.op = StepOp::kRowKernel, .chunk = chunk, .gradient = gradient});
  }

  void ScalarBlock(int64_t row_begin, int64_t row_end, bool gradient, bool results) {
    Add({.op = StepOp::kScalarBlock,
         .row_begin = row_begin,
         .row_end = row_end,
         .gradient = gradient,
         .results = results});
  }

  // `scaled`: the cotangents of the chunk's tokens are known by now.
  void Gradients(int64_t chunk, bool scaled) {
    const std::string& model = schedule_.chunks[chunk].model;
    if (WantsHidden(chunk)) {
      Add({.op = StepOp::kHiddenGemm, .chunk = chunk});
      Add({.op = StepOp::kScatterHidden, .chunk = chunk, .scaled = scaled});
    }
    if (problem_.heads.at(model).requires_grad) {
      Add({.op = StepOp::kScaleInput, .chunk = chunk});
      Add({.op = StepOp::kHeadGradGemm, .chunk = chunk, .accumulate = head_started_[model]});
      head_started_[model] = true;
    }
  }

  void ScaleHidden(int64_t distribution) {
    Add({.op = StepOp::kScaleHidden, .distribution = distribution});
  }

  // Distributions that are scored here: active ones or the others.
  std::vector<int64_t> Select(bool active) const {
    std::vector<int64_t> selected;
    for (size_t d = 0; d < signature_.distributions.size(); ++d) {
      if (problem_.uses[d].provided) continue;
      const bool has_gradient = schedule_.kind != Kind::kR && IsActive(signature_, problem_, d);
      if (has_gradient == active) selected.push_back(d);
    }
    return selected;
  }

  // Chunks of at most `limit` tokens, of near equal size, over `distributions` of each model in
  // turn; a chunk may end in the middle of a row.
  std::vector<Chunk> TokenChunks(const std::vector<int64_t>& distributions, int64_t limit) const {
    std::vector<Chunk> chunks;
    std::vector<std::string> models;
    for (int64_t d : distributions) {
      const std::string& model = signature_.distributions[d].model;
      if (std::find(models.begin(), models.end(), model) == models.end()) models.push_back(model);
    }
    for (const std::string& model : models) {
      int64_t total = 0;
      for (int64_t d : distributions) {
        if (signature_.distributions[d].model == model) total += NumTokens(signature_, problem_, d);
      }
      if (total == 0) continue;
      const int64_t count = (total + limit - 1) / limit;
      const int64_t size = (total + count - 1) / count;
      int64_t room = 0;
      for (int64_t d : distributions) {
        if (signature_.distributions[d].model != model) continue;
        const int64_t tokens = NumTokens(signature_, problem_, d);
        for (int64_t begin = 0; begin < tokens;) {
          if (room == 0) {
            chunks.push_back({.model = model, .segments = {}});
            room = size;
          }
          const int64_t end = std::min(tokens, begin + room);
          chunks.back().segments.push_back({d, begin, end});
          room -= end - begin;
          begin = end;
        }
      }
    }
    return chunks;
  }

  // The tokens of rows [row_begin, row_end) of all `distributions`, which share one model.
  Chunk RowChunk(const std::vector<int64_t>& distributions, int64_t row_begin,
                 int64_t row_end) const {
    Chunk chunk;
    chunk.model = signature_.distributions[distributions.front()].model;
    for (int64_t d : distributions) {
      const std::vector<int64_t>& offsets = Offsets(d);
      chunk.segments.push_back({d, offsets[row_begin], offsets[row_end]});
    }
    return chunk;
  }

  // Row numbers at which chunks of whole rows begin and end: first 0, last the number of rows.
  std::vector<int64_t> RowCuts(const std::vector<int64_t>& distributions, int64_t limit) const {
    const int64_t rows = problem_.num_rows();
    int64_t total = 0;
    for (int64_t d : distributions) total += NumTokens(signature_, problem_, d);
    const int64_t count = std::max<int64_t>(1, (total + limit - 1) / limit);
    const int64_t size = (total + count - 1) / count;
    std::vector<int64_t> cuts = {0};
    int64_t in_chunk = 0;
    for (int64_t row = 0; row < rows; ++row) {
      int64_t in_row = 0;
      for (int64_t d : distributions) in_row += Offsets(d)[row + 1] - Offsets(d)[row];
      const bool full = in_chunk + in_row > limit || (in_chunk >= size);
      if (in_chunk > 0 && full) {
        cuts.push_back(row);
        in_chunk = 0;
      }
      in_chunk += in_row;
    }
    if (rows > 0) cuts.push_back(rows);
    return cuts;
  }

 private:
  void Add(Step step) { schedule_.steps.push_back(step); }

  const std::vector<int64_t>& Offsets(int64_t d) const {
    return problem_.offsets[*signature_.FindResponse(signature_.distributions[d].response)];
  }

  bool WantsHidden(int64_t chunk) const {
    for (const Segment& segment : schedule_.chunks[chunk].segments) {
      if (problem_.uses[segment.distribution].hidden_gradient) return true;
    }
    return false;
  }

  const Signature& signature_;
  const Problem& problem_;
  Schedule& schedule_;
  std::map<std::string, bool> head_started_;
};

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
  }
  return "?";
}

absl::string_view StepOpName(StepOp op) {
  switch (op) {
    case StepOp::kGather:
      return "gather";
    case StepOp::kHeadGemm:
      return "head_gemm";
    case StepOp::kRowKernel:
      return "row_kernel";
    case StepOp::kScalarBlock:
      return "scalar_block";
    case StepOp::kHiddenGemm:
      return "hidden_gemm";
    case StepOp::kScatterHidden:
      return "scatter_hidden";
    case StepOp::kScaleInput:
      return "scale_input";
    case StepOp::kHeadGradGemm:
      return "head_grad_gemm";
    case StepOp::kScaleHidden:
      return "scale_hidden";
  }
  return "?";
}

int64_t NumTokens(const Signature& signature, const Problem& problem, int64_t d) {
  return problem.offsets[*signature.FindResponse(signature.distributions[d].response)].back();
}

bool IsActive(const Signature& signature, const Problem& problem, int64_t d) {
  const Distribution& distribution = signature.distributions[d];
  if (!distribution.requires_grad || problem.uses[d].provided) return false;
  return problem.uses[d].hidden_gradient || problem.heads.at(distribution.model).requires_grad;
}

int64_t Chunk::num_tokens() const {
  int64_t tokens = 0;
  for (const Segment& segment : segments) tokens += segment.end - segment.begin;
  return tokens;
}

Schedule BuildSchedule(const Signature& signature, const Problem& problem, Kind kind,
                       const ChunkLimits& limits) {
  Schedule schedule;
  schedule.kind = kind;
  Builder builder(signature, problem, schedule);
  const int64_t rows = problem.num_rows();
  const std::vector<int64_t> active = builder.Select(/*active=*/true);
  int64_t borrowed = 0;  // floats of the head gradient
  if (!active.empty()) {
    schedule.gradient_model = signature.distributions[active.front()].model;
    const HeadShape& head = problem.heads.at(schedule.gradient_model);
    if (head.requires_grad) borrowed = head.hidden * head.vocabulary;
  }
  for (Chunk& chunk :
       builder.TokenChunks(builder.Select(/*active=*/false), limits.reference_tokens)) {
    chunk.borrows_head_gradient =
        chunk.num_tokens() * problem.heads.at(chunk.model).vocabulary <= borrowed;
    builder.Scores(builder.AddChunk(std::move(chunk)), /*gradient=*/false);
  }
  // A given log-probability may require a gradient too, so that the block computes cotangents in
  // every kind.
  if (kind == Kind::kF) {
    for (Chunk& chunk : builder.TokenChunks(active, limits.gradient_tokens)) {
      const int64_t index = builder.AddChunk(std::move(chunk));
      builder.Scores(index, /*gradient=*/true);
      builder.Gradients(index, /*scaled=*/false);
    }
    builder.ScalarBlock(0, rows, /*gradient=*/true, /*results=*/true);
    for (int64_t d : active) builder.ScaleHidden(d);
  } else if (kind == Kind::kS2 && !active.empty()) {
    const int64_t index = builder.AddChunk(builder.RowChunk(active, 0, rows));
    builder.Scores(index, /*gradient=*/true);
    builder.ScalarBlock(0, rows, /*gradient=*/true, /*results=*/true);
    builder.Gradients(index, /*scaled=*/true);
  } else if (kind == Kind::kS3 && !active.empty()) {
    const std::vector<int64_t> cuts = builder.RowCuts(active, limits.gradient_tokens);
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      const int64_t index = builder.AddChunk(builder.RowChunk(active, cuts[i], cuts[i + 1]));
      builder.Scores(index, /*gradient=*/true);
      builder.ScalarBlock(cuts[i], cuts[i + 1], /*gradient=*/true, /*results=*/false);
      builder.Gradients(index, /*scaled=*/true);
    }
    builder.ScalarBlock(0, rows, /*gradient=*/false, /*results=*/true);
  } else {
    builder.ScalarBlock(0, rows, /*gradient=*/true, /*results=*/true);
  }
  return schedule;
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
      }
    }
    if (step.distribution >= 0)
      absl::StrAppend(&text, " ", signature.distributions[step.distribution].Name());
    if (step.op == StepOp::kScalarBlock)
      absl::StrAppend(&text, " rows[", step.row_begin, ":", step.row_end, ")");
    if (step.gradient) absl::StrAppend(&text, " gradient");
    if (step.results) absl::StrAppend(&text, " results");
    if (step.scaled) absl::StrAppend(&text, " scaled");
    if (step.accumulate) absl::StrAppend(&text, " accumulate");
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace alidade::schedule
