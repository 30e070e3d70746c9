#include "trainers/stages/preference/reference_scores.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/models/weights.h"
#include "common/provenance/digest.h"
#include "common/safetensors/safetensors.h"
#include "common/status/status.h"
#include "trainers/stages/conversations/packing.h"

namespace alidade::trainers {
namespace {

constexpr int64_t kRowsPerPass = 64;

std::string Key(const std::string& group, absl::string_view response) {
  return absl::StrCat(group, ".", response);
}

// Over the bits of all scores, so that an altered file is noticed.
std::string DigestOf(const NamedTensors& scores) {
  Sha256 digest;
  for (const auto& [name, tensor] : scores) {
    const at::Tensor values = tensor.contiguous();
    digest.Update(name);
    digest.Update(
        absl::string_view(static_cast<const char*>(values.const_data_ptr()), values.nbytes()));
  }
  return digest.Hex();
}

// Log-probabilities of one response of all pairs of a group, in their order.
absl::StatusOr<at::Tensor> ScoreGroup(const models::Mllm& reference, PreferenceData& data,
                                      int64_t group, const std::string& response) {
  const models::MllmConfig& config = reference.config();
  const std::vector<PairExample>& examples = data.examples[group];
  std::vector<at::Tensor> scores;
  for (size_t begin = 0; begin < examples.size(); begin += kRowsPerPass) {
    const size_t end = std::min(examples.size(), begin + kRowsPerPass);
    std::vector<const Conversation*> rows;
    std::vector<int64_t> images;
    for (size_t i = begin; i < end; ++i) {
      rows.push_back(&examples[i].Response(response));
      images.push_back(examples[i].image);
    }
    ALIDADE_ASSIGN_OR_RETURN(const at::Tensor pixels, data.images->Pixels(images));
    const PackedRows packed = PackRows(rows, config.NumImageTokens(), config.text.pad_token_id);
    const at::Tensor hidden = ScoredHidden(reference, packed, reference.EncodeImages(pixels));
    scores.push_back(TokenLogProbs(hidden, reference.head(), packed.labels));
  }
  return at::cat(scores);
}

absl::Status CheckLoaded(const std::string& path, const NamedTensors& scores,
                         const SafetensorsMetadata& metadata, const std::string& digest,
                         const std::map<std::string, std::vector<int64_t>>& begins) {
  const auto made_for = metadata.find("made_for"), bits = metadata.find("sha256");
  if (made_for == metadata.end() || bits == metadata.end() || bits->second != DigestOf(scores)) {
    return absl::DataLossError(
        absl::StrCat(path, ": sha256: expected ", bits == metadata.end() ? "one" : bits->second,
                     ", got ", DigestOf(scores), "; remove the file to compute it again"));
  }
  if (made_for->second != digest) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": made_for: expected ", digest, " (reference and pairs), got ",
                     made_for->second, "; remove the file to compute it again"));
  }
  for (const auto& [name, begin] : begins) {
    const auto found = scores.find(name);
    if (found == scores.end() || found->second.dim() != 1 ||
        found->second.size(0) != begin.back()) {
      return absl::DataLossError(
          absl::StrCat(path, ": tensor ", name, ": expected ", begin.back(),
                       " log-probabilities; remove the file to compute it again"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ReferenceScores> ReferenceScores::Load(const std::string& path,
                                                      const std::string& digest,
                                                      const ForwardPass& pass,
                                                      const models::Mllm& reference,
                                                      PreferenceData& data) {
  c10::NoGradGuard no_grad;
  ReferenceScores result;
  for (size_t group = 0; group < data.groups.size(); ++group) {
    for (const ForwardPass::Read& read : pass.reads) {
      std::vector<int64_t>& begins = result.begins_[Key(data.groups[group].name, read.response)];
      begins.push_back(0);
      for (const PairExample& example : data.examples[group]) {
        begins.push_back(begins.back() + example.Response(read.response).num_scored());
      }
    }
  }
  if (PathExists(path)) {
    SafetensorsMetadata metadata;
    ALIDADE_ASSIGN_OR_RETURN(result.scores_, models::LoadNamedTensors(path, &metadata));
    ALIDADE_RETURN_IF_ERROR(CheckLoaded(path, result.scores_, metadata, digest, result.begins_));
    return result;
  }
  for (size_t group = 0; group < data.groups.size(); ++group) {
    for (const ForwardPass::Read& read : pass.reads) {
      ALIDADE_ASSIGN_OR_RETURN(
          result.scores_[Key(data.groups[group].name, read.response)],
          ScoreGroup(reference, data, static_cast<int64_t>(group), read.response));
    }
  }
  ALIDADE_RETURN_IF_ERROR(models::SaveNamedTensors(
      result.scores_, path, {{"made_for", digest}, {"sha256", DigestOf(result.scores_)}}));
  return result;
}

runtime::ScoredTokens ReferenceScores::Rows(int64_t group, absl::string_view response,
                                            const std::vector<int64_t>& rows,
                                            const PreferenceData& data) const {
  const std::string key = Key(data.groups[group].name, response);
  const at::Tensor& scores = scores_.at(key);
  const std::vector<int64_t>& begins = begins_.at(key);
  std::vector<at::Tensor> parts;
  std::vector<int64_t> offsets = {0};
  for (const int64_t row : rows) {
    const int64_t tokens = begins[row + 1] - begins[row];
    parts.push_back(scores.narrow(0, begins[row], tokens));
    offsets.push_back(offsets.back() + tokens);
  }
  runtime::ScoredTokens tokens;
  tokens.logp = at::cat(parts);
  tokens.offsets = at::tensor(offsets, at::kLong);
  return tokens;
}

}  // namespace alidade::trainers
