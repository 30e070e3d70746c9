#include "compiler/target/RowReference.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"

namespace alidade::pref {
namespace {

using Row = std::vector<double>;

// x = T cap tanh((z + bias) / cap) and d x / d z.
double see(double z, const std::vector<float>& bias, int64_t k, double inverseTemperature,
           double softCap, double* slope) {
  const double biased = z + (bias.empty() ? 0.0 : bias[k]);
  const double capped = softCap == 0 ? biased : softCap * std::tanh(biased / softCap);
  const double cosine = softCap == 0 ? 1 : std::cosh(biased / softCap);
  if (slope != nullptr) *slope = inverseTemperature / (cosine * cosine);
  return inverseTemperature * capped;
}

Row logSoftmax(const Row& x) {
  const double maximum = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (double value : x) sum += std::exp(value - maximum);
  Row result;
  for (double value : x) result.push_back((value - maximum) - std::log(sum));
  return result;
}

// sum p (log p - log q); terms of probability 0 vanish.
double divergence(const Row& logP, const Row& logQ) {
  double sum = 0;
  for (size_t k = 0; k < logP.size(); ++k) {
    const double p = std::exp(logP[k]);
    if (p > 0) sum += p * (logP[k] - logQ[k]);
  }
  return sum;
}

// One row of one read: its value, and its gradient by x.
struct RowRead {
  const Row &x, &logP, &logQ, &logMix;
  double scale;
  int64_t position;  // label or index

  double value(const std::string& op) const {
    if (op == "logprob" || op == "logprob_at") return logP[position];
    if (op == "logprob_mix") return logMix[position];
    if (op == "logit" || op == "logit_at") return x[position];
    if (op == "argmax") return std::max_element(x.begin(), x.end()) - x.begin();
    if (op == "kl_to") return divergence(logP, logQ);
    if (op == "kl_from") return divergence(logQ, logP);
    double sum = 0;
    for (double logp : logP) {
      const double p = std::exp(logp);
      if (p > 0) sum += op == "entropy" ? -p * logp : p * p;
    }
    return op == "entropy" ? sum : std::log(sum);
  }

  // `found` is value(op).
  double gradient(const std::string& op, size_t k, double found) const {
    const double p = std::exp(logP[k]), hit = static_cast<int64_t>(k) == position;
    if (op == "logprob" || op == "logprob_at") return hit - p;
    if (op == "logprob_mix") return scale * (hit - std::exp(logMix[k]));
    if (op == "logit" || op == "logit_at") return hit;
    if (op == "kl_from") return p - std::exp(logQ[k]);
    if (p == 0) return 0;
    if (op == "entropy") return -p * (logP[k] + found);
    return p * (logP[k] - logQ[k] - found);  // kl_to
  }
};

std::vector<float> normals(std::mt19937& random, int64_t count, double spread) {
  std::normal_distribution<float> normal(0, static_cast<float>(spread));
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

}  // namespace

std::vector<schedule::RowProgram> rowPrograms() {
  return {
      {{{"logprob", true}}},
      {{{"logprob", false}}},
      {{{"logprob", true}, {"entropy", false}, {"collision", false}}},
      {{{"logprob", true}, {"entropy", true}}},
      {{{"entropy", true}, {"collision", false}, {"argmax", false}}},
      {{{"logprob_at", true}, {"logit", true}, {"logit_at", true}, {"argmax", false}}},
      {{{"logprob_at", true}, {"logprob_at", true}, {"logprob", true}}},
      {{{"logit", true}}},
      {{{"logit", false}, {"argmax", false}}},
      {{{"kl_to", true}}},
      {{{"kl_from", true}, {"logprob", false}}},
      {{{"logprob_mix", true}}},
      {{{"logprob_mix", true}, {"logprob", true}}},
      {{{"logprob_mix", true},
        {"logprob", true},
        {"kl_from", true},
        {"entropy", true},
        {"kl_to", true},
        {"logit_at", true},
        {"collision", false},
        {"argmax", false}}},
      // As many points as a program can have, beside the largest formula.
      {{{"logprob_mix", true},
        {"kl_from", true},
        {"entropy", true},
        {"kl_to", true},
        {"logprob_at", true},
        {"logprob_at", true},
        {"logit_at", true},
        {"logit_at", true}}},
  };
}

AlidadeRowArgs RowCase::arguments(float* data, std::vector<std::vector<float>>& reads,
                                  int32_t mode) const {
  AlidadeRowArgs args = {};
  args.logits = data;
  args.rows = rows;
  args.vocab = vocab;
  args.stride = stride;
  args.partner = partner.empty() ? nullptr : partner.data();
  args.partner_stride = partnerStride;
  args.labels = labels.data();
  reads.assign(program.reads.size(), std::vector<float>(rows, -12345));
  for (size_t i = 0; i < reads.size(); ++i) {
    args.reads[i] = reads[i].data();
    if (!indexes[i].empty()) args.indexes[i] = indexes[i].data();
  }
  for (size_t i = 0; i < cotangents.size(); ++i) args.cotangents[i] = cotangents[i].data();
  args.scale = scale;
  args.bias = bias.empty() ? nullptr : bias.data();
  args.inverse_temperature = inverseTemperature;
  args.soft_cap = softCap;
  args.partner_bias = partnerBias.empty() ? nullptr : partnerBias.data();
  args.partner_inverse_temperature = partnerInverseTemperature;
  args.partner_soft_cap = partnerSoftCap;
  args.mode = mode;
  return args;
}

std::string RowCase::describe() const {
  return absl::StrCat("[", program.ToString(), "] vocab ", vocab, " soft cap ", softCap,
                      bias.empty() ? "" : " with bias");
}

RowCase randomCase(const schedule::RowProgram& program, int64_t vocab, double spread,
                   unsigned seed) {
  std::mt19937 random(seed);
  RowCase result;
  result.program = program;
  result.rows = 3;
  result.vocab = vocab;
  result.stride = vocab + 5;
  result.partnerStride = vocab + 2;
  result.logits = normals(random, result.rows * result.stride, spread);
  if (program.has_partner())
    result.partner = normals(random, result.rows * result.partnerStride, spread);
  result.labels = {0, vocab - 1, vocab / 2};
  std::uniform_int_distribution<int64_t> token(0, vocab - 1);
  for (const schedule::RowRead& read : program.reads) {
    result.indexes.emplace_back();
    if (schedule::FindReadOp(read.op)->has_index) {
      // The label's own row too, so that two reads add to one entry.
      for (int64_t row = 0; row < result.rows; ++row)
        result.indexes.back().push_back(
            static_cast<float>(row == 1 ? result.labels[row] : token(random)));
    }
    if (read.gradient) result.cotangents.push_back(normals(random, result.rows, 1));
  }
  return result;
}

void transform(RowCase& rows, unsigned seed) {
  std::mt19937 random(seed);
  rows.bias = normals(random, rows.vocab, 1);
  rows.inverseTemperature = 0.8f;
  rows.softCap = 12;
  if (rows.partner.empty()) return;
  rows.partnerBias = normals(random, rows.vocab, 0.5);
  rows.partnerInverseTemperature = 1.25f;
  rows.partnerSoftCap = 15;
}

RowExpectation expect(const RowCase& rows, bool unscaled) {
  RowExpectation result;
  result.reads.resize(rows.program.reads.size());
  for (int64_t row = 0; row < rows.rows; ++row) {
    Row x, slopes(rows.vocab), b, u;
    for (int64_t k = 0; k < rows.vocab; ++k) {
      x.push_back(see(rows.logits[row * rows.stride + k], rows.bias, k, rows.inverseTemperature,
                      rows.softCap, &slopes[k]));
      if (rows.partner.empty()) continue;
      b.push_back(see(rows.partner[row * rows.partnerStride + k], rows.partnerBias, k,
                      rows.partnerInverseTemperature, rows.partnerSoftCap, nullptr));
      u.push_back(std::isinf(x[k]) ? x[k] : rows.scale * x[k] - (rows.scale - 1) * b[k]);
    }
    const Row logP = logSoftmax(x), logQ = b.empty() ? b : logSoftmax(b);
    const Row logMix = u.empty() ? u : logSoftmax(u);
    Row gradient(rows.vocab);
    size_t next = 0;
    for (size_t i = 0; i < rows.program.reads.size(); ++i) {
      const auto& [op, hasGradient] = rows.program.reads[i];
      const int64_t position =
          rows.indexes[i].empty() ? rows.labels[row] : static_cast<int64_t>(rows.indexes[i][row]);
      const RowRead read = {x, logP, logQ, logMix, rows.scale, position};
      const double value = read.value(op);
      result.reads[i].push_back(value);
      if (!hasGradient) continue;
      const double weight = unscaled ? 1 : rows.cotangents[next][row];
      ++next;
      for (int64_t k = 0; k < rows.vocab; ++k)
        gradient[k] += weight * read.gradient(op, k, value) * slopes[k];
    }
    result.gradient.insert(result.gradient.end(), gradient.begin(), gradient.end());
  }
  return result;
}

double denseScale(const RowCase& rows, const RowExpectation& expected, int64_t row) {
  double scale = 1;
  for (size_t i = 0; i < rows.program.reads.size(); ++i) {
    const schedule::ReadOp* op = schedule::FindReadOp(rows.program.reads[i].op);
    if (op->has_gradient && !op->separable) scale = std::max(scale, expected.reads[i][row]);
  }
  return scale;
}

double gradientError(const RowCase& rows, const RowExpectation& expected,
                     const std::vector<float>& got, int64_t row, double floor) {
  double difference = 0, norm = 0;
  for (int64_t k = 0; k < rows.vocab; ++k) {
    const double wanted = expected.gradient[row * rows.vocab + k];
    difference += std::pow(got[row * rows.stride + k] - wanted, 2);
    norm += wanted * wanted;
  }
  return std::sqrt(difference) / (std::sqrt(norm) + floor);
}

}  // namespace alidade::pref
