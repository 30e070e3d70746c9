#include "compiler/schedule/schedule.h"

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "compiler/schedule/interpreter.h"
#include "compiler/schedule/planner.h"
#include "compiler/schedule/quadratic_testutil.h"
#include "compiler/schedule/signature.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::schedule {
namespace {

using ::testing::HasSubstr;

// Schedules differ only in the order of f64 sums of tens of terms.
constexpr double kOrderTolerance = 1e-10;
// Central differences at step 1e-5 of values near 1: truncation 1e-10, cancellation 1e-10.
constexpr double kDifferenceTolerance = 1e-6;
constexpr double kStep = 1e-5;

// One sort of objective, a call of it, and the schedules that are exact for it with a trained and
// with a frozen head.
struct Case {
  std::string name;
  QuadraticObjective objective;
  std::string trained, frozen;                   // "S2 S3 ..."
  std::function<void(Problem&)> edit = nullptr;  // of the problem
  std::function<void(InterpreterInputs&)> adjust = nullptr;
};

// Two responses, log-probabilities with and without gradient.
QuadraticObjective Contrast() {
  QuadraticObjective objective;
  const int64_t pc = AddDistribution(objective.signature, "policy", "chosen", true);
  const int64_t pr = AddDistribution(objective.signature, "policy", "rejected", true);
  const int64_t rc = AddDistribution(objective.signature, "reference", "chosen", false);
  const int64_t rr = AddDistribution(objective.signature, "reference", "rejected", false);
  AddRead(objective, {.distribution = pc}, true, 0.2, 1);
  AddRead(objective, {.distribution = pr}, true, 0, -1);
  AddRead(objective, {.distribution = rc}, false, 0, -1);
  AddRead(objective, {.distribution = rr}, false, 0, 1);
  Finish(objective);
  return objective;
}

// Log-probabilities with weights that are known before any score: lengths, and the reference's
// log-probabilities of all rows.
QuadraticObjective Known(bool entropy) {
  QuadraticObjective objective;
  const int64_t p = AddDistribution(objective.signature, "policy", "response", true);
  const int64_t r = AddDistribution(objective.signature, "reference", "mismatched", false);
  objective.signature.distributions[r].feeds_known = true;
  AddRead(objective, {.distribution = p}, true, -1, 0);
  if (entropy) AddRead(objective, {.op = "entropy", .distribution = p}, true, 0.3, 0);
  AddRead(objective, {.distribution = r}, false, 0, 0);
  objective.uniform = false;
  Finish(objective);
  return objective;
}

// An entropy, values without gradient, and a separable distribution beside it.
QuadraticObjective Entropy() {
  QuadraticObjective objective;
  const int64_t p = AddDistribution(objective.signature, "policy", "chosen", true);
  const int64_t q = AddDistribution(objective.signature, "policy", "rejected", true);
  const int64_t r = AddDistribution(objective.signature, "reference", "chosen", false);
  AddRead(objective, {.distribution = p}, true, 0.1, 1);
  AddRead(objective, {.op = "entropy", .distribution = p}, true, -0.3, 0.5);
  AddRead(objective, {.op = "collision", .distribution = r}, false, 0, 0.7);
  AddRead(objective, {.op = "logit", .distribution = q}, true, 0, 0.4);
  AddRead(objective, {.op = "logit", .distribution = r}, false, 0, 0.1);
  Finish(objective);
  return objective;
}

// A divergence between policy and reference, whose log-probabilities are read too.
QuadraticObjective Divergence(const std::string& op) {
  QuadraticObjective objective;
  const int64_t p = AddDistribution(objective.signature, "policy", "chosen", true);
  const int64_t r = AddDistribution(objective.signature, "reference", "chosen", false);
  const int64_t q = AddDistribution(objective.signature, "policy", "rejected", true);
  AddRead(objective, {.distribution = p}, op != "logprob_mix", 0.1, 1);
  AddRead(objective, {.op = op, .distribution = p, .partner = r, .scale_constant = 1.3}, true, 0.2,
          0.5);
  AddRead(objective, {.distribution = r}, false, 0, -1);
  AddRead(objective, {.distribution = q}, true, 0, -0.5);
  if (op == "logprob_mix") {
    objective.linear[0] = objective.quadratic[0] = 0;
  }
  Finish(objective);
  return objective;
}

// A divergence between two views of the policy, both with gradient of their own.
QuadraticObjective ActivePartner() {
  QuadraticObjective objective;
  const int64_t p = AddDistribution(objective.signature, "policy", "chosen", true);
  const int64_t v = AddDistribution(objective.signature, "policy", "chosen", true, "blank");
  AddRead(objective, {.distribution = p}, true, 0.1, 1);
  // A gradient to one side only: what the other side gives is data, which differences cannot see.
  AddRead(objective, {.op = "kl_from", .distribution = v, .partner = p}, true, 0.7, 0);
  Finish(objective);
  return objective;
}

QuadraticObjective Members() {
  QuadraticObjective objective;
  const int64_t p = AddDistribution(objective.signature, "policy", "member", true);
  const int64_t r = AddDistribution(objective.signature, "reference", "member", false);
  AddRead(objective, {.distribution = p}, true, 0.1, 1);
  AddRead(objective, {.distribution = r}, false, 0, -1);
  objective.uniform = false;
  Finish(objective);
  return objective;
}

// Tokens from data, the reference at the policy's argmax, the policy at its own and at the
// reference's.
QuadraticObjective Indexes() {
  QuadraticObjective objective;
  const int64_t r = AddDistribution(objective.signature, "reference", "chosen", false);
  const int64_t p = AddDistribution(objective.signature, "policy", "chosen", true);
  objective.signature.inputs = {{.name = "token", .axis = 0}};
  const int64_t best_r = AddRead(objective, {.op = "argmax", .distribution = r}, false, 0, 0);
  const int64_t best_p = AddRead(objective, {.op = "argmax", .distribution = p}, false, 0, 0);
  AddRead(objective, {.op = "logprob_at", .distribution = p, .index_input = 0}, true, 0.2, 1);
  AddRead(objective, {.op = "logprob_at", .distribution = p, .index_read = best_r}, true, 0, 0.3);
  AddRead(objective, {.op = "logit_at", .distribution = p, .index_read = best_p}, true, 0.5, 0);
  AddRead(objective, {.op = "logprob_at", .distribution = r, .index_read = best_p}, false, 0, 0.4);
  Finish(objective);
  return objective;
}

QuadraticObjective Batch() {
  QuadraticObjective objective = Contrast();
  objective.batch = true;
  Finish(objective);
  return objective;
}

void SameHeads(Problem& problem) { problem.heads["reference"].same_as = "policy"; }

void RichHeads(Problem& problem) {
  for (auto& [model, head] : problem.heads) {
    head.has_bias = true;
    head.inverse_temperature = model == "policy" ? 0.8 : 1.25;
    head.soft_cap = model == "policy" ? 3 : 5;
  }
  problem.heads["policy"].bias_requires_grad = problem.heads["policy"].requires_grad;
  problem.heads["policy"].adds_gradient = true;
}

void GiveLogits(Problem& problem, bool policy, bool reference, bool in_place) {
  for (size_t d = 0; d < problem.uses.size(); ++d) {
    DistributionUse& use = problem.uses[d];
    const bool gradient = use.hidden_gradient;
    if (!(gradient ? policy : reference)) continue;
    use = {.logits = true, .logits_gradient = gradient, .logits_in_place = gradient && in_place};
  }
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  const std::string all = "S2 S3 F D RC", stored = "S2 RC", rows = "S2 S3 RC";
  cases.push_back({"contrast", Contrast(), "S2 S3 D RC", all});
  cases.push_back({"contrast of equal heads", Contrast(), "S2 S3 D RC", all, SameHeads});
  cases.push_back({"contrast with bias and cap", Contrast(), "S2 S3 D RC", all, RichHeads});
  cases.push_back({"known weights", Known(false), "S2 S3 F RC", "S2 S3 F RC"});
  cases.push_back(
      {"known weights of an entropy", Known(true), "S2 S3 F RC", "S2 S3 F RC", RichHeads});
  cases.push_back({"entropy", Entropy(), rows, rows});
  cases.push_back({"entropy, equal heads", Entropy(), rows, rows, SameHeads});
  cases.push_back({"forward divergence", Divergence("kl_from"), rows, rows});
  cases.push_back({"reverse divergence", Divergence("kl_to"), rows, rows, RichHeads});
  cases.push_back({"divergence, equal heads", Divergence("kl_to"), rows, rows, SameHeads});
  cases.push_back({"mixture", Divergence("logprob_mix"), "S2 S3 D RC", all});
  cases.push_back({"divergence of views", ActivePartner(), rows, "S2 S3 F RC"});
  cases.push_back({"members", Members(), rows, "S2 S3 F RC"});
  cases.push_back({"indexes", Indexes(), rows, rows});
  cases.push_back({"batch", Batch(), stored, "S2 F RC"});
  for (const bool in_place : {false, true}) {
    cases.push_back({"given logits", Contrast(), all, all,
                     [in_place](Problem& problem) { GiveLogits(problem, true, false, in_place); }});
    cases.push_back({"given logits of both", Divergence("kl_to"), all, all,
                     [in_place](Problem& problem) { GiveLogits(problem, true, true, in_place); }});
    cases.push_back({"given logits of the policy", Divergence("kl_from"), all, all,
                     [in_place](Problem& problem) { GiveLogits(problem, true, false, in_place); }});
    cases.push_back({"given logits of views", ActivePartner(), all, all,
                     [in_place](Problem& problem) { GiveLogits(problem, true, true, in_place); }});
  }
  cases.push_back({"given logits of the reference", Divergence("kl_from"), rows, rows,
                   [](Problem& problem) { GiveLogits(problem, false, true, false); }});
  cases.push_back({"given log-probabilities", Contrast(), "S2 S3 D RC", all, [](Problem& problem) {
                     problem.uses[1] = problem.uses[2] = {.provided = true};
                   }});
  return cases;
}

InterpreterOutputs Interpret(const Case& c, const Problem& problem, const Schedule& schedule,
                             const InterpreterInputs& inputs) {
  auto outputs = InterpretSchedule(c.objective.signature, problem, schedule, inputs,
                                   QuadraticBlock(c.objective));
  EXPECT_THAT(outputs, IsOk());
  return outputs.ok() ? *std::move(outputs) : InterpreterOutputs();
}

Schedule Store(const Case& c, const Problem& problem) {
  return BuildSchedule(c.objective.signature, problem, Kind::kS2,
                       {.gradient_tokens = 1000, .reference_tokens = 1000});
}

void ExpectNear(const std::vector<double>& a, const std::vector<double>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i], b[i], tolerance * std::max(1.0, std::abs(b[i]))) << i;
  }
}

void ExpectSame(const InterpreterOutputs& a, const InterpreterOutputs& b) {
  ExpectNear({a.loss}, {b.loss}, kOrderTolerance);
  ExpectNear(a.metrics, b.metrics, kOrderTolerance);
  ExpectNear(a.state, b.state, kOrderTolerance);
  const auto lists = [](const std::vector<std::vector<double>>& x,
                        const std::vector<std::vector<double>>& y) {
    ASSERT_EQ(x.size(), y.size());
    for (size_t i = 0; i < x.size(); ++i) ExpectNear(x[i], y[i], kOrderTolerance);
  };
  lists(a.reads, b.reads);
  lists(a.cotangents, b.cotangents);
  lists(a.hidden_gradients, b.hidden_gradients);
  lists(a.logits_gradients, b.logits_gradients);
  const auto maps = [](const std::map<std::string, std::vector<double>>& x,
                       const std::map<std::string, std::vector<double>>& y) {
    ASSERT_EQ(x.size(), y.size());
    for (const auto& [name, values] : x) ExpectNear(values, y.at(name), kOrderTolerance);
  };
  maps(a.head_gradients, b.head_gradients);
  maps(a.bias_gradients, b.bias_gradients);
}

// NaN stands in every buffer, score and gradient until a step writes it.
TEST(ScheduleTest, EveryExactScheduleGivesTheSameNumbers) {
  for (const Case& c : Cases()) {
    const Signature& signature = c.objective.signature;
    ASSERT_THAT(ValidateSignature(signature), IsOk()) << c.name;
    for (const bool trained : {true, false}) {
      Problem problem = QuadraticProblem(signature, trained);
      if (c.edit) c.edit(problem);
      InterpreterInputs inputs = QuadraticInputs(signature, problem, 11);
      inputs.unknown = std::numeric_limits<double>::quiet_NaN();
      const InterpreterOutputs expected = Interpret(c, problem, Store(c, problem), inputs);
      ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan plan, MakePlan(signature, problem, {}));
      std::string exact;
      for (const Candidate& candidate : plan.candidates) {
        if (!candidate.legal) continue;
        absl::StrAppend(&exact, exact.empty() ? "" : " ", KindName(candidate.kind));
        for (const int64_t chunk : {1, 2, 4, 9, 100}) {
          for (const bool share : {false, true}) {
            SCOPED_TRACE(absl::StrCat(c.name, trained ? " trained " : " frozen ",
                                      KindName(candidate.kind), " chunk ", chunk,
                                      share ? " shared" : ""));
            const Schedule schedule = BuildSchedule(signature, problem, candidate.kind,
                                                    {.gradient_tokens = chunk,
                                                     .reference_tokens = chunk,
                                                     .copy_tokens = chunk,
                                                     .share_head = share});
            ExpectSame(Interpret(c, problem, schedule, inputs), expected);
            if (HasFailure()) FAIL() << schedule.Print(signature);
          }
        }
      }
      EXPECT_EQ(exact, trained ? c.trained : c.frozen)
          << c.name << plan.Explain(signature, problem);
    }
  }
}

// d loss / d value, of every `stride`-th value.
void ExpectDifferences(const std::function<double()>& loss, std::vector<double>& values,
                       const std::vector<double>& gradient, const std::vector<double>& before,
                       size_t stride) {
  ASSERT_EQ(gradient.size(), values.size());
  for (size_t i = 0; i < values.size(); i += stride) {
    const double saved = values[i];
    values[i] = saved + kStep;
    const double above = loss();
    values[i] = saved - kStep;
    const double below = loss();
    values[i] = saved;
    const double expected = (above - below) / (2 * kStep) + (before.empty() ? 0.0 : before[i]);
    EXPECT_NEAR(gradient[i], expected, kDifferenceTolerance * std::max(1.0, std::abs(expected)))
        << i;
  }
}

TEST(ScheduleTest, GradientsAreCentralDifferences) {
  for (const Case& c : Cases()) {
    if (c.name == "divergence of views" || c.name == "given logits of views") continue;
    SCOPED_TRACE(c.name);
    const Signature& signature = c.objective.signature;
    Problem problem = QuadraticProblem(signature, true);
    if (c.edit) c.edit(problem);
    InterpreterInputs inputs = QuadraticInputs(signature, problem, 12);
    const Schedule schedule = Store(c, problem);
    const InterpreterOutputs outputs = Interpret(c, problem, schedule, inputs);
    const auto loss = [&] {
      // Equal heads are one tensor to the caller, whose reference does not move.
      return Interpret(c, problem, schedule, inputs).loss;
    };
    for (size_t d = 0; d < signature.distributions.size(); ++d) {
      InterpreterInputs::Scores& scores = inputs.distributions[d];
      if (!outputs.hidden_gradients[d].empty())
        ExpectDifferences(loss, scores.hidden, outputs.hidden_gradients[d], {}, 3);
      if (!outputs.logits_gradients[d].empty())
        ExpectDifferences(loss, scores.logits, outputs.logits_gradients[d], {}, 5);
    }
    const HeadShape& head = problem.heads.at("policy");
    const std::vector<double> none;
    for (const auto& [model, gradient] : outputs.head_gradients) {
      if (model != "policy" || problem.heads.count("reference") == 0) continue;
      if (!problem.heads.at("reference").same_as.empty()) continue;
      ExpectDifferences(loss, inputs.heads[model], gradient,
                        head.adds_gradient ? inputs.head_gradients.at(model) : none, 4);
    }
    for (const auto& [model, gradient] : outputs.bias_gradients) {
      ExpectDifferences(loss, inputs.biases[model], gradient,
                        head.adds_gradient ? inputs.bias_gradients.at(model) : none, 1);
    }
    if (HasFailure()) FAIL();
  }
}

// The gradient through a view that is compared with another view stops at the other one, so that
// differences of the divergence alone are taken with the partner held.
TEST(ScheduleTest, ADivergenceHasAGradientOnItsOwnSideOnly) {
  const Case c = {"views", ActivePartner(), "", ""};
  const Signature& signature = c.objective.signature;
  const Problem problem = QuadraticProblem(signature, false);
  InterpreterInputs inputs = QuadraticInputs(signature, problem, 13);
  const Schedule schedule = Store(c, problem);
  const InterpreterOutputs outputs = Interpret(c, problem, schedule, inputs);
  const auto loss = [&] { return Interpret(c, problem, schedule, inputs).loss; };
  ExpectDifferences(loss, inputs.distributions[1].hidden, outputs.hidden_gradients[1], {}, 1);
}

TEST(ScheduleTest, TheWorkspaceIsWhatTheStepsTouch) {
  // The interpreter's buffers have exactly the sizes of the schedule, and it refuses steps that
  // leave them; so smaller ones must be refused.
  for (const Case& c : Cases()) {
    const Signature& signature = c.objective.signature;
    Problem problem = QuadraticProblem(signature, true);
    if (c.edit) c.edit(problem);
    const InterpreterInputs inputs = QuadraticInputs(signature, problem, 14);
    for (const Kind kind : {Kind::kS2, Kind::kS3, Kind::kRC}) {
      const Schedule schedule =
          BuildSchedule(signature, problem, kind, {.gradient_tokens = 4, .reference_tokens = 4});
      EXPECT_EQ(schedule.workspace_bytes(),
                4 * (schedule.max_logits + schedule.max_partner_logits + schedule.max_hidden));
      for (int64_t Schedule::* size :
           {&Schedule::max_logits, &Schedule::max_partner_logits, &Schedule::max_hidden}) {
        if (schedule.*size == 0) continue;
        Schedule smaller = schedule;
        smaller.*size -= 1;
        EXPECT_THAT(
            InterpretSchedule(signature, problem, smaller, inputs, QuadraticBlock(c.objective)),
            StatusIs(absl::StatusCode::kInternal, HasSubstr("in a buffer of")))
            << c.name << KindName(kind);
      }
    }
  }
}

int64_t Count(const Schedule& schedule, StepOp op) {
  int64_t count = 0;
  for (const Step& step : schedule.steps) count += step.op == op;
  return count;
}

TEST(ScheduleTest, EqualHeadsShareOneGemm) {
  const QuadraticObjective objective = Contrast();
  Problem problem = QuadraticProblem(objective.signature, false);
  SameHeads(problem);
  ChunkLimits limits = {.gradient_tokens = 100, .reference_tokens = 100};
  EXPECT_EQ(Count(BuildSchedule(objective.signature, problem, Kind::kF, limits), StepOp::kHeadGemm),
            2);
  limits.share_head = true;
  const Schedule shared = BuildSchedule(objective.signature, problem, Kind::kF, limits);
  EXPECT_EQ(Count(shared, StepOp::kHeadGemm), 1);
  EXPECT_EQ(shared.chunks[0].num_tokens(), 38);
  EXPECT_EQ(shared.chunks[0].gradient_begin(), 19);
}

TEST(ScheduleTest, RecomputationKeepsTheLastChunk) {
  const QuadraticObjective objective = Contrast();
  const Problem problem = QuadraticProblem(objective.signature, true);
  const Schedule schedule = BuildSchedule(objective.signature, problem, Kind::kRC,
                                          {.gradient_tokens = 5, .reference_tokens = 100});
  // One for the reference; four chunks of at most five of 19 tokens, three of them twice.
  EXPECT_EQ(Count(schedule, StepOp::kHeadGemm), 1 + 4 + 3);
  EXPECT_EQ(Count(schedule, StepOp::kHeadGradGemm), 4);
}

TEST(ScheduleTest, DTakesLongRowsInPieces) {
  const QuadraticObjective objective = Contrast();
  Problem problem = QuadraticProblem(objective.signature, true);
  problem.offsets = {{0, 2, 3, 43, 45}, {0, 2, 5, 25, 27}};
  const Schedule schedule = BuildSchedule(objective.signature, problem, Kind::kD,
                                          {.gradient_tokens = 8, .reference_tokens = 8});
  EXPECT_EQ(Count(schedule, StepOp::kAccumulate), 5 + 3);
  EXPECT_EQ(Count(schedule, StepOp::kAddAccumulator), 2);
  EXPECT_EQ(schedule.accumulators.size(), 2);
  EXPECT_EQ(schedule.accumulator_floats, 2 * kTestHidden * kTestVocabulary);
  EXPECT_EQ(schedule.max_logits, 8 * kTestVocabulary);
  EXPECT_THAT(schedule.Print(objective.signature),
              HasSubstr("add_accumulator policy.chosen row 2"));
}

TEST(ScheduleTest, ChunksOfS3HoldWholeRows) {
  const QuadraticObjective objective = Members();
  const Schedule schedule =
      BuildSchedule(objective.signature, QuadraticProblem(objective.signature, true), Kind::kS3,
                    {.gradient_tokens = 4, .reference_tokens = 6});
  int64_t previous = 0;
  for (const Step& step : schedule.steps) {
    if (step.op != StepOp::kScalarBlock || step.results) continue;
    EXPECT_EQ(step.row_begin, previous);
    previous = step.row_end;
  }
  EXPECT_EQ(previous, 4);
}

TEST(ScheduleTest, OneStepReports) {
  for (const Case& c : Cases()) {
    Problem problem = QuadraticProblem(c.objective.signature, true);
    if (c.edit) c.edit(problem);
    for (const Kind kind : {Kind::kR, Kind::kS2, Kind::kS3, Kind::kF, Kind::kD, Kind::kRC}) {
      const Schedule schedule = BuildSchedule(c.objective.signature, problem, kind,
                                              {.gradient_tokens = 3, .reference_tokens = 3});
      int64_t reports = 0;
      for (const Step& step : schedule.steps) reports += step.results;
      EXPECT_EQ(reports, 1) << c.name << KindName(kind);
    }
  }
}

TEST(ScheduleTest, ScoresOfOneModelNeedNoLoss) {
  const QuadraticObjective objective = Divergence("kl_to");
  Case c = {"reference only", Contrast(), "", ""};
  Problem problem = QuadraticProblem(c.objective.signature, false);
  InterpreterInputs inputs = QuadraticInputs(c.objective.signature, problem, 15);
  const InterpreterOutputs expected = Interpret(c, problem, Store(c, problem), inputs);
  problem.uses[0] = problem.uses[1] = {.absent = true};
  inputs.unknown = std::numeric_limits<double>::quiet_NaN();
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Plan plan, MakePlan(c.objective.signature, problem, {}));
  EXPECT_EQ(plan.schedule.kind, Kind::kR);
  EXPECT_EQ(Count(plan.schedule, StepOp::kScalarBlock), 0);
  const InterpreterOutputs got = Interpret(c, problem, plan.schedule, inputs);
  ExpectNear(got.reads[2], expected.reads[2], kOrderTolerance);
  ExpectNear(got.reads[3], expected.reads[3], kOrderTolerance);
  // The policy's kernel would need the reference's logits.
  problem = QuadraticProblem(objective.signature, false);
  problem.uses[1] = {.absent = true};
  EXPECT_THAT(MakePlan(objective.signature, problem, {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("reference.chosen: expected hidden states or logits, because "
                                 "policy.chosen is compared with its whole distribution")));
}

TEST(ScheduleTest, AHeadThatNoTokenReachesHasAZeroGradient) {
  const Case c = {"empty", Contrast(), "", ""};
  Problem problem = QuadraticProblem(c.objective.signature, true);
  problem.offsets = {{0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}};
  InterpreterInputs inputs = QuadraticInputs(c.objective.signature, problem, 16);
  inputs.unknown = std::numeric_limits<double>::quiet_NaN();
  for (const Kind kind : {Kind::kS2, Kind::kS3, Kind::kD, Kind::kRC}) {
    const Schedule schedule = BuildSchedule(c.objective.signature, problem, kind,
                                            {.gradient_tokens = 4, .reference_tokens = 4});
    const InterpreterOutputs outputs = Interpret(c, problem, schedule, inputs);
    ExpectNear(outputs.head_gradients.at("policy"),
               std::vector<double>(kTestHidden * kTestVocabulary, 0.0), 0);
  }
}

}  // namespace
}  // namespace alidade::schedule
