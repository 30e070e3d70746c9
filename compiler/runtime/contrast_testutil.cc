#include "compiler/runtime/contrast_testutil.h"

#include <cmath>
#include <map>
#include <string>

#include "ATen/ATen.h"
#include "common/status/status.h"
#include "compiler/schedule/signature.h"
#include "compiler/testing/contrast.h"

namespace alidade::runtime::testing {
namespace {

using ::alidade::testing::ContrastScalars;
using ::alidade::testing::ContrastSignature;

void Rows(const AlidadeRowArgs* args) {
  for (int64_t r = 0; r < args->rows; ++r) {
    float* row = args->logits + r * args->stride;
    double sum = 0;
    for (int64_t v = 0; v < args->vocab; ++v) sum += std::exp(double{row[v]});
    args->reads[0][r] = row[args->labels[r]] - std::log(sum);
    for (int64_t v = 0; args->mode == ALIDADE_ROWS_UNSCALED && v < args->vocab; ++v)
      row[v] = (v == args->labels[r]) - std::exp(row[v]) / sum;
  }
}
// With gradient and without.
constexpr AlidadeRowFn kRowKernels[] = {&Rows, &Rows};

void Scalars(const AlidadeScalarArgs* args) {
  ContrastScalars<float>(args->reads, args->offsets, args->hyperparameters, args->cotangents,
                         args->results, args->row_begin, args->row_end, args->num_rows);
}

const bool registered = (alidade_register_objective(ContrastTable()), true);

}  // namespace

const AlidadeObjectiveTable* ContrastTable() {
  static const auto* json = new std::string(schedule::SignatureToJson(ContrastSignature()));
  static const AlidadeVariant variants[] = {{"x86-64-v3", kRowKernels, nullptr, Scalars}};
  static const AlidadeObjectiveTable table = {.abi_version = ALIDADE_ABI_VERSION,
                                              .name = "contrast",
                                              .signature_json = json->c_str(),
                                              .num_variants = 1,
                                              .variants = variants};
  return &table;
}

const Objective& Contrast() {
  ALIDADE_CHECK(registered);
  const auto objective = FindObjective("contrast");
  ALIDADE_CHECK(objective.ok());
  return **objective;
}

at::Tensor Integers(const std::vector<int64_t>& values) { return at::tensor(values, at::kLong); }

ObjectiveInputs ContrastInputs(bool train_head, bool train_hidden) {
  at::manual_seed(3);
  const std::map<std::string, at::Tensor> offsets = {{"chosen", Integers({0, 3, 3, 7, 9})},
                                                     {"rejected", Integers({0, 2, 5, 6, 10})}};
  const std::map<std::string, at::Tensor> labels = {
      {"chosen", at::randint(kVocabulary, {9}, at::kLong)},
      {"rejected", at::randint(kVocabulary, {10}, at::kLong)}};
  ObjectiveInputs inputs;
  for (const Distribution& d : Contrast().signature().distributions) {
    const int64_t tokens = labels.at(d.response).numel();
    inputs.distributions[d.Name()] = {
        .hidden = at::randn({tokens, kHidden}).set_requires_grad(d.requires_grad && train_hidden),
        .labels = labels.at(d.response),
        .offsets = offsets.at(d.response)};
  }
  inputs.heads = {{"policy", at::randn({kVocabulary, kHidden}).set_requires_grad(train_head)},
                  {"reference", at::randn({kVocabulary, kHidden})}};
  return inputs;
}

}  // namespace alidade::runtime::testing
