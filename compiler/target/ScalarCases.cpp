#include "compiler/target/ScalarCases.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "llvm/ADT/STLExtras.h"

namespace alidade::pref {
namespace {

// Order and position: sorts with gradient, over rows and tokens, against sorted known values.
constexpr char kOrder[] = R"(
pref.objective @order {
  %decay = pref.hyper "decay" default 0.9 in [0, 1]
  %p = pref.logprob policy(chosen)
  %r = pref.logprob reference(chosen)
  %q = pref.logprob policy(rejected)
  %d = pref.sub %p, %r
  %m = pref.sum %d over token
  %rm = pref.sum %r over token
  %qm = pref.mean %q over token

  %sorted = pref.sort %m over row
  %known = pref.sort %rm over row
  %gap = pref.sub %sorted, %known
  %place = pref.position over row
  %shifted = pref.add %gap, %place
  %squared = pref.square %shifted
  %along = pref.sort %qm by %rm over row
  %product = pref.mul %along, %squared

  %largest = pref.reduce_max %rm over row
  %base = pref.mean %rm over row
  %spread = pref.sub %largest, %base
  %scaled = pref.mul %m, %spread

  %st = pref.sort %d over token
  %tp = pref.position over token(chosen)
  %steps = pref.mul %st, %tp
  %back = pref.scan %steps, %decay over token reverse
  %slow = pref.sigmoid %rm
  %forth = pref.scan %back, %slow over token
  %t = pref.mean %forth over token
  %peak = pref.reduce_max %p over token
  %bounded = pref.sigmoid %peak
  %weight = pref.stop_gradient %bounded
  %weighted = pref.mul %t, %weight
  %a = pref.add %product, %scaled
  %b = pref.add %a, %weighted
  %loss = pref.mean %b over row
  pref.yield %loss metrics("gap" = %gap, "t" = %t, "largest" = %largest)
}
)";

// Members of a row, their tokens, and the pairs of them.
constexpr char kGroups[] = R"(
pref.objective @groups {
  %decay = pref.hyper "decay" default 0.5 in [0, 1]
  %low = pref.constant 0.8
  %high = pref.constant 1.2
  %one = pref.constant 1
  %lp = pref.logprob policy(member)
  %old = pref.logprob old_policy(member)
  %reward = pref.input "reward" over [row, member] doc "reward of the response"
  %mean = pref.mean %reward over member
  %advantage = pref.sub %reward, %mean

  %delta = pref.sub %lp, %old
  %ratio = pref.exp %delta
  %left = pref.mul %ratio, %advantage
  %clamped = pref.clamp %ratio, %low, %high
  %right = pref.mul %clamped, %advantage
  %least = pref.min %left, %right
  %running = pref.scan %least, %decay over token reverse
  %ordered = pref.sort %delta over token
  %step = pref.position over token(member)
  %late = pref.mul %ordered, %step
  %both = pref.add %running, %late
  %score = pref.mean %both over token

  %sorted = pref.sort %score over member
  %place = pref.position over member
  %placed = pref.mul %sorted, %place
  %spread = pref.scan %placed, %decay over member
  %total = pref.sum %spread over member
  %members = pref.count over member
  %length = pref.count over token(member)
  %longest = pref.reduce_max %length over member
  %more = pref.add %longest, %one
  %share = pref.div %length, %more
  %shares = pref.sum %share over member

  %first = pref.pair_gather %score first
  %second = pref.pair_gather %score second
  %reward_first = pref.pair_gather %reward first
  %reward_second = pref.pair_gather %reward second
  %better = pref.compare gt %reward_first, %reward_second
  %margin = pref.sub %first, %second
  %signed = pref.where %better, %margin, %second
  %i = pref.pair_index first
  %j = pref.pair_index second
  %distance = pref.sub %j, %i
  %pull = pref.mul %signed, %distance
  %ls = pref.log_sigmoid %pull
  %pairs = pref.mean %ls over pair
  %wins = pref.pair_scatter %ls first
  %losses = pref.pair_scatter %margin second
  %mixed = pref.mul %wins, %losses
  %weighted = pref.mul %mixed, %reward
  %fights = pref.sum %weighted over member

  %a = pref.add %total, %pairs
  %b = pref.add %a, %fights
  %c = pref.mul %b, %shares
  %n = pref.max %members, %one
  %e = pref.div %c, %n
  %loss = pref.mean %e over row
  pref.yield %loss metrics("pairs" = %pairs, "shares" = %shares, "fights" = %fights)
}
)";

// Labelled spans, with tokens in no span and ids beyond the last.
constexpr char kSpans[] = R"(
pref.objective @spans {
  %ids = pref.input "phrase" over [row, token(chosen)] doc "phrase of the token"
  %p = pref.logprob policy(chosen)
  %r = pref.logprob reference(chosen)
  %d = pref.sub %p, %r
  %m = pref.sum %d over token
  %span = pref.segment_sum %d by %ids to segment(phrase)
  %reference = pref.segment_sum %r by %ids to segment(phrase)
  %baseline = pref.mean %m over row
  %centred = pref.sub %span, %baseline
  %squared = pref.square %centred
  %weight = pref.sigmoid %reference
  %worst = pref.mul %squared, %weight
  %spans = pref.mean %worst over segment
  %back = pref.segment_gather %worst by %ids
  %product = pref.mul %back, %d
  %tokens = pref.sum %product over token
  %number = pref.position over segment(phrase)
  %numbered = pref.mul %span, %number
  %later = pref.sum %numbered over segment
  %count = pref.count over segment(phrase)
  %a = pref.add %spans, %tokens
  %b = pref.add %a, %later
  %c = pref.mul %b, %count
  %loss = pref.mean %c over row
  pref.yield %loss metrics("spans" = %spans, "tokens" = %tokens)
}
)";

// States, random numbers, a number per batch, sums over ranks.
constexpr char kStates[] = R"(
pref.objective @states {
  %seed = pref.input "seed" over [] doc "number of the step"
  %delta = pref.state "delta" default 0.5 doc "running mean of the reward"
  %runs = pref.state "runs" default 0 doc "steps so far"
  %one = pref.constant 1
  %keep = pref.constant 0.9
  %rest = pref.constant 0.1
  %p = pref.logprob policy(chosen)
  %r = pref.logprob reference(chosen)
  %d = pref.sub %p, %r
  %noise = pref.uniform %seed over token(chosen)
  %noisy = pref.mul %d, %noise
  %m = pref.sum %noisy over token
  %rm = pref.sum %r over token
  %luck = pref.uniform %seed over row
  %u = pref.mul %m, %luck
  %shifted = pref.sub %u, %delta
  %everywhere = pref.mean %rm over row scope ranks
  %sum = pref.sum %rm over row scope ranks
  %here = pref.mean %rm over row
  %difference = pref.sub %everywhere, %here
  %moved = pref.add %shifted, %difference
  %ls = pref.log_sigmoid %moved
  %nll = pref.neg %ls
  %loss = pref.mean %nll over row
  %reward = pref.mean %m over row
  %stopped = pref.stop_gradient %reward
  %old = pref.mul %delta, %keep
  %new = pref.mul %stopped, %rest
  %next = pref.add %old, %new
  pref.update "delta" = %next
  %more = pref.add %runs, %one
  pref.update "runs" = %more
  pref.yield %loss metrics("reward" = %reward, "everywhere" = %everywhere, "sum" = %sum)
}
)";

// Rows are coupled only by values that carry no gradient, so that row ranges are exact.
constexpr char kKnown[] = R"(
pref.objective @known {
  %eps = pref.constant 1.0e-08
  %one = pref.constant 1
  %reward = pref.input "reward" over [row] doc "reward of the response"
  %p = pref.logprob policy(chosen)
  %r = pref.logprob reference(chosen)
  %m = pref.sum %p over token
  %rm = pref.sum %r over token
  %advantage = pref.whiten %reward by %eps over row
  %sorted = pref.sort %rm over row
  %twice = pref.sort %reward by %sorted over row
  %rank = pref.unsort %twice by %reward over row
  %largest = pref.reduce_max %rm over row
  %x = pref.mul %m, %advantage
  %y = pref.mul %sorted, %m
  %z = pref.mul %rank, %m
  %below = pref.sub %largest, %one
  %ratio = pref.div %x, %below
  %a = pref.add %ratio, %y
  %b = pref.add %a, %z
  %loss = pref.mean %b over row
  pref.yield %loss metrics("largest" = %largest, "m" = %m)
}
)";

// Several reads of a distribution, each with its cotangent.
constexpr char kReads[] = R"(
pref.objective @reads {
  %other = pref.input "other" over [row, token(chosen)] doc "another token"
  %p = pref.logprob policy(chosen)
  %o = pref.logprob policy(chosen) at %other
  %h = pref.entropy policy(chosen)
  %c = pref.collision policy(chosen)
  %z = pref.logit policy(chosen)
  %k = pref.kl reference(chosen), policy(chosen)
  %cs = pref.stop_gradient %c
  %a = pref.mul %p, %h
  %b = pref.mul %o, %cs
  %d = pref.mul %z, %k
  %e = pref.add %a, %b
  %f = pref.add %e, %d
  %s = pref.sum %f over token
  %sq = pref.square %s
  %loss = pref.mean %sq over row
  pref.yield %loss metrics("s" = %s)
}
)";

constexpr ScalarCase kCases[] = {{"order", kOrder},   {"groups", kGroups}, {"spans", kSpans},
                                 {"states", kStates}, {"known", kKnown},   {"reads", kReads}};

// The block computes in f64 from f32 inputs; only its results are rounded to f32.
constexpr double kTolerance = 2e-7;

void expectNear(double value, double expected, double scale, const std::string& what) {
  EXPECT_LE(std::abs(value - expected), kTolerance * std::max(std::abs(expected), scale))
      << what << ": got " << value << ", expected " << expected;
}

}  // namespace

llvm::ArrayRef<ScalarCase> scalarCases() { return kCases; }

std::string scalarCase(llvm::StringRef name) {
  return llvm::find_if(kCases, [&](const ScalarCase& one) { return one.name == name; })->text;
}

// Numbers of points per point of the parent, drawn for every axis: often none, or only one.
PackedBatch randomBatch(const schedule::Signature& signature, int64_t numRows, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(0, 1);
  auto pick = [&](std::initializer_list<int64_t> values) {
    return values.begin()[std::min<size_t>(uniform(random) * values.size(), values.size() - 1)];
  };
  PackedBatch packed;
  packed.numRows = packed.batch.numRows = numRows;
  for (const schedule::Axis& axis : signature.axes) {
    std::vector<int64_t> offsets = {0};
    for (int64_t parent = 0; parent < packed.numPoints(axis.parent); ++parent) {
      int64_t count = pick({0, 1, 2, 3, 5, 7, 33, 70});
      if (axis.kind == "member") count = pick({0, 1, 2, 3, 4, 6});
      if (axis.kind == "segment") count = pick({0, 1, 3, 4});
      if (axis.kind == "pair") {
        const std::vector<int64_t>& members = packed.offsets[*signature.FindAxis("member")];
        const int64_t k = members[parent + 1] - members[parent];
        count = k * (k - 1) / 2;
      }
      offsets.push_back(offsets.back() + count);
    }
    if (axis.kind != "pair") packed.batch.offsets[axis.Name()] = offsets;
    packed.offsets.push_back(std::move(offsets));
  }
  const std::vector<std::string> names = signature.ReadNames();
  for (auto [index, read] : llvm::enumerate(signature.reads)) {
    std::vector<float> values(packed.numPoints(signature.distributions[read.distribution].axis));
    for (float& value : values) value = -6 * uniform(random) - 0.01f;
    packed.batch.reads[names[index]].assign(values.begin(), values.end());
    packed.reads.push_back(std::move(values));
  }
  for (const schedule::Input& input : signature.inputs) {
    std::vector<float> values(packed.numPoints(input.axis));
    // Whole numbers, equal ones among them: as labels some are in no segment.
    for (float& value : values) value = std::floor(7 * uniform(random)) - 2;
    packed.batch.inputs[input.name].assign(values.begin(), values.end());
    packed.inputs.push_back(std::move(values));
  }
  for (const schedule::Hyperparameter& hyper : signature.hyperparameters) {
    packed.hyperparameters.push_back(static_cast<float>(hyper.default_value));
    packed.batch.hyperparameters[hyper.name] = packed.hyperparameters.back();
  }
  for (const schedule::State& state : signature.states) {
    packed.states.push_back(state.default_value + uniform(random));
    packed.batch.states[state.name] = packed.states.back();
  }
  return packed;
}

AlidadeScalarArgs argumentsFor(const schedule::Signature& signature, const PackedBatch& packed,
                               ScalarResults& out) {
  out.results.assign(1 + signature.metrics.size(), kUnwritten);
  out.states.assign(signature.states.size(), kUnwritten);
  out.cotangents.resize(signature.num_cotangents());
  AlidadeScalarArgs args = {};
  for (size_t i = 0; i < packed.offsets.size(); ++i) args.offsets[i] = packed.offsets[i].data();
  for (size_t i = 0; i < packed.inputs.size(); ++i) args.inputs[i] = packed.inputs[i].data();
  for (size_t i = 0; i < packed.reads.size(); ++i) {
    args.reads[i] = packed.reads[i].data();
    const int64_t cotangent = signature.reads[i].cotangent;
    if (cotangent < 0) continue;
    out.cotangents[cotangent].assign(packed.reads[i].size(), kUnwritten);
    args.cotangents[cotangent] = out.cotangents[cotangent].data();
  }
  llvm::copy(packed.hyperparameters, args.hyperparameters);
  args.state = packed.states.data();
  args.new_state = out.states.data();
  args.results = out.results.data();
  args.row_end = args.num_rows = packed.numRows;
  return args;
}

uint64_t doublesOf(uint64_t fixed, uint64_t perRow, llvm::ArrayRef<uint64_t> perAxis,
                   const schedule::Signature& signature, const PackedBatch& packed,
                   int64_t rowBegin, int64_t rowEnd) {
  uint64_t size = fixed + perRow * (rowEnd - rowBegin);
  std::vector<std::pair<int64_t, int64_t>> bounds;
  for (size_t i = 0; i < signature.axes.size(); ++i) {
    const int64_t parent = signature.axes[i].parent;
    const auto [begin, end] = parent < 0 ? std::pair(rowBegin, rowEnd) : bounds[parent];
    bounds.emplace_back(packed.offsets[i][begin], packed.offsets[i][end]);
    if (i < perAxis.size()) size += perAxis[i] * (bounds.back().second - bounds.back().first);
  }
  return size;
}

void expectAsInterpreted(DerivedObjective& derived, const PackedBatch& packed,
                         const ScalarResults& got, const std::string& where) {
  const schedule::Signature& signature = derived.signature;
  absl::StatusOr<Evaluation> expected = interpret(derived.objective(), packed.batch);
  ASSERT_THAT(expected, IsOk());
  expectNear(got.results[0], expected->loss, 1, where + "loss");
  for (size_t i = 0; i < signature.metrics.size(); ++i) {
    const double metric = expected->metrics[signature.metrics[i]];
    // The largest of nothing is -inf.
    if (std::isinf(metric))
      EXPECT_EQ(got.results[i + 1], metric) << where << signature.metrics[i];
    else
      expectNear(got.results[i + 1], metric, 1, where + signature.metrics[i]);
  }
  for (size_t i = 0; i < signature.states.size(); ++i)
    expectNear(got.states[i], expected->states[signature.states[i].name], 1,
               where + signature.states[i].name);
  const std::vector<std::string> names = signature.ReadNames();
  for (size_t read = 0; read < signature.reads.size(); ++read) {
    if (signature.reads[read].cotangent < 0) continue;
    const std::vector<float>& found = got.cotangents[signature.reads[read].cotangent];
    const std::vector<double>& cotangent = expected->cotangents[names[read]];
    ASSERT_EQ(cotangent.size(), found.size()) << where << names[read];
    double largest = 0;
    for (double value : cotangent) largest = std::max(largest, std::abs(value));
    for (size_t i = 0; i < cotangent.size(); ++i)
      expectNear(found[i], cotangent[i], 1e-2 * largest,
                 absl::StrCat(where, "cotangent of ", names[read], "[", i, "]"));
  }
}

}  // namespace alidade::pref
