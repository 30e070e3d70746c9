#include "common/models/mllm.h"

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/files.h"
#include "common/models/config.h"
#include "common/models/connectors/projector.h"
#include "common/models/decoders/kv_cache.h"
#include "common/models/decoders/llama.h"
#include "common/models/encoders/vision_transformer.h"
#include "common/models/parameter_layout.h"
#include "common/models/weights.h"
#include "common/provenance/random_stream.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"
#include "common/tensor/fence.h"
#include "common/tensor/named_tensors.h"

namespace alidade::models {

struct Mllm::Parts {
  Parts(const MllmConfig& model_config, NamedTensors tensors)
      : config(model_config),
        parameters(std::move(tensors)),
        vision(VisionWeights::Of(config.vision, parameters)),
        projector(ProjectorWeights::Of(config.connector, parameters)),
        decoder(DecoderWeights::Of(config.text, parameters)),
        head(config.text.tie_word_embeddings ? decoder.embedding : parameters.at(kHeadName)),
        rotations(RotationTable(config.text.max_position_embeddings, config.text.head_dim,
                                config.text.rope_theta)) {}

  at::Tensor Embed(const at::Tensor& ids, const at::Tensor& image_features) const;

  MllmConfig config;
  NamedTensors parameters;
  VisionWeights vision;
  ProjectorWeights projector;
  DecoderWeights decoder;
  at::Tensor head;
  at::Tensor rotations;  // complex [max_position_embeddings, head_dim / 2]
};

namespace {

std::string ShapeText(at::IntArrayRef shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

// Buffers that older versions of Hugging Face's library saved among the weights and that are
// computed here.
bool IsSavedBuffer(absl::string_view name) {
  return absl::EndsWith(name, ".embeddings.position_ids") ||
         absl::EndsWith(name, ".rotary_emb.inv_freq");
}

// Newer versions of it save the vision tower without one level of its name.
std::string CanonicalName(const std::string& name) {
  constexpr absl::string_view kTower = "vision_tower.";
  if (!absl::StartsWith(name, kTower) || absl::StartsWith(name, kVisionPrefix)) return name;
  return absl::StrCat(kVisionPrefix, name.substr(kTower.size()));
}

// The tensors of the layout as f32, or what is wrong with them.
absl::StatusOr<NamedTensors> CheckParameters(const MllmConfig& config, const NamedTensors& named,
                                             const std::string& where) {
  NamedTensors given;
  for (const auto& [name, tensor] : named) {
    if (!given.emplace(CanonicalName(name), tensor).second) {
      return absl::DataLossError(
          absl::StrCat(where, ": tensor '", CanonicalName(name), "': expected one, got two"));
    }
  }
  NamedTensors parameters;
  std::vector<std::string> names;
  for (const ParameterSpec& spec : ParameterLayout(config)) {
    names.push_back(spec.name);
    const auto found = given.find(spec.name);
    if (found == given.end()) {
      return absl::DataLossError(absl::StrCat(where, ": tensor '", spec.name, "': expected shape ",
                                              ShapeText(spec.shape), ", got no such tensor"));
    }
    const at::Tensor& tensor = found->second;
    const at::ScalarType dtype = tensor.scalar_type();
    if (dtype != at::kFloat && dtype != at::kHalf && dtype != at::kBFloat16) {
      return absl::DataLossError(absl::StrCat(where, ": tensor '", spec.name,
                                              "': expected dtype F32, F16 or BF16, got ",
                                              c10::toString(dtype)));
    }
    if (tensor.sizes() != at::IntArrayRef(spec.shape)) {
      return absl::DataLossError(absl::StrCat(where, ": tensor '", spec.name, "': expected shape ",
                                              ShapeText(spec.shape), " from config.json, got ",
                                              ShapeText(tensor.sizes())));
    }
    ALIDADE_RETURN_IF_ERROR(CheckFinite(tensor, spec.name, where));
    parameters.emplace(spec.name, tensor.detach().to(at::kFloat).contiguous());
  }
  for (const auto& [name, tensor] : given) {
    if (parameters.contains(name) || IsSavedBuffer(name)) continue;
    const std::string nearest = NearestName(name, names);
    return absl::DataLossError(absl::StrCat(
        where, ": unexpected tensor '", name, "'",
        nearest.empty() ? "" : absl::StrCat("; the nearest expected is '", nearest, "'")));
  }
  return parameters;
}

// Values of an i64 tensor, row-major.
std::vector<int64_t> Integers(const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kCPU).contiguous();
  const int64_t* data = static_cast<const int64_t*>(values.const_data_ptr());
  return std::vector<int64_t>(data, data + values.numel());
}

absl::Status CheckTensor(const at::Tensor& tensor, absl::string_view name, at::ScalarType dtype,
                         const std::vector<int64_t>& shape, absl::string_view shape_text) {
  bool holds = tensor.defined() && tensor.scalar_type() == dtype &&
               tensor.dim() == static_cast<int64_t>(shape.size());
  for (size_t i = 0; holds && i < shape.size(); ++i)
    holds = shape[i] < 0 || tensor.size(i) == shape[i];
  if (holds) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      name, ": expected ", c10::toString(dtype), " ", shape_text, ", got ",
      tensor.defined()
          ? absl::StrCat(c10::toString(tensor.scalar_type()), " ", ShapeText(tensor.sizes()))
          : "nothing"));
}

// For rows whose image tokens stand at different places `at` [B]: text [B, T, H] and images [B, P,
// H] -> [B, T - 1 + P, H].
at::Tensor SpliceAt(const at::Tensor& text, const at::Tensor& images, const at::Tensor& at) {
  const int64_t rows = text.size(0);
  const int64_t num_text = text.size(1);
  const int64_t num_image = images.size(1);
  const at::Tensor column = at::arange(num_text - 1 + num_image, at.options()).unsqueeze(0);
  const at::Tensor begin = at.unsqueeze(1);
  const at::Tensor from_image = column - begin + num_text;
  const at::Tensor source =
      at::where(column < begin, column,
                at::where(column < begin + num_image, from_image, column - num_image + 1));
  const at::Tensor row_offset =
      at::arange(rows, at.options()).unsqueeze(1) * (num_text + num_image);
  return at::cat({text, images}, 1)
      .reshape({rows * (num_text + num_image), text.size(2)})
      .index_select(0, (source + row_offset).reshape({-1}))
      .view({rows, num_text - 1 + num_image, text.size(2)});
}

}  // namespace

at::Tensor Mllm::Parts::Embed(const at::Tensor& ids, const at::Tensor& image_features) const {
  if (!image_features.defined()) return at::embedding(decoder.embedding, ids);
  const at::Tensor at = (ids == config.image_token_index).to(at::kLong).argmax(1);
  const int64_t first = at[0].item<int64_t>();
  if (!(at == first).all().item<bool>()) {
    return SpliceAt(at::embedding(decoder.embedding, ids), image_features, at);
  }
  // The common case, one place for all rows: no gather, and no gradient for a token that is not
  // looked up.
  const int64_t after = ids.size(1) - first - 1;
  const at::Tensor text = at::embedding(
      decoder.embedding, at::cat({ids.narrow(1, 0, first), ids.narrow(1, first + 1, after)}, 1));
  const std::vector<at::Tensor> parts = text.split_with_sizes({first, after}, 1);
  return at::cat({parts[0], image_features, parts[1]}, 1);
}

absl::StatusOr<Mllm> Mllm::Initialize(const MllmConfig& config, RandomStream& random) {
  ALIDADE_RETURN_IF_ERROR(ValidateConfig(config, "model config"));
  NamedTensors parameters;
  ALIDADE_RETURN_IF_ERROR(FenceTorch("initializing a model", [&]() -> absl::Status {
    for (const ParameterSpec& spec : ParameterLayout(config)) {
      const at::Tensor tensor =
          at::full(spec.shape, spec.mean, at::TensorOptions().dtype(at::kFloat));
      float* values = tensor.mutable_data_ptr<float>();
      if (spec.std > 0) {
        for (int64_t i = 0; i < tensor.numel(); ++i)
          values[i] = static_cast<float>(spec.mean + spec.std * random.Normal());
      }
      parameters.emplace(spec.name, tensor);
    }
    return absl::OkStatus();
  }));
  return FromParameters(config, std::move(parameters), "initial weights");
}

absl::StatusOr<Mllm> Mllm::FromParameters(const MllmConfig& config, NamedTensors parameters,
                                          const std::string& where) {
  ALIDADE_RETURN_IF_ERROR(ValidateConfig(config, "model config"));
  std::shared_ptr<const Parts> parts;
  ALIDADE_RETURN_IF_ERROR(
      FenceTorch(absl::StrCat("building a model from ", where), [&]() -> absl::Status {
        ALIDADE_ASSIGN_OR_RETURN(NamedTensors checked, CheckParameters(config, parameters, where));
        parts = std::make_shared<const Parts>(config, std::move(checked));
        return absl::OkStatus();
      }));
  return Mllm(std::move(parts));
}

absl::StatusOr<Mllm> Mllm::Load(const std::string& folder) {
  ALIDADE_ASSIGN_OR_RETURN(const MllmConfig config, LoadConfig(JoinPath(folder, "config.json")));
  std::string where;
  ALIDADE_ASSIGN_OR_RETURN(NamedTensors tensors, LoadFolderTensors(folder, &where));
  return FromParameters(config, std::move(tensors), where);
}

absl::Status Mllm::Save(const std::string& folder) const {
  ALIDADE_RETURN_IF_ERROR(MakeFolder(folder));
  ALIDADE_RETURN_IF_ERROR(
      SaveNamedTensors(parameters(), JoinPath(folder, "model.safetensors"), {{"format", "pt"}}));
  return SaveConfig(config(), JoinPath(folder, "config.json"));
}

Mllm Mllm::Clone() const {
  NamedTensors copies;
  for (const auto& [name, tensor] : parameters()) copies.emplace(name, tensor.detach().clone());
  return Mllm(std::make_shared<const Parts>(config(), std::move(copies)));
}

const MllmConfig& Mllm::config() const { return parts_->config; }

const NamedTensors& Mllm::parameters() const { return parts_->parameters; }

const at::Tensor& Mllm::head() const { return parts_->head; }

at::Tensor Mllm::EncodeImages(const at::Tensor& pixels) const {
  const MllmConfig& config = parts_->config;
  const at::Tensor features = EncodeVision(parts_->vision, config.vision, config.connector, pixels);
  return Project(parts_->projector, config.connector, features);
}

absl::Status Mllm::CheckInputs(const at::Tensor& ids, const at::Tensor& image_features,
                               const at::Tensor& lengths) const {
  const TextConfig& text = config().text;
  const int64_t num_image = image_features.defined() ? config().NumImageTokens() : 0;
  ALIDADE_RETURN_IF_ERROR(CheckTensor(ids, "ids", at::kLong, {-1, -1}, "[B, T]"));
  const int64_t rows = ids.size(0);
  const int64_t columns = ids.size(1);
  ALIDADE_RETURN_IF_ERROR(
      CheckTensor(lengths, "lengths", at::kLong, {rows}, absl::StrCat("[", rows, "]")));
  if (image_features.defined()) {
    const std::vector<int64_t> shape = {rows, num_image, text.hidden_size};
    ALIDADE_RETURN_IF_ERROR(
        CheckTensor(image_features, "image_features", at::kFloat, shape, ShapeText(shape)));
  }
  if (rows == 0 || columns == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("ids: expected at least one row and column, got ", ShapeText(ids.sizes())));
  }
  const int64_t positions = columns + (num_image > 0 ? num_image - 1 : 0);
  if (positions > text.max_position_embeddings) {
    return absl::InvalidArgumentError(
        absl::StrCat("ids: expected at most ", text.max_position_embeddings,
                     " positions (max_position_embeddings), got ", positions, ": ", columns,
                     " tokens, one of them an image of ", num_image, " embeddings"));
  }
  const std::vector<int64_t> id = Integers(ids);
  const std::vector<int64_t> length = Integers(lengths);
  for (int64_t row = 0; row < rows; ++row) {
    if (length[row] < 1 || length[row] > columns) {
      return absl::InvalidArgumentError(absl::StrCat(
          "lengths[", row, "]: expected a length in [1, ", columns, "], got ", length[row]));
    }
    int64_t images = 0;
    for (int64_t column = 0; column < columns; ++column) {
      const int64_t token = id[row * columns + column];
      if (token < 0 || token >= text.vocab_size) {
        return absl::InvalidArgumentError(absl::StrCat("ids[", row, "][", column,
                                                       "]: expected an id in [0, ", text.vocab_size,
                                                       "), got ", token));
      }
      // An image token in the padding would be spliced all the same.
      if (token == config().image_token_index) images += column < length[row] ? 1 : 2;
    }
    const int64_t expected = image_features.defined() ? 1 : 0;
    if (images != expected) {
      return absl::InvalidArgumentError(
          absl::StrCat("ids[", row, "]: expected ", expected, " image tokens (id ",
                       config().image_token_index, ") within its length, got ", images));
    }
  }
  return absl::OkStatus();
}

at::Tensor Mllm::Forward(const at::Tensor& ids, const at::Tensor& image_features,
                         const at::Tensor& lengths) const {
  // Padding stands to the right of all that counts, where a causal decoder does not look: lengths
  // change nothing.
  static_cast<void>(lengths);
  const TextConfig& text = parts_->config.text;
  const at::Tensor embeddings = parts_->Embed(ids, image_features);
  const int64_t length = embeddings.size(1);
  const AttentionMask mask =
      CausalMask(length, DecoderHeads(text), embeddings.options().requires_grad(false));
  return RunDecoder(parts_->decoder, text, embeddings, parts_->rotations.narrow(0, 0, length), mask,
                    /*cache=*/nullptr);
}

at::Tensor Mllm::ForwardCached(const at::Tensor& ids, const at::Tensor& image_features,
                               KvCache& cache) const {
  const TextConfig& text = parts_->config.text;
  const at::Tensor embeddings = parts_->Embed(ids, image_features);
  const int64_t length = embeddings.size(1);
  const int64_t end = cache.length() + length;
  const at::Tensor column = at::arange(end, ids.options()).view({1, 1, end});
  const at::Tensor query = column.narrow(2, cache.length(), length).view({1, length, 1});
  const at::Tensor padding = cache.padding().view({-1, 1, 1});
  // A padding position sees itself, so that no row of the softmax is empty.
  const at::Tensor visible =
      (column <= query).logical_and((column >= padding).logical_or(column == query));
  const double hidden = -std::numeric_limits<double>::infinity();
  const at::Tensor additive = at::zeros(visible.sizes(), embeddings.options().requires_grad(false))
                                  .masked_fill_(visible.logical_not(), hidden);
  const at::Tensor position = (query - padding).clamp_min(0).view({-1, length});
  const at::Tensor rotation = parts_->rotations.index_select(0, position.reshape({-1}))
                                  .view({position.size(0), length, -1});
  const at::Tensor hidden_states = RunDecoder(parts_->decoder, text, embeddings, rotation,
                                              GeneralMask(additive, DecoderHeads(text)), &cache);
  cache.Advance(length);
  return hidden_states;
}

}  // namespace alidade::models
