#include "common/models/generation.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "c10/core/InferenceMode.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/models/decoders/kv_cache.h"
#include "common/models/mllm.h"
#include "common/provenance/random_stream.h"
#include "common/status/status.h"
#include "common/tensor/fence.h"

namespace alidade::models {
namespace {

absl::Status CheckConfig(const GenerationConfig& config) {
  if (config.max_new_tokens < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_new_tokens: expected >= 1, got ", config.max_new_tokens));
  }
  if (!(config.temperature >= 0) || std::isinf(config.temperature)) {
    return absl::InvalidArgumentError(
        absl::StrCat("temperature: expected a finite number >= 0, got ", config.temperature));
  }
  if (!(config.top_p > 0 && config.top_p <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("top_p: expected a number in (0, 1], got ", config.top_p));
  }
  return absl::OkStatus();
}

// Prompts, left-padded to one length.
struct PaddedPrompts {
  at::Tensor ids;      // [N, T]
  at::Tensor padding;  // [N], pad tokens per row
};

absl::StatusOr<PaddedPrompts> PadPrompts(const Mllm& model,
                                         const std::vector<std::vector<int64_t>>& prompts,
                                         const at::Tensor& image_features,
                                         const GenerationConfig& config) {
  const TextConfig& text = model.config().text;
  const int64_t rows = static_cast<int64_t>(prompts.size());
  int64_t longest = 0;
  for (const auto& prompt : prompts) longest = std::max<int64_t>(longest, prompt.size());
  const int64_t image_positions =
      image_features.defined() ? model.config().NumImageTokens() - 1 : 0;
  const at::TensorOptions options = at::TensorOptions().dtype(at::kLong);
  PaddedPrompts padded{at::full({rows, std::max<int64_t>(longest, 1)}, text.pad_token_id, options),
                       at::zeros({rows}, options)};
  int64_t* ids = padded.ids.mutable_data_ptr<int64_t>();
  int64_t* padding = padded.padding.mutable_data_ptr<int64_t>();
  for (int64_t row = 0; row < rows; ++row) {
    const std::vector<int64_t>& prompt = prompts[row];
    if (prompt.empty())
      return absl::InvalidArgumentError(
          absl::StrCat("prompts[", row, "]: expected at least one token, got none"));
    const int64_t positions =
        static_cast<int64_t>(prompt.size()) + image_positions + config.max_new_tokens;
    if (positions > text.max_position_embeddings) {
      return absl::InvalidArgumentError(
          absl::StrCat("prompts[", row, "]: expected at most ", text.max_position_embeddings,
                       " positions (max_position_embeddings), got ", positions, ": ",
                       prompt.size() + image_positions,
                       " of the prompt and max_new_tokens = ", config.max_new_tokens));
    }
    padding[row] = longest - static_cast<int64_t>(prompt.size());
    std::copy(prompt.begin(), prompt.end(), ids + row * longest + padding[row]);
    const at::Tensor one = padded.ids.narrow(0, row, 1).narrow(1, padding[row], prompt.size());
    const at::Tensor features =
        image_features.defined() ? image_features.narrow(0, row, 1) : at::Tensor();
    const at::Tensor length = at::full({1}, static_cast<int64_t>(prompt.size()), options);
    ALIDADE_RETURN_IF_ERROR(model.CheckInputs(one, features, length), "prompts[", row, "]");
  }
  return padded;
}

// The index of the first of the largest logits, or a draw from their softmax at a temperature.
absl::StatusOr<int64_t> ChooseToken(absl::Span<const float> logits, const GenerationConfig& config,
                                    RandomStream& random) {
  for (float logit : logits) {
    if (!std::isfinite(logit)) {
      return absl::FailedPreconditionError(
          absl::StrCat("expected finite logits, got ", logit, " (has training diverged?)"));
    }
  }
  const auto best = std::max_element(logits.begin(), logits.end());
  if (config.temperature == 0) return best - logits.begin();
  std::vector<double> weights(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    weights[i] = std::exp((static_cast<double>(logits[i]) - static_cast<double>(*best)) /
                          config.temperature);
  }
  if (config.top_p < 1) {
    std::vector<size_t> order(weights.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return weights[a] != weights[b] ? weights[a] > weights[b] : a < b;
    });
    const double enough = config.top_p * std::accumulate(weights.begin(), weights.end(), 0.0);
    double kept = 0;
    for (size_t index : order) {
      if (kept >= enough) {
        weights[index] = 0;
      } else {
        kept += weights[index];
      }
    }
  }
  return static_cast<int64_t>(random.Categorical(weights));
}

// Rows of the batch that still speak. A row that is done stays for a while, since leaving costs a
// copy of the cache.
class Batch {
 public:
  Batch(const Mllm& model, const GenerationConfig& config, int64_t rows, RandomStream& random)
      : model_(model), config_(config), generations_(rows) {
    for (int64_t row = 0; row < rows; ++row) {
      slots_.push_back({row, /*done=*/false});
      // Greedy decoding draws nothing.
      streams_.push_back(config.temperature > 0 ? RandomStream(random.Next(), "generate")
                                                : RandomStream(0, "generate"));
    }
  }

  // Takes the logits [slots, V] of the next token; appends a token to every row that speaks.
  absl::Status Take(const at::Tensor& logits) {
    const at::Tensor values = logits.to(at::kCPU).contiguous();
    const int64_t vocabulary = values.size(1);
    const float* data = static_cast<const float*>(values.const_data_ptr());
    next_.assign(slots_.size(), model_.config().text.pad_token_id);
    for (size_t i = 0; i < slots_.size(); ++i) {
      Slot& slot = slots_[i];
      if (slot.done) continue;
      Generation& generation = generations_[slot.row];
      ALIDADE_ASSIGN_OR_RETURN(const int64_t token,
                               ChooseToken(absl::MakeConstSpan(data + i * vocabulary, vocabulary),
                                           config_, streams_[slot.row]),
                               "prompts[", slot.row, "]: token ", generation.tokens.size());
      generation.ended = token == model_.config().text.eos_token_id;
      if (!generation.ended) generation.tokens.push_back(token);
      slot.done = generation.ended ||
                  static_cast<int64_t>(generation.tokens.size()) == config_.max_new_tokens;
      if (!slot.done) next_[i] = token;
    }
    return absl::OkStatus();
  }

  bool AllDone() const {
    return std::all_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.done; });
  }

  // Tokens to feed [slots, 1], after rows that are done have left if they are a quarter or more.
  at::Tensor Next(KvCache& cache) {
    std::vector<int64_t> kept;
    for (size_t i = 0; i < slots_.size(); ++i) {
      if (!slots_[i].done) kept.push_back(static_cast<int64_t>(i));
    }
    if (kept.size() * 4 <= slots_.size() * 3) {
      cache.SelectRows(
          at::tensor(kept, at::TensorOptions().dtype(at::kLong)).to(cache.padding().device()));
      for (size_t i = 0; i < kept.size(); ++i) {
        slots_[i] = slots_[kept[i]];
        next_[i] = next_[kept[i]];
      }
      slots_.resize(kept.size());
      next_.resize(kept.size());
    }
    return at::tensor(next_, at::TensorOptions().dtype(at::kLong))
        .unsqueeze(1)
        .to(cache.padding().device());
  }

  std::vector<Generation> TakeGenerations() { return std::move(generations_); }

 private:
  struct Slot {
    int64_t row;
    bool done;
  };

  const Mllm& model_;
  const GenerationConfig& config_;
  std::vector<Generation> generations_;
  std::vector<RandomStream> streams_;
  std::vector<Slot> slots_;
  std::vector<int64_t> next_;
};

}  // namespace

absl::StatusOr<std::vector<Generation>> Generate(const Mllm& model,
                                                 const std::vector<std::vector<int64_t>>& prompts,
                                                 const at::Tensor& image_features,
                                                 const GenerationConfig& config,
                                                 RandomStream& random) {
  ALIDADE_RETURN_IF_ERROR(CheckConfig(config));
  const int64_t rows = static_cast<int64_t>(prompts.size());
  if (image_features.defined() && (image_features.dim() == 0 || image_features.size(0) != rows)) {
    return absl::InvalidArgumentError(
        absl::StrCat("image_features: expected one row for each of ", rows, " prompts, got ",
                     image_features.dim() == 0 ? 0 : image_features.size(0)));
  }
  if (rows == 0) return std::vector<Generation>();
  Batch batch(model, config, rows, random);
  ALIDADE_RETURN_IF_ERROR(FenceTorch("generating text", [&]() -> absl::Status {
    const c10::InferenceMode inference;
    ALIDADE_ASSIGN_OR_RETURN(const PaddedPrompts padded,
                             PadPrompts(model, prompts, image_features, config));
    const at::Device device = model.head().device();
    const int64_t image_positions =
        image_features.defined() ? model.config().NumImageTokens() - 1 : 0;
    KvCache cache(model.config().text, padded.padding.to(device),
                  padded.ids.size(1) + image_positions + config.max_new_tokens);
    at::Tensor hidden = model.ForwardCached(padded.ids.to(device), image_features, cache);
    while (true) {
      ALIDADE_RETURN_IF_ERROR(
          batch.Take(at::linear(hidden.select(1, hidden.size(1) - 1), model.head())));
      if (batch.AllDone()) return absl::OkStatus();
      const at::Tensor next = batch.Next(cache);
      hidden = model.ForwardCached(next, /*image_features=*/at::Tensor(), cache);
    }
  }));
  return batch.TakeGenerations();
}

}  // namespace alidade::models
