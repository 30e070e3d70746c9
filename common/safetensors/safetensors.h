// Files of named tensors in the safetensors format: 8 bytes little-endian header length N, N bytes
// of JSON header
// {"name": {"dtype", "shape", "data_offsets"}, "__metadata__": {...}}, then the bytes of all
// tensors without holes. https://huggingface.co/docs/safetensors
//
//   ALIDADE_ASSIGN_OR_RETURN(auto file, SafetensorsFile::Open("model.safetensors"));
//   ALIDADE_ASSIGN_OR_RETURN(TensorView view, file->Find("lm_head.weight"));   // points into the
//   mapped file
#ifndef ALIDADE_COMMON_SAFETENSORS_SAFETENSORS_H_
#define ALIDADE_COMMON_SAFETENSORS_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alidade {

enum class SafetensorsDtype { kF64, kF32, kBF16, kF16, kI64, kI32, kU8, kBool };

// "F32" and so on, as in the header.
absl::string_view DtypeName(SafetensorsDtype dtype);
int64_t DtypeSize(SafetensorsDtype dtype);  // bytes per element

// A tensor's bytes, row-major and contiguous, little-endian. Does not own them.
struct TensorView {
  SafetensorsDtype dtype = SafetensorsDtype::kF32;
  std::vector<int64_t> shape;
  absl::string_view bytes;

  int64_t NumElements() const;
};

using SafetensorsMetadata = std::map<std::string, std::string>;

// A mapped file. Views point into it and live as long as it does.
class SafetensorsFile {
 public:
  // Checks the whole header. Errors name file, tensor, expected and got: not found; data loss for a
  // header longer than the file, malformed JSON, a name that occurs twice, unknown fields and
  // dtypes, sizes that do not match the shape, overlapping tensors, holes, bytes that belong to no
  // tensor.
  static absl::StatusOr<std::unique_ptr<SafetensorsFile>> Open(const std::string& path);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::string& path() const { return path_; }
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  const SafetensorsMetadata& metadata() const { return metadata_; }

  // Not found: names the file and the nearest tensor.
  absl::StatusOr<TensorView> Find(absl::string_view name) const;

 private:
  SafetensorsFile(std::string path, const char* data, int64_t size)
      : path_(std::move(path)), data_(data), size_(size) {}
  absl::Status ParseHeader();

  std::string path_;
  const char* data_;
  int64_t size_;
  std::map<std::string, TensorView> tensors_;
  SafetensorsMetadata metadata_;
};

// Writes beside, fsyncs and renames. The same tensors and metadata give the same bytes: tensors lie
// in the file by falling element size, then by name. Errors: invalid argument (bytes that do not
// match the shape, the reserved name
// "__metadata__"), and those of WriteFile.
absl::Status WriteSafetensors(const std::string& path,
                              const std::map<std::string, TensorView>& tensors,
                              const SafetensorsMetadata& metadata = {});

}  // namespace alidade

#endif  // ALIDADE_COMMON_SAFETENSORS_SAFETENSORS_H_
