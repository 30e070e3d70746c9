#include "compiler/runtime/autograd.h"

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "ATen/ATen.h"
#include "c10/core/GradMode.h"
#include "torch/csrc/autograd/function.h"
#include "torch/csrc/autograd/saved_variable.h"
#include "torch/csrc/autograd/variable.h"

namespace alidade::runtime {
namespace {

class ScaleStoredGradients : public torch::autograd::Node {
 public:
  explicit ScaleStoredGradients(std::vector<at::Tensor> gradients)
      : gradients_(std::move(gradients)) {}

  std::string name() const override { return "AlidadeObjectiveBackward"; }

  torch::autograd::variable_list apply(torch::autograd::variable_list&& upstream) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    TORCH_CHECK(!released_, torch::autograd::ERR_BACKWARD_TWICE);
    TORCH_CHECK(!c10::GradMode::is_enabled(),
                "an alidade objective is differentiable once; got create_graph = true");
    torch::autograd::variable_list result(gradients_.size());
    if (!upstream[0].defined()) return result;
    // Looking at the number would make the host wait for a GPU: there it always scales.
    const bool is_one = upstream[0].is_cpu() && upstream[0].item<double>() == 1.0;
    for (size_t i = 0; i < gradients_.size(); ++i) {
      if (!task_should_compute_output(i)) continue;
      if (!last_use_) {
        result[i] = is_one ? gradients_[i] : gradients_[i] * upstream[0];
      } else {
        result[i] = std::move(gradients_[i]);
        if (!is_one) result[i].mul_(upstream[0]);
      }
    }
    return result;
  }

  // The engine calls this before apply() when it will release the graph after it.
  void will_release_variables() override { last_use_ = true; }

  void release_variables() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    gradients_.clear();
    released_ = true;
  }

 private:
  std::vector<at::Tensor> gradients_;
  bool last_use_ = false;
  bool released_ = false;
};

}  // namespace

at::Tensor AttachGradients(at::Tensor loss, const std::vector<at::Tensor>& inputs,
                           std::vector<at::Tensor> gradients) {
  std::shared_ptr<ScaleStoredGradients> node(new ScaleStoredGradients(std::move(gradients)),
                                             torch::autograd::deleteNode);
  torch::autograd::edge_list edges;
  for (const at::Tensor& input : inputs)
    edges.push_back(torch::autograd::impl::gradient_edge(input));
  node->set_next_edges(std::move(edges));
  const uint32_t output = node->add_input_metadata(loss);
  torch::autograd::impl::set_gradient_edge(loss, {node, output});
  return loss;
}

}  // namespace alidade::runtime
