#include "compiler/schedule/interpret_row.h"

#include <algorithm>
#include <cmath>

namespace alidade::schedule {
namespace {

double LogSumExp(const std::vector<double>& x) {
  const double largest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (double value : x) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

std::vector<double> LogSoftmax(std::vector<double> x) {
  const double log_sum = LogSumExp(x);
  for (double& value : x) value -= log_sum;
  return x;
}

// g x - (g - 1) partner
std::vector<double> Mix(const std::vector<double>& x, const std::vector<double>& partner,
                        double scale) {
  std::vector<double> mixed(x.size());
  for (size_t v = 0; v < x.size(); ++v) mixed[v] = scale * x[v] - (scale - 1) * partner[v];
  return mixed;
}

// KL(exp(from) || exp(to)) of two log-softmaxes
double Divergence(const std::vector<double>& from, const std::vector<double>& to) {
  double sum = 0;
  for (size_t v = 0; v < from.size(); ++v) sum += std::exp(from[v]) * (from[v] - to[v]);
  return sum;
}

double Entropy(const std::vector<double>& log_p) {
  double sum = 0;
  for (double value : log_p) sum -= std::exp(value) * value;
  return sum;
}

}  // namespace

std::vector<double> HeadTransform::Apply(const double* z, int64_t vocabulary) const {
  std::vector<double> x(z, z + vocabulary);
  for (int64_t v = 0; v < vocabulary; ++v) {
    if (bias != nullptr) x[v] += bias[v];
    if (soft_cap != 0) x[v] = soft_cap * std::tanh(x[v] / soft_cap);
    x[v] *= inverse_temperature;
  }
  return x;
}

void HeadTransform::PullBack(double* z, const std::vector<double>& gradient) const {
  for (size_t v = 0; v < gradient.size(); ++v) {
    double slope = inverse_temperature;
    if (soft_cap != 0) {
      const double capped = std::tanh((z[v] + (bias == nullptr ? 0 : bias[v])) / soft_cap);
      slope *= 1 - capped * capped;
    }
    z[v] = slope * gradient[v];
  }
}

double ReadRow(const std::string& op, const std::vector<double>& x,
               const std::vector<double>& partner, const RowOperands& operands) {
  if (op == "logprob" || op == "logprob_at") return x[operands.token] - LogSumExp(x);
  if (op == "logprob_mix") return LogSoftmax(Mix(x, partner, operands.scale))[operands.token];
  if (op == "entropy") return Entropy(LogSoftmax(x));
  if (op == "collision") {
    std::vector<double> twice = x;
    for (double& value : twice) value *= 2;
    return LogSumExp(twice) - 2 * LogSumExp(x);
  }
  if (op == "logit" || op == "logit_at") return x[operands.token];
  if (op == "argmax") return std::max_element(x.begin(), x.end()) - x.begin();
  if (op == "kl_to") return Divergence(LogSoftmax(x), LogSoftmax(partner));
  return Divergence(LogSoftmax(partner), LogSoftmax(x));  // kl_from
}

void AddReadGradient(const std::string& op, const std::vector<double>& x,
                     const std::vector<double>& partner, const RowOperands& operands, double weight,
                     std::vector<double>& gradient) {
  const std::vector<double> log_p = LogSoftmax(x);
  if (op == "logit" || op == "logit_at") {
    gradient[operands.token] += weight;
  } else if (op == "logprob" || op == "logprob_at") {
    for (size_t v = 0; v < x.size(); ++v) gradient[v] -= weight * std::exp(log_p[v]);
    gradient[operands.token] += weight;
  } else if (op == "logprob_mix") {
    const std::vector<double> log_mix = LogSoftmax(Mix(x, partner, operands.scale));
    for (size_t v = 0; v < x.size(); ++v)
      gradient[v] -= weight * operands.scale * std::exp(log_mix[v]);
    gradient[operands.token] += weight * operands.scale;
  } else if (op == "entropy") {
    // -p (log p + entropy)
    const double entropy = Entropy(log_p);
    for (size_t v = 0; v < x.size(); ++v)
      gradient[v] -= weight * std::exp(log_p[v]) * (log_p[v] + entropy);
  } else if (op == "kl_to") {
    // p (log p - log q - KL)
    const std::vector<double> log_q = LogSoftmax(partner);
    const double divergence = Divergence(log_p, log_q);
    for (size_t v = 0; v < x.size(); ++v)
      gradient[v] += weight * std::exp(log_p[v]) * (log_p[v] - log_q[v] - divergence);
  } else {
    // kl_from: p - q
    const std::vector<double> log_q = LogSoftmax(partner);
    for (size_t v = 0; v < x.size(); ++v)
      gradient[v] += weight * (std::exp(log_p[v]) - std::exp(log_q[v]));
  }
}

}  // namespace alidade::schedule
