// Named arrays: what `prefc run` and the objectives' tests read and write.
//
// Inputs: `<distribution>.hidden` [M, H], `.labels` [M], `.offsets` [B + 1] (of the response
// `member`: [members + 1]), or `.logits` [M, V] or `.logp` [M] instead of hidden states;
// `<model>.head` [V, H], `<model>.bias` [V]; `member.offsets` and `segment(<name>).offsets` [B +
// 1]; data inputs and states by their own names. Outputs: `loss`, `metric.<name>`, `state.<name>`,
// `logp.<read>`, `grad.<distribution>.hidden`,
// `.logits` or `.logp`, `grad.<model>.head`, `grad.<model>.bias`. A distribution's name is
// schedule::Distribution::Name(), a read's is in schedule::Signature::ReadNames().

#ifndef ALIDADE_COMPILER_TOOLS_PREFC_ARRAYS_H_
#define ALIDADE_COMPILER_TOOLS_PREFC_ARRAYS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace alidade::pref {

// Row-major. Integers are kept apart, because labels and offsets are compared exactly.
struct Array {
  std::vector<int64_t> shape;
  bool isInteger = false;
  std::vector<double> reals;
  std::vector<int64_t> integers;

  static Array ofReals(std::vector<int64_t> shape, std::vector<double> values);
  static Array ofIntegers(std::vector<int64_t> values);
  static Array ofScalar(double value) { return ofReals({}, {value}); }
};

using Arrays = std::map<std::string, Array>;

// F64, F32, I64 and I32 tensors of a safetensors file. Errors name the file and the tensor.
absl::StatusOr<Arrays> readArrays(const std::string& path);

// Reals as F64, integers as I64.
absl::Status writeArrays(const std::string& path, const Arrays& arrays);

// One JSON object, a member per array; nested lists for the shape.
std::string arraysToJson(const Arrays& arrays);

// A golden: inputs and what somebody else's implementation makes of them.
struct Golden {
  std::string origin;  // whose implementation, which version
  std::map<std::string, double> hyperparameters;
  std::map<std::string, std::string> options;  // those that differ from their defaults
  Arrays inputs, outputs;
};

// {"origin", "redo", "hyperparameters": {}, "options": {}, "inputs": {}, "outputs": {}, "cases":
// []} as docs/goldens writes it. A further case has the inputs of the first and, in their place or
// besides, its own; hyperparameters, options and outputs are its own. At least one. Errors name the
// file and the member.
absl::StatusOr<std::vector<Golden>> readGoldens(const std::string& path);

// The first of them.
absl::StatusOr<Golden> readGolden(const std::string& path);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TOOLS_PREFC_ARRAYS_H_
