#ifndef ALIDADE_COMMON_TENSOR_NAMED_TENSORS_H_
#define ALIDADE_COMMON_TENSOR_NAMED_TENSORS_H_

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace alidade {

// Tensors by name, in the order of their names: weights, optimiser moments, metrics.
using NamedTensors = std::map<std::string, at::Tensor>;

}  // namespace alidade

#endif  // ALIDADE_COMMON_TENSOR_NAMED_TENSORS_H_
