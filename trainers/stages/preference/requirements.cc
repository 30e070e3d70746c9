#include "trainers/stages/preference/requirements.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/provenance/random_stream.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"

namespace alidade::trainers {
namespace {

absl::Status Unavailable(const runtime::Distribution& distribution, absl::string_view what,
                         absl::string_view got, const std::vector<std::string>& available) {
  return absl::InvalidArgumentError(absl::StrCat("distribution ", distribution.Name(), ": ", what,
                                                 ": expected one of ",
                                                 absl::StrJoin(available, ", "), ", got ", got));
}

// The pass of a model and a view, added if there is none yet.
ForwardPass& PassOf(std::vector<ForwardPass>& passes, const std::string& model,
                    const std::string& view) {
  for (ForwardPass& pass : passes) {
    if (pass.model == model && pass.view == view) return pass;
  }
  ForwardPass pass;
  pass.model = model;
  pass.view = view;
  passes.push_back(pass);
  return passes.back();
}

// Largest difference between a mean and its shares, relative to the mean; f32 sums of six numbers
// stay far below it.
constexpr double kMeanTolerance = 1e-4;

// Log-probabilities of made-up rows [begin, end), the same for the same row.
absl::StatusOr<double> MadeUpLoss(const runtime::Objective& objective,
                                  const std::map<std::string, double>& hyperparameters,
                                  int64_t begin, int64_t end) {
  runtime::ObjectiveInputs inputs;
  inputs.hyperparameters = hyperparameters;
  for (const runtime::Distribution& distribution : objective.signature().distributions) {
    std::vector<float> logp;
    std::vector<int64_t> offsets = {0};
    for (int64_t row = begin; row < end; ++row) {
      RandomStream lengths(0, absl::StrCat("row/", row, "/", distribution.response));
      RandomStream values(0, absl::StrCat("row/", row, "/", distribution.Name()));
      const int64_t tokens = 1 + static_cast<int64_t>(lengths.UniformInt(5));
      for (int64_t token = 0; token < tokens; ++token)
        logp.push_back(static_cast<float>(-3 * values.Uniform()));
      offsets.push_back(static_cast<int64_t>(logp.size()));
    }
    runtime::ScoredTokens& tokens = inputs.distributions[distribution.Name()];
    tokens.logp = at::tensor(logp, at::kFloat);
    tokens.offsets = at::tensor(offsets, at::kLong);
  }
  ALIDADE_ASSIGN_OR_RETURN(const runtime::ObjectiveOutputs outputs,
                           runtime::Apply(objective, inputs));
  return outputs.loss.item<double>();
}

}  // namespace

absl::StatusOr<std::vector<ForwardPass>> PlanPasses(const runtime::Signature& signature) {
  std::vector<ForwardPass> passes;
  for (const runtime::Distribution& distribution : signature.distributions) {
    if (distribution.model != kPolicy && distribution.model != kReference) {
      return Unavailable(distribution, "model", distribution.model, {kPolicy, kReference});
    }
    if (distribution.response != "chosen" && distribution.response != "rejected") {
      return Unavailable(distribution, "response", distribution.response, {"chosen", "rejected"});
    }
    if (distribution.model == kReference && distribution.requires_grad) {
      return absl::InvalidArgumentError(absl::StrCat(
          "distribution ", distribution.Name(), ": expected no gradient to the reference model"));
    }
    const std::string view = ViewName(distribution.view, distribution.view_argument);
    const ViewMaker* maker = nullptr;
    if (view != kCleanView) {
      const auto found = FindView(distribution.view, distribution.view_argument);
      if (!found.ok()) {
        std::vector<std::string> available = ViewNames();
        available.insert(available.begin(), kCleanView);
        return Unavailable(distribution, "view", view, available);
      }
      maker = *found;
    }
    ForwardPass& pass = PassOf(passes, distribution.model, view);
    pass.maker = maker;
    pass.reads.push_back({distribution.Name(), distribution.response, distribution.requires_grad});
    pass.requires_grad = pass.requires_grad || distribution.requires_grad;
  }
  return passes;
}

absl::StatusOr<std::map<std::string, double>> ResolveHyperparameters(
    const runtime::Signature& signature,
    const google::protobuf::RepeatedPtrField<Hyperparameter>& hyperparameters) {
  std::map<std::string, double> values;
  for (int i = 0; i < hyperparameters.size(); ++i) {
    const Hyperparameter& given = hyperparameters[i];
    const std::string where = absl::StrCat("hyperparameter[", i, "]");
    std::vector<std::string> names;
    const runtime::Hyperparameter* known = nullptr;
    for (const runtime::Hyperparameter& candidate : signature.hyperparameters) {
      names.push_back(candidate.name);
      if (candidate.name == given.name()) known = &candidate;
    }
    if (known == nullptr) {
      return WithContext(
          UnknownNameError(absl::StrCat("hyperparameter of ", signature.name), given.name(), names),
          where);
    }
    if (!given.has_value() || !known->Contains(given.value())) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, " (", given.name(), "): expected a value in ", known->Range(),
                       ", got ", given.has_value() ? absl::StrCat(given.value()) : "none"));
    }
    if (!values.emplace(given.name(), given.value()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": expected each name once, got ", given.name(), " again"));
    }
  }
  return values;
}

absl::Status CheckMeanOverRows(const runtime::Objective& objective,
                               const std::map<std::string, double>& hyperparameters) {
  constexpr int64_t kRows = 6, kCut = 4;
  c10::NoGradGuard no_grad;
  ALIDADE_ASSIGN_OR_RETURN(const double whole, MadeUpLoss(objective, hyperparameters, 0, kRows));
  ALIDADE_ASSIGN_OR_RETURN(const double first, MadeUpLoss(objective, hyperparameters, 0, kCut));
  ALIDADE_ASSIGN_OR_RETURN(const double second,
                           MadeUpLoss(objective, hyperparameters, kCut, kRows));
  const double shares = (first * kCut + second * (kRows - kCut)) / kRows;
  if (std::abs(shares - whole) <= kMeanTolerance * std::max(1.0, std::abs(whole)))
    return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("expected 1, because the loss of objective ", objective.signature().name,
                   " is not a mean over rows: a batch gives another loss than its parts (", whole,
                   " and ", shares, " on six rows)"));
}

}  // namespace alidade::trainers
