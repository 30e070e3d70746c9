#include "trainers/testing/test_objectives.h"

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/status/status.h"
#include "compiler/runtime/abi.h"
#include "compiler/schedule/signature.h"

namespace alidade::trainers {
namespace {

using schedule::Signature;

// Log softmax at the label, and onehot - softmax in place of the logits where the gradient is
// wanted.
void Rows(const AlidadeRowArgs* args) {
  for (int64_t i = 0; i < args->rows; ++i) {
    float* row = args->logits + i * args->stride;
    const int64_t vocab = args->vocab, label = args->labels[i];
    double highest = row[0], sum = 0;
    for (int64_t v = 1; v < vocab; ++v) highest = std::max<double>(highest, row[v]);
    for (int64_t v = 0; v < vocab; ++v) sum += std::exp(row[v] - highest);
    args->reads[0][i] = static_cast<float>(row[label] - highest - std::log(sum));
    if (args->mode == ALIDADE_ROWS_READ) continue;
    for (int64_t v = 0; v < vocab; ++v) {
      row[v] = static_cast<float>((v == label ? 1 : 0) - std::exp(row[v] - highest) / sum);
    }
  }
}
// With gradient and without.
constexpr AlidadeRowFn kRows[] = {&Rows, &Rows};

double Softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

double Sum(const float* read, const int64_t* offsets, int64_t row) {
  double sum = 0;
  for (int64_t t = offsets[row]; t < offsets[row + 1]; ++t) sum += read[t];
  return sum;
}

void Fill(float* cotangent, const int64_t* offsets, int64_t row, double value, bool add = false) {
  if (cotangent == nullptr) return;
  for (int64_t t = offsets[row]; t < offsets[row + 1]; ++t) {
    cotangent[t] = static_cast<float>(value) + (add ? cotangent[t] : 0);
  }
}

// Reads: policy chosen, rejected, reference chosen, rejected, and with a view policy and reference
// chosen on it.
template <bool kViewed>
void MarginScalars(const AlidadeScalarArgs* args) {
  const int64_t *chosen = args->offsets[0], *rejected = args->offsets[1];
  const double beta = args->hyperparameters[0], rows = static_cast<double>(args->num_rows);
  double loss = 0, margin = 0;
  for (int64_t row = args->row_begin; row < args->row_end; ++row) {
    const double w = Sum(args->reads[0], chosen, row) - Sum(args->reads[2], chosen, row);
    const double l = Sum(args->reads[1], rejected, row) - Sum(args->reads[3], rejected, row);
    const double u = beta * (w - l), slope = -beta / (1 + std::exp(u)) / rows;
    loss += Softplus(-u);
    margin += u;
    Fill(args->cotangents[0], chosen, row, slope);
    Fill(args->cotangents[1], rejected, row, -slope);
    if constexpr (kViewed) {
      const double v =
          beta * (w - (Sum(args->reads[4], chosen, row) - Sum(args->reads[5], chosen, row)));
      const double view_slope = -beta / (1 + std::exp(v)) / rows;
      loss += Softplus(-v);
      Fill(args->cotangents[0], chosen, row, view_slope, /*add=*/true);
      Fill(args->cotangents[2], chosen, row, -view_slope);
    }
  }
  args->results[0] = static_cast<float>(loss / rows);
  args->results[1] = static_cast<float>(margin / rows);
}

// Reads: policy chosen, rejected.
void CoupledScalars(const AlidadeScalarArgs* args) {
  const int64_t *chosen = args->offsets[0], *rejected = args->offsets[1];
  const double rows = static_cast<double>(args->num_rows);
  double mean = 0;
  for (int64_t row = 0; row < args->num_rows; ++row) {
    mean += (Sum(args->reads[0], chosen, row) - Sum(args->reads[1], rejected, row)) / rows;
  }
  for (int64_t row = args->row_begin; row < args->row_end; ++row) {
    Fill(args->cotangents[0], chosen, row, 2 * mean / rows);
    Fill(args->cotangents[1], rejected, row, -2 * mean / rows);
  }
  args->results[0] = static_cast<float>(mean * mean);
}

schedule::Distribution Policy(const std::string& response, const std::string& view,
                              schedule::Granularity granularity) {
  schedule::Distribution distribution;
  distribution.model = "policy";
  distribution.response = response;
  if (!view.empty()) {
    distribution.view = "corrupted";
    distribution.view_argument = view;
  }
  distribution.requires_grad = true;
  distribution.coupling.granularity = granularity;
  distribution.coupling.rank = 1;
  distribution.coupling.reason = "written by hand";
  return distribution;
}

schedule::Distribution Reference(const std::string& response, const std::string& view) {
  schedule::Distribution distribution = Policy(response, view, schedule::Granularity::kKnown);
  distribution.model = "reference";
  distribution.requires_grad = false;
  distribution.coupling = {};
  return distribution;
}

// One log-probability per distribution, in order.
void AddReads(Signature& signature) {
  int64_t cotangents = 0;
  for (size_t i = 0; i < signature.distributions.size(); ++i) {
    schedule::VocabularyRead read;
    read.distribution = static_cast<int64_t>(i);
    if (signature.distributions[i].requires_grad) read.cotangent = cotangents++;
    signature.reads.push_back(read);
  }
  signature.axes = {{.kind = "token", .name = "chosen"}, {.kind = "token", .name = "rejected"}};
  for (schedule::Distribution& distribution : signature.distributions)
    distribution.axis = *signature.FindResponse(distribution.response);
  schedule::AssignRowPrograms(signature);
}

Signature MarginSignature(bool viewed) {
  Signature signature;
  signature.name = viewed ? "viewed_margin" : "margin";
  const auto row = schedule::Granularity::kRow;
  signature.distributions = {Policy("chosen", "", row), Policy("rejected", "", row),
                             Reference("chosen", ""), Reference("rejected", "")};
  if (viewed) {
    signature.distributions.push_back(Policy("chosen", "crop", row));
    signature.distributions.push_back(Reference("chosen", "crop"));
  }
  AddReads(signature);
  schedule::Hyperparameter beta;
  beta.name = "beta";
  beta.default_value = 0.1;
  beta.low = 0;
  beta.high = HUGE_VAL;
  signature.hyperparameters = {beta};
  signature.metrics = {"margin"};
  return signature;
}

Signature CoupledSignature() {
  Signature signature;
  signature.name = "coupled";
  const auto batch = schedule::Granularity::kBatch;
  signature.distributions = {Policy("chosen", "", batch), Policy("rejected", "", batch)};
  AddReads(signature);
  return signature;
}

// Lives as long as the process, as compiled objectives do.
const runtime::Objective& Make(const Signature& signature, AlidadeScalarFn scalars) {
  auto* json = new std::string(schedule::SignatureToJson(signature));
  auto* name = new std::string(signature.name);
  auto* variant = new AlidadeVariant{"x86-64-v3", kRows, /*known=*/nullptr, scalars};
  auto* table = new AlidadeObjectiveTable{};
  table->abi_version = ALIDADE_ABI_VERSION;
  table->name = name->c_str();
  table->signature_json = json->c_str();
  table->num_variants = 1;
  table->variants = variant;
  auto objective = runtime::Objective::FromTable(table);
  if (!objective.ok()) std::fprintf(stderr, "%s\n", objective.status().ToString().c_str());
  ALIDADE_CHECK(objective.ok());
  return *objective->release();
}

}  // namespace

const runtime::Objective& MarginObjective() {
  static const runtime::Objective& objective = Make(MarginSignature(false), &MarginScalars<false>);
  return objective;
}

const runtime::Objective& ViewedMarginObjective() {
  static const runtime::Objective& objective = Make(MarginSignature(true), &MarginScalars<true>);
  return objective;
}

const runtime::Objective& CoupledObjective() {
  static const runtime::Objective& objective = Make(CoupledSignature(), &CoupledScalars);
  return objective;
}

}  // namespace alidade::trainers
