#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "compiler/schedule/schedule.h"
#include "compiler/schedule/signature.h"

namespace alidade::schedule {
namespace {

bool Contains(const std::vector<int64_t>& list, int64_t item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// Which distributions are worked on where.
struct Roles {
  std::vector<int64_t> given;     // logits are given
  std::vector<int64_t> inactive;  // through a head, without gradient, on their own
  std::vector<int64_t> riding;    // through the head of the active ones, without gradient, in their
                                  // chunks
  std::vector<int64_t> active;    // through a head, with gradient
  std::vector<int64_t> beside;    // without gradient, scored where they are another's partner
  std::vector<int64_t> index_first;  // whose argmax is needed before they are scored
};

class Builder {
 public:
  Builder(const Signature& signature, const Problem& problem, Kind kind, const ChunkLimits& limits)
      : signature_(signature), problem_(problem), limits_(limits) {
    schedule_.kind = kind;
    schedule_.element_bytes = problem.element_bytes;
  }

  Schedule Build() {
    Classify();
    IndexPasses();
    for (int64_t d : roles_.given) GivenScores(d);
    Inactive();
    if (signature_.known_values > 0) Add({.op = StepOp::kKnownBlock});
    if (roles_.active.empty()) {
      AllRows(/*results=*/true);
    } else if (schedule_.kind == Kind::kF) {
      BuildF();
    } else if (schedule_.kind == Kind::kS3 || schedule_.kind == Kind::kD) {
      BuildRows();
    } else if (schedule_.kind == Kind::kRC) {
      BuildRC();
    } else {
      BuildS2();
    }
    GivenGradients();
    if (HeadGradient() && !head_started_ && !GradientHead().adds_gradient) {
      Add({.op = StepOp::kClearHead});
    }
    return std::move(schedule_);
  }

 private:
  // Facts.

  bool IsScored(int64_t d) const {
    const DistributionUse& use = problem_.uses[d];
    return !use.provided && !use.absent &&
           (signature_.distributions[d].program >= 0 || HasGradient(d));
  }

  bool HasGradient(int64_t d) const {
    return schedule_.kind != Kind::kR && IsActive(signature_, problem_, d);
  }

  // F with weights that are known before any score: what is not separable, and a trained head, take
  // their gradient with the scores.
  bool KnownFirst(int64_t d) const {
    return schedule_.kind == Kind::kF && (!IsSeparable(signature_, d) || HeadGradient());
  }

  bool AnyKnownFirst() const {
    return std::any_of(roles_.active.begin(), roles_.active.end(),
                       [this](int64_t d) { return KnownFirst(d); });
  }

  Form FormOf(int64_t d) const {
    if (!HasGradient(d)) return Form::kNone;
    const bool late = schedule_.kind == Kind::kRC || KnownFirst(d) || problem_.uses[d].logits;
    return late || !IsSeparable(signature_, d) ? Form::kWeighted : Form::kFactored;
  }

  const HeadShape& GradientHead() const { return problem_.heads.at(schedule_.gradient_model); }

  bool HeadGradient() const {
    if (schedule_.gradient_model.empty()) return false;
    return GradientHead().requires_grad || GradientHead().bias_requires_grad;
  }

  int64_t Partner(int64_t d) const { return signature_.distributions[d].partner; }
  const std::string& Model(int64_t d) const { return signature_.distributions[d].model; }

  // Distributions with a read that takes the argmax of `d` as its index.
  std::vector<int64_t> IndexUsers(int64_t d) const {
    std::vector<int64_t> users;
    for (const VocabularyRead& read : signature_.reads) {
      if (read.index_read >= 0 && signature_.reads[read.index_read].distribution == d) {
        users.push_back(read.distribution);
      }
    }
    return users;
  }

  void Classify() {
    const int64_t count = signature_.distributions.size();
    for (int64_t d = 0; d < count; ++d) {
      if (!IsScored(d)) continue;
      if (problem_.uses[d].logits) {
        roles_.given.push_back(d);
      } else if (HasGradient(d)) {
        roles_.active.push_back(d);
        schedule_.gradient_model = Model(d);
      }
    }
    // The known block, and what F takes from it, come before the chunks of the active ones.
    const bool early = AnyKnownFirst();
    for (int64_t d = 0; d < count; ++d) {
      if (!IsScored(d) || problem_.uses[d].logits || HasGradient(d)) continue;
      const bool may_wait = !early && !signature_.distributions[d].feeds_known;
      const bool shares = !roles_.active.empty() && limits_.share_head &&
                          (schedule_.kind == Kind::kS2 || schedule_.kind == Kind::kS3 ||
                           schedule_.kind == Kind::kF) &&
                          SharesHead(problem_, Model(d), schedule_.gradient_model);
      if (may_wait && Partner(d) < 0 && IsPartnerOfScored(d)) {
        roles_.beside.push_back(d);
      } else if (may_wait && shares) {
        roles_.riding.push_back(d);
      } else {
        roles_.inactive.push_back(d);
      }
    }
    for (int64_t d = 0; d < count; ++d) {
      if (!IsScored(d)) continue;
      const std::vector<int64_t> users = IndexUsers(d);
      const bool before = std::all_of(users.begin(), users.end(), [&](int64_t user) {
        if (user == d) return true;
        return Contains(roles_.inactive, d) &&
               (Contains(roles_.active, user) || Contains(roles_.riding, user));
      });
      if (!before) roles_.index_first.push_back(d);
    }
  }

  bool IsPartnerOfScored(int64_t d) const {
    for (size_t other = 0; other < signature_.distributions.size(); ++other) {
      if (Partner(other) == d && IsScored(other)) return true;
    }
    return false;
  }

  // Building blocks.

  void Add(Step step) { schedule_.steps.push_back(step); }

  // Adds the chunk and, before it, the chunks of its partners' logits.
  int64_t AddChunk(Chunk chunk) {
    const std::vector<int64_t> partners = AddPartnerChunks(chunk);
    const HeadShape& head = problem_.heads.at(chunk.model);
    const int64_t tokens = chunk.num_tokens();
    if (chunk.place == Place::kWorkspace) {
      schedule_.max_logits = std::max(schedule_.max_logits, tokens * head.vocabulary);
    }
    if (chunk.place != Place::kInput && chunk.place != Place::kOutput) {
      schedule_.max_hidden = std::max(schedule_.max_hidden, tokens * head.hidden);
    }
    schedule_.chunks.push_back(std::move(chunk));
    const int64_t index = schedule_.chunks.size() - 1;
    partners_[index] = partners;
    return index;
  }

  // The same tokens of the partners of `chunk`'s segments: in the partner buffer one chunk per
  // head, and apart those that are scored here; given logits stay where they are.
  std::vector<int64_t> AddPartnerChunks(Chunk& chunk) {
    std::vector<int64_t> added;
    int64_t used = 0;
    std::vector<bool> done(chunk.segments.size(), false);
    for (size_t first = 0; first < chunk.segments.size(); ++first) {
      const int64_t partner = Partner(chunk.segments[first].distribution);
      if (done[first] || partner < 0) continue;
      const int64_t index = schedule_.chunks.size();
      Chunk beside;
      beside.model = Model(partner);
      beside.place = problem_.uses[partner].logits ? Place::kInput : Place::kPartner;
      beside.partner_begin = used;
      int64_t rows = 0;
      for (size_t i = first; i < chunk.segments.size(); ++i) {
        Segment& segment = chunk.segments[i];
        const int64_t other = Partner(segment.distribution);
        if (done[i] || other < 0) continue;
        if (i != first && (beside.place == Place::kInput || problem_.uses[other].logits ||
                           !SharesHead(problem_, Model(other), beside.model) ||
                           Contains(roles_.beside, other) != Contains(roles_.beside, partner))) {
          continue;
        }
        segment.partner_chunk = index;
        segment.partner_row = rows;
        beside.segments.push_back(
            {.distribution = other, .begin = segment.begin, .end = segment.end});
        rows += segment.end - segment.begin;
        done[i] = true;
      }
      if (beside.place == Place::kPartner) {
        const HeadShape& head = problem_.heads.at(beside.model);
        used += rows * head.vocabulary;
        schedule_.max_hidden = std::max(schedule_.max_hidden, rows * head.hidden);
      }
      schedule_.chunks.push_back(std::move(beside));
      added.push_back(index);
    }
    schedule_.max_partner_logits = std::max(schedule_.max_partner_logits, used);
    return added;
  }

  // Logits of a chunk and of its partners. `scores`: partners that are scored beside it are.
  void Logits(int64_t chunk, bool scores) {
    for (int64_t partner : partners_[chunk]) {
      if (schedule_.chunks[partner].place != Place::kPartner) continue;
      Add({.op = StepOp::kGather, .chunk = partner});
      Add({.op = StepOp::kHeadGemm, .chunk = partner});
      const int64_t d = schedule_.chunks[partner].segments.front().distribution;
      if (scores && Contains(roles_.beside, d)) ReadKernel(partner, /*gradient=*/false);
    }
    if (schedule_.chunks[chunk].place == Place::kInput) return;
    if (schedule_.chunks[chunk].place == Place::kOutput) {
      Add({.op = StepOp::kCopyLogits, .chunk = chunk});
      return;
    }
    Add({.op = StepOp::kGather, .chunk = chunk});
    Add({.op = StepOp::kHeadGemm, .chunk = chunk});
  }

  // All reads of a chunk; where one takes an argmax of the same chunk, that comes first.
  void ReadKernel(int64_t chunk, bool gradient) {
    for (const Segment& segment : schedule_.chunks[chunk].segments) {
      if (!Contains(IndexUsers(segment.distribution), segment.distribution)) continue;
      if (Contains(roles_.index_first, segment.distribution)) continue;
      Add({.op = StepOp::kRowKernel, .chunk = chunk, .indexes = true});
      break;
    }
    Add({.op = StepOp::kRowKernel, .chunk = chunk, .reads = true, .gradient = gradient});
  }

  void Scores(int64_t chunk, bool gradient = false) {
    Logits(chunk, /*scores=*/true);
    ReadKernel(chunk, gradient);
  }

  void WeightedKernel(int64_t chunk) {
    if (HasForm(chunk, Form::kWeighted)) {
      Add({.op = StepOp::kRowKernel, .chunk = chunk, .gradient = true});
    }
  }

  // Head, bias and hidden gradients. `scaled`: the weights of the chunk's tokens are known by now;
  // otherwise the hidden gradients of factored segments are scaled later, and the head has none.
  void Gradients(int64_t chunk, bool scaled) {
    if (GradientHead().requires_grad) {
      if (HasForm(chunk, Form::kFactored)) Add({.op = StepOp::kScaleInput, .chunk = chunk});
      Add({.op = StepOp::kHeadGradGemm, .chunk = chunk, .accumulate = HeadHoldsSums()});
    }
    if (GradientHead().bias_requires_grad) {
      Add({.op = StepOp::kBiasGrad, .chunk = chunk, .accumulate = HeadHoldsSums()});
    }
    head_started_ = true;
    HiddenGradients(chunk, scaled);
  }

  void HiddenGradients(int64_t chunk, bool scaled) {
    if (!WantsHidden(chunk)) return;
    Add({.op = StepOp::kHiddenGemm, .chunk = chunk});
    Add({.op = StepOp::kScatterHidden, .chunk = chunk, .scaled = scaled});
  }

  bool HeadHoldsSums() const { return head_started_ || GradientHead().adds_gradient; }

  bool HasForm(int64_t chunk, Form form) const {
    const std::vector<Segment>& segments = schedule_.chunks[chunk].segments;
    return std::any_of(segments.begin(), segments.end(),
                       [form](const Segment& segment) { return segment.form == form; });
  }

  bool WantsHidden(int64_t chunk) const {
    const std::vector<Segment>& segments = schedule_.chunks[chunk].segments;
    return std::any_of(segments.begin(), segments.end(), [this](const Segment& segment) {
      return segment.form != Form::kNone && problem_.uses[segment.distribution].hidden_gradient;
    });
  }

  void ScalarBlock(int64_t row_begin, int64_t row_end, bool gradient, bool results) {
    Add({.op = StepOp::kScalarBlock,
         .row_begin = row_begin,
         .row_end = row_end,
         .gradient = gradient,
         .results = results});
  }

  // A given log-probability may require a gradient too, so that the block computes cotangents in
  // every kind. Without some distribution's scores there is no loss.
  void AllRows(bool results) {
    const auto absent = [](const DistributionUse& use) { return use.absent; };
    if (std::any_of(problem_.uses.begin(), problem_.uses.end(), absent)) return;
    ScalarBlock(0, problem_.num_rows(), /*gradient=*/true, results);
  }

  // Chunks.

  Segment Tokens(int64_t d, int64_t begin, int64_t end) const {
    return {.distribution = d, .begin = begin, .end = end, .form = FormOf(d)};
  }

  // Chunks of at most `limit` tokens, of near equal size, over `distributions` of each head in
  // turn; a chunk may end in the middle of a row.
  std::vector<Chunk> TokenChunks(const std::vector<int64_t>& distributions, int64_t limit) const {
    std::vector<Chunk> chunks;
    std::vector<bool> done(distributions.size(), false);
    for (size_t first = 0; first < distributions.size(); ++first) {
      if (done[first]) continue;
      std::vector<int64_t> group;
      int64_t total = 0;
      for (size_t i = first; i < distributions.size(); ++i) {
        if (done[i] || !SharesHead(problem_, Model(distributions[i]), Model(distributions[first])))
          continue;
        done[i] = true;
        group.push_back(distributions[i]);
        total += NumTokens(signature_, problem_, distributions[i]);
      }
      if (total == 0) continue;
      const int64_t count = (total + limit - 1) / limit;
      const int64_t size = (total + count - 1) / count;
      int64_t room = 0;
      for (int64_t d : group) {
        const int64_t tokens = NumTokens(signature_, problem_, d);
        for (int64_t begin = 0; begin < tokens;) {
          if (room == 0) {
            chunks.push_back({.model = Model(group.back()), .segments = {}});
            room = size;
          }
          const int64_t end = std::min(tokens, begin + room);
          chunks.back().segments.push_back(Tokens(d, begin, end));
          room -= end - begin;
          begin = end;
        }
      }
    }
    return chunks;
  }

  // The tokens of rows [row_begin, row_end) of all `distributions`, the last of which has the head.
  Chunk RowChunk(const std::vector<int64_t>& distributions, int64_t row_begin,
                 int64_t row_end) const {
    Chunk chunk;
    chunk.model = Model(distributions.back());
    for (int64_t d : distributions) {
      chunk.segments.push_back(Tokens(d, FirstToken(signature_, problem_, d, row_begin),
                                      FirstToken(signature_, problem_, d, row_end)));
    }
    return chunk;
  }

  int64_t RowTokens(const std::vector<int64_t>& distributions, int64_t row) const {
    int64_t tokens = 0;
    for (int64_t d : distributions) {
      tokens +=
          FirstToken(signature_, problem_, d, row + 1) - FirstToken(signature_, problem_, d, row);
    }
    return tokens;
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
      const int64_t in_row = RowTokens(distributions, row);
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

  std::vector<int64_t> RidingThenActive() const {
    std::vector<int64_t> all = roles_.riding;
    all.insert(all.end(), roles_.active.begin(), roles_.active.end());
    return all;
  }

  // Phases.

  void IndexPasses() {
    for (int64_t d : roles_.index_first) {
      std::vector<Chunk> chunks;
      if (problem_.uses[d].logits) {
        chunks = GivenChunks(d, Place::kInput);
      } else {
        chunks = TokenChunks({d}, limits_.reference_tokens);
      }
      for (Chunk& chunk : chunks) {
        for (Segment& segment : chunk.segments) segment.form = Form::kNone;
        const int64_t index = AddChunk(std::move(chunk));
        Logits(index, /*scores=*/false);
        Add({.op = StepOp::kRowKernel, .chunk = index, .indexes = true});
      }
    }
  }

  // Given logits: all tokens at once, unless a partner's logits have to be computed beside them or
  // they are copied.
  std::vector<Chunk> GivenChunks(int64_t d, Place place) const {
    const int64_t partner = Partner(d);
    int64_t limit = std::max<int64_t>(1, NumTokens(signature_, problem_, d));
    if (place == Place::kOutput && limits_.copy_tokens > 0)
      limit = std::min(limit, limits_.copy_tokens);
    if (partner >= 0 && !problem_.uses[partner].logits)
      limit = std::min(limit, limits_.reference_tokens);
    std::vector<Chunk> chunks = TokenChunks({d}, limit);
    for (Chunk& chunk : chunks) chunk.place = place;
    return chunks;
  }

  void GivenScores(int64_t d) {
    for (Chunk& chunk : GivenChunks(d, Place::kInput)) Scores(AddChunk(std::move(chunk)));
  }

  // After all cotangents are known. Logits that are overwritten in place come after those that are
  // compared with them.
  void GivenGradients() {
    std::vector<int64_t> ordered;
    for (bool in_place : {false, true}) {
      for (int64_t d : roles_.given) {
        if (HasGradient(d) && problem_.uses[d].logits_in_place == in_place) ordered.push_back(d);
      }
    }
    for (size_t i = 0; i < ordered.size(); ++i) {
      for (size_t k = i + 1; k < ordered.size(); ++k) {
        if (problem_.uses[ordered[i]].logits_in_place && Partner(ordered[k]) == ordered[i])
          std::swap(ordered[i], ordered[k]);
      }
    }
    for (int64_t d : ordered) {
      const Place place = problem_.uses[d].logits_in_place ? Place::kInput : Place::kOutput;
      for (Chunk& chunk : GivenChunks(d, place)) {
        const int64_t index = AddChunk(std::move(chunk));
        Logits(index, /*scores=*/false);
        WeightedKernel(index);
      }
    }
  }

  void Inactive() {
    int64_t borrowed = 0;  // bytes of the head gradient, which is f32
    if (HeadGradient() && GradientHead().requires_grad && !GradientHead().adds_gradient) {
      borrowed = GradientHead().hidden * GradientHead().vocabulary * 4;
    }
    for (Chunk& chunk : TokenChunks(roles_.inactive, limits_.reference_tokens)) {
      const int64_t bytes =
          chunk.num_tokens() * problem_.heads.at(chunk.model).vocabulary * problem_.element_bytes;
      if (bytes <= borrowed) chunk.place = Place::kHeadGradient;
      Scores(AddChunk(std::move(chunk)));
    }
  }

  void BuildS2() {
    const int64_t index = AddChunk(RowChunk(RidingThenActive(), 0, problem_.num_rows()));
    Scores(index);
    ScalarBlock(0, problem_.num_rows(), /*gradient=*/true, /*results=*/true);
    WeightedKernel(index);
    Gradients(index, /*scaled=*/true);
  }

  void BuildF() {
    const bool early = AnyKnownFirst();
    if (early) ScalarBlock(0, problem_.num_rows(), /*gradient=*/true, /*results=*/false);
    for (Chunk& chunk : TokenChunks(RidingThenActive(), limits_.gradient_tokens)) {
      const int64_t index = AddChunk(std::move(chunk));
      Scores(index, /*gradient=*/HasForm(index, Form::kWeighted));
      if (HasForm(index, Form::kFactored) || HasForm(index, Form::kWeighted))
        Gradients(index, /*scaled=*/false);
    }
    ScalarBlock(0, problem_.num_rows(), /*gradient=*/true, /*results=*/true);
    for (int64_t d : roles_.active) {
      if (FormOf(d) == Form::kFactored) ScaleHidden(d, 0, NumTokens(signature_, problem_, d));
    }
  }

  void ScaleHidden(int64_t d, int64_t begin, int64_t end) {
    if (!problem_.uses[d].hidden_gradient || begin == end) return;
    Add({.op = StepOp::kScaleHidden, .distribution = d, .begin = begin, .end = end});
  }

  void BuildRC() {
    std::vector<int64_t> chunks;
    for (Chunk& chunk : TokenChunks(roles_.active, limits_.gradient_tokens)) {
      chunks.push_back(AddChunk(std::move(chunk)));
      Scores(chunks.back());
    }
    ScalarBlock(0, problem_.num_rows(), /*gradient=*/true, /*results=*/true);
    // Backwards, because the logits of the last chunk are still there.
    for (size_t i = chunks.size(); i-- > 0;) {
      if (i + 1 < chunks.size()) Logits(chunks[i], /*scores=*/false);
      WeightedKernel(chunks[i]);
      Gradients(chunks[i], /*scaled=*/true);
    }
  }

  // S3 and D.
  void BuildRows() {
    const std::vector<int64_t> all = RidingThenActive();
    const std::vector<int64_t> cuts = RowCuts(all, limits_.gradient_tokens);
    const bool one = cuts.size() == 2;
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      const bool too_long =
          cuts[i + 1] - cuts[i] == 1 && RowTokens(all, cuts[i]) > limits_.gradient_tokens;
      if (schedule_.kind == Kind::kD && too_long) {
        LongRow(cuts[i], one);
        continue;
      }
      const int64_t index = AddChunk(RowChunk(all, cuts[i], cuts[i + 1]));
      Scores(index);
      ScalarBlock(cuts[i], cuts[i + 1], /*gradient=*/true, /*results=*/one);
      WeightedKernel(index);
      Gradients(index, /*scaled=*/true);
    }
    if (!one) ScalarBlock(0, problem_.num_rows(), /*gradient=*/false, /*results=*/true);
  }

  void LongRow(int64_t row, bool results) {
    for (int64_t d : roles_.active) {
      const int64_t first = FirstToken(signature_, problem_, d, row);
      const int64_t tokens = FirstToken(signature_, problem_, d, row + 1) - first;
      const int64_t count = (tokens + limits_.gradient_tokens - 1) / limits_.gradient_tokens;
      for (int64_t i = 0; i < count; ++i) {
        const int64_t index = AddChunk({.model = Model(d),
                                        .segments = {Tokens(d, first + tokens * i / count,
                                                            first + tokens * (i + 1) / count)}});
        Scores(index);
        if (HeadGradient()) {
          UseAccumulator(d);
          Add({.op = StepOp::kAccumulate, .chunk = index, .accumulate = i > 0});
        }
        HiddenGradients(index, /*scaled=*/false);
      }
    }
    ScalarBlock(row, row + 1, /*gradient=*/true, results);
    for (int64_t d : roles_.active) {
      const int64_t begin = FirstToken(signature_, problem_, d, row);
      const int64_t end = FirstToken(signature_, problem_, d, row + 1);
      if (begin == end) continue;
      if (HeadGradient()) {
        Add({.op = StepOp::kAddAccumulator,
             .distribution = d,
             .row_begin = row,
             .row_end = row + 1,
             .accumulate = HeadHoldsSums()});
        head_started_ = true;
      }
      ScaleHidden(d, begin, end);
    }
  }

  void UseAccumulator(int64_t d) {
    if (Contains(schedule_.accumulators, d)) return;
    schedule_.accumulators.push_back(d);
    const HeadShape& head = GradientHead();
    if (head.requires_grad) schedule_.accumulator_floats += head.vocabulary * head.hidden;
    if (head.bias_requires_grad) schedule_.accumulator_floats += head.vocabulary;
  }

  const Signature& signature_;
  const Problem& problem_;
  const ChunkLimits limits_;
  Roles roles_;
  Schedule schedule_;
  std::map<int64_t, std::vector<int64_t>>
      partners_;               // by chunk: the chunks of its partners' logits
  bool head_started_ = false;  // the head gradient holds sums of this call
};

}  // namespace

Schedule BuildSchedule(const Signature& signature, const Problem& problem, Kind kind,
                       const ChunkLimits& limits) {
  return Builder(signature, problem, kind, limits).Build();
}

}  // namespace alidade::schedule
