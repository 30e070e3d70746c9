// Named tensors in safetensors files: weights, optimiser state.
#ifndef ALIDADE_COMMON_MODELS_WEIGHTS_H_
#define ALIDADE_COMMON_MODELS_WEIGHTS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/safetensors/safetensors.h"
#include "common/tensor/named_tensors.h"

namespace alidade::models {

// Tensors own their memory and keep the dtype of the file; the bits are those that were saved.
// Errors: those of SafetensorsFile::Open; data loss for a NaN or infinite value in a floating
// tensor, with file, tensor and index.
absl::StatusOr<NamedTensors> LoadNamedTensors(const std::string& path,
                                              SafetensorsMetadata* metadata = nullptr);

// Tensors on any device, of any strides. Errors: invalid argument for a dtype that the format
// lacks, with the tensor's name; those of WriteSafetensors.
absl::Status SaveNamedTensors(const NamedTensors& tensors, const std::string& path,
                              const SafetensorsMetadata& metadata = {});

// The weights of a model folder: model.safetensors, or the files that model.safetensors.index.json
// names. `where` is set to the file to blame in messages about the whole. Errors also: data loss
// for a tensor that two files hold, or that is not in the file that the index names.
absl::StatusOr<NamedTensors> LoadFolderTensors(const std::string& folder, std::string* where);

// Data loss, naming `where`, tensor, value and element, when a floating tensor holds NaN or an
// infinity.
absl::Status CheckFinite(const at::Tensor& tensor, const std::string& name,
                         const std::string& where);

}  // namespace alidade::models

#endif  // ALIDADE_COMMON_MODELS_WEIGHTS_H_
