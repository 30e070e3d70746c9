#ifndef ALIDADE_COMPILER_RUNTIME_AUTOGRAD_H_
#define ALIDADE_COMPILER_RUNTIME_AUTOGRAD_H_

// Puts gradients that are already computed into LibTorch's graph.

#include <vector>

#include "ATen/core/Tensor.h"

namespace alidade::runtime {

// `loss` [] with a graph behind it: backward() gives inputs[i] the tensor gradients[i], times the
// upstream gradient. The gradients are handed over, not copied, when the graph is released (no
// retain_graph) and the upstream gradient is 1. backward() fails as LibTorch's own functions do
// when it is called on a released graph, or with create_graph.
at::Tensor AttachGradients(at::Tensor loss, const std::vector<at::Tensor>& inputs,
                           std::vector<at::Tensor> gradients);

}  // namespace alidade::runtime

#endif  // ALIDADE_COMPILER_RUNTIME_AUTOGRAD_H_
