#include "compiler/schedule/quadratic_testutil.h"

#include <random>

namespace alidade::schedule {
namespace {

std::vector<double> Normal(std::mt19937_64& generator, size_t size) {
  std::normal_distribution<double> normal;
  std::vector<double> values(size);
  for (double& value : values) value = normal(generator);
  return values;
}

// First point of `axis` in `row`, by the offsets of a call.
int64_t First(const Signature& signature, const ScalarCall& call, int64_t axis, int64_t row) {
  const int64_t parent = signature.axes[axis].parent;
  return call.offsets[axis][parent < 0 ? row : First(signature, call, parent, row)];
}

}  // namespace

double QuadraticBlock::RowSum(const ScalarCall& call, int64_t read, int64_t row) const {
  const Signature& signature = objective_.signature;
  const int64_t axis = signature.distributions[signature.reads[read].distribution].axis;
  double sum = 0;
  for (int64_t t = First(signature, call, axis, row); t < First(signature, call, axis, row + 1);
       ++t)
    sum += objective_.TokenWeight(t) * call.reads[read][t];
  return sum;
}

absl::Status QuadraticBlock::operator()(const ScalarCall& call) {
  const Signature& signature = objective_.signature;
  const int64_t count = signature.reads.size();
  if (call.known) {
    double sum = 0;
    for (int64_t r = 0; r < count; ++r) {
      if (!signature.distributions[signature.reads[r].distribution].feeds_known) continue;
      for (int64_t row = 0; row < call.num_rows; ++row) sum += RowSum(call, r, row);
    }
    known_ = 1 + sum / call.num_rows / 8;
    return absl::OkStatus();
  }
  // Rows that are not asked for are not touched, but for the mean of a batch.
  std::vector<double> q(call.num_rows, 0.0);
  double linear = 0, squares = 0, mean = 0;
  for (int64_t row = 0; row < call.num_rows; ++row) {
    if (!objective_.batch && (row < call.row_begin || row >= call.row_end)) continue;
    for (int64_t r = 0; r < count; ++r) {
      if (objective_.linear[r] != 0)
        linear += known_ * objective_.linear[r] * RowSum(call, r, row) / call.num_rows;
      if (objective_.quadratic[r] != 0) q[row] += objective_.quadratic[r] * RowSum(call, r, row);
    }
    squares += q[row] * q[row] / 2 / call.num_rows;
    mean += q[row] / call.num_rows;
  }
  if (objective_.batch) {
    squares = mean * mean / 2;
    q.assign(call.num_rows, mean);
  }
  for (int64_t r = 0; r < count; ++r) {
    const VocabularyRead& read = signature.reads[r];
    if (read.cotangent < 0 || call.cotangents[read.cotangent] == nullptr) continue;
    const int64_t axis = signature.distributions[read.distribution].axis;
    for (int64_t row = call.row_begin; row < call.row_end; ++row) {
      double weight = known_ * objective_.linear[r];
      if (objective_.quadratic[r] != 0) weight += objective_.quadratic[r] * q[row];
      for (int64_t t = First(signature, call, axis, row); t < First(signature, call, axis, row + 1);
           ++t) {
        call.cotangents[read.cotangent][t] = weight * objective_.TokenWeight(t) / call.num_rows;
      }
    }
  }
  if (call.results == nullptr) return absl::OkStatus();
  call.results[0] = linear + squares;
  call.results[1] = squares;
  call.new_state[0] = call.state[0] + linear + squares;
  return absl::OkStatus();
}

int64_t AddTokens(Signature& signature, const std::string& response) {
  for (size_t i = 0; i < signature.axes.size(); ++i) {
    if (signature.axes[i].kind == "token" && signature.axes[i].name == response) return i;
  }
  int64_t parent = -1;
  if (response == "member") {
    parent = signature.axes.size();
    signature.axes.push_back({.kind = "member"});
  }
  signature.axes.push_back({.kind = "token", .name = response, .parent = parent});
  return signature.axes.size() - 1;
}

int64_t AddDistribution(Signature& signature, const std::string& model, const std::string& response,
                        bool requires_grad, const std::string& view) {
  signature.distributions.push_back({.model = model,
                                     .response = response,
                                     .view = view,
                                     .requires_grad = requires_grad,
                                     .axis = AddTokens(signature, response)});
  return signature.distributions.size() - 1;
}

int64_t AddRead(QuadraticObjective& objective, VocabularyRead read, bool gradient, double linear,
                double quadratic) {
  if (read.partner >= 0)
    objective.signature.distributions[read.distribution].partner = read.partner;
  if (gradient) read.cotangent = objective.signature.num_cotangents();
  objective.signature.reads.push_back(read);
  objective.linear.push_back(linear);
  objective.quadratic.push_back(quadratic);
  return objective.signature.reads.size() - 1;
}

void Finish(QuadraticObjective& objective) {
  Signature& signature = objective.signature;
  signature.name = "quadratic";
  signature.metrics = {"square"};
  signature.states = {{.name = "sum", .default_value = 0.5}};
  AssignRowPrograms(signature);
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    Distribution& distribution = signature.distributions[d];
    if (distribution.feeds_known) signature.known_values = 1;
    if (!distribution.requires_grad) continue;
    Coupling coupling = {
        .granularity = Granularity::kKnown, .uniform = objective.uniform, .reason = "a square"};
    for (size_t r = 0; r < signature.reads.size(); ++r) {
      const VocabularyRead& read = signature.reads[r];
      if (read.distribution != static_cast<int64_t>(d) || read.cotangent < 0) continue;
      coupling.dense |= read.op == "entropy" || read.op == "kl_to" || read.op == "kl_from";
      if (objective.quadratic[r] == 0) continue;
      coupling.rank = 1;
      coupling.granularity = objective.batch ? Granularity::kBatch : Granularity::kRow;
    }
    distribution.coupling = coupling;
  }
}

Problem QuadraticProblem(const Signature& signature, bool head_gradient) {
  const std::vector<std::vector<int64_t>> of_rows = {{0, 3, 3, 7, 9}, {0, 2, 5, 6, 10}};
  Problem problem;
  for (size_t i = 0; i < signature.axes.size(); ++i) {
    if (signature.axes[i].kind == "member") {
      problem.offsets.push_back({0, 2, 3, 3, 5});
    } else if (signature.axes[i].parent >= 0) {
      problem.offsets.push_back({0, 2, 3, 3, 6, 8});
    } else {
      problem.offsets.push_back(of_rows[i % 2]);
    }
  }
  for (const Distribution& distribution : signature.distributions) {
    problem.uses.push_back({.hidden_gradient = distribution.requires_grad});
    HeadShape& head = problem.heads[distribution.model];
    head.hidden = kTestHidden;
    head.vocabulary = kTestVocabulary;
    head.requires_grad |= head_gradient && distribution.requires_grad;
  }
  return problem;
}

InterpreterInputs QuadraticInputs(const Signature& signature, const Problem& problem,
                                  uint64_t seed) {
  std::mt19937_64 generator(seed);
  InterpreterInputs inputs;
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    const int64_t tokens = NumTokens(signature, problem, d);
    InterpreterInputs::Scores scores;
    scores.hidden = Normal(generator, tokens * kTestHidden);
    scores.logits = Normal(generator, tokens * kTestVocabulary);
    scores.logp = Normal(generator, tokens);
    for (int64_t t = 0; t < tokens; ++t) scores.labels.push_back((3 * t) % kTestVocabulary);
    inputs.distributions.push_back(scores);
  }
  for (const auto& [model, head] : problem.heads) {
    inputs.heads[model] = Normal(generator, head.hidden * head.vocabulary);
    inputs.head_gradients[model] = Normal(generator, head.hidden * head.vocabulary);
    inputs.biases[model] = Normal(generator, head.vocabulary);
    inputs.bias_gradients[model] = Normal(generator, head.vocabulary);
  }
  for (const auto& [model, head] : problem.heads) {
    if (!head.same_as.empty()) inputs.heads[model] = inputs.heads[head.same_as];
  }
  for (const Input& input : signature.inputs) {
    const int64_t points = input.axis == Input::kNone  ? 1
                           : input.axis == Input::kRow ? problem.num_rows()
                                                       : problem.offsets[input.axis].back();
    std::vector<double> values;
    for (int64_t i = 0; i < points; ++i) values.push_back((5 * i + 2) % kTestVocabulary);
    inputs.inputs.push_back(values);
  }
  for (const Hyperparameter& hyper : signature.hyperparameters)
    inputs.hyperparameters.push_back(hyper.default_value);
  return inputs;
}

}  // namespace alidade::schedule
