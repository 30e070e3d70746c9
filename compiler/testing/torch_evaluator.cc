#include "compiler/testing/torch_evaluator.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/tensor/fence.h"
#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"

namespace alidade::testing {
namespace {

using pref::Array;
using pref::Axis;
using pref::Call;

at::Tensor Reals(const Array& array) {
  if (array.isInteger)
    return at::tensor(array.integers, at::kLong).to(at::kDouble).view(array.shape);
  return at::tensor(array.reals, at::kDouble).view(array.shape);
}

Array ToArray(const at::Tensor& tensor) {
  const at::Tensor values = tensor.detach().to(at::kDouble).contiguous();
  const double* data = values.data_ptr<double>();
  return Array::ofReals(tensor.sizes().vec(), std::vector<double>(data, data + values.numel()));
}

// Shapes: [] for no axes, [B] for rows, packed [M] for tokens of a response.
class Evaluator {
 public:
  Evaluator(const schedule::Signature& signature, const Call& call)
      : signature_(signature), call_(call) {}

  absl::Status Score() {
    for (const std::string& model : signature_.Models()) {
      const auto head = call_.inputs.find(model + ".head");
      if (head == call_.inputs.end()) continue;
      leaves_[model + ".head"] = Reals(head->second);
    }
    if (!call_.frozenHead) {
      for (const std::string& model : signature_.Models(/*with_gradient=*/true)) {
        const auto head = leaves_.find(model + ".head");
        if (head != leaves_.end()) head->second.set_requires_grad(true);
      }
    }
    for (const schedule::Distribution& distribution : signature_.distributions) {
      const std::string name = distribution.Name();
      const at::Tensor offsets = at::tensor(call_.inputs.at(name + ".offsets").integers, at::kLong);
      num_rows_ = offsets.numel() - 1;
      counts_[distribution.response] = offsets.diff();
      rows_[distribution.response] =
          at::arange(num_rows_, at::kLong).repeat_interleave(offsets.diff());
      const bool provided = call_.inputs.count(name + ".logp") != 0;
      const std::string leaf_name = name + (provided ? ".logp" : ".hidden");
      at::Tensor& leaf = leaves_[leaf_name];
      leaf = Reals(call_.inputs.at(leaf_name)).set_requires_grad(distribution.requires_grad);
      if (provided) {
        logp_[name] = leaf;
        continue;
      }
      const at::Tensor labels = at::tensor(call_.inputs.at(name + ".labels").integers, at::kLong);
      const at::Tensor logits = at::mm(leaf, leaves_.at(distribution.model + ".head").t());
      logp_[name] = at::log_softmax(logits, -1).gather(1, labels.unsqueeze(1)).squeeze(1);
    }
    return absl::OkStatus();
  }

  absl::Status Walk(pref::ObjectiveOp objective) {
    for (mlir::Operation& op : objective.getBody().front()) {
      if (op.getNumResults() == 0) continue;
      const at::Tensor value = Evaluate(&op);
      if (!value.defined()) {
        return absl::UnimplementedError(
            absl::StrCat("LibTorch has no rule for ", op.getName().getStringRef().str()));
      }
      values_[op.getResult(0)] = value;
    }
    return absl::OkStatus();
  }

  pref::CallResult Finish(pref::ObjectiveOp objective) {
    pref::CallResult result;
    const at::Tensor loss = values_.lookup(pref::lossOf(objective));
    if (loss.requires_grad()) loss.backward();
    result.outputs["loss"] = ToArray(loss);
    for (const pref::NamedValue& metric : pref::metricsOf(objective)) {
      result.outputs["metric." + metric.name] = ToArray(values_.lookup(metric.value).mean());
    }
    for (const auto& [name, logp] : logp_) result.outputs["logp." + name] = ToArray(logp);
    for (const auto& [name, leaf] : leaves_) {
      if (leaf.grad().defined()) result.outputs["grad." + name] = ToArray(leaf.grad());
    }
    return result;
  }

 private:
  static std::string RoleOf(const Axis& axis) {
    return pref::stringifyResponseRole(axis.getResponse()).str();
  }

  // `value` with `from` axes at every point of `to`.
  at::Tensor Lift(const at::Tensor& value, llvm::ArrayRef<Axis> from,
                  llvm::ArrayRef<Axis> to) const {
    if (from.size() == to.size()) return value;
    if (from.empty())
      return value.expand({to.back().isRow() ? num_rows_ : rows_.at(RoleOf(to.back())).numel()});
    return value.index_select(0, rows_.at(RoleOf(to.back())));
  }

  at::Tensor Operand(mlir::Operation* op, unsigned i) const {
    return Lift(values_.lookup(op->getOperand(i)), pref::axesOf(op->getOperand(i)),
                pref::axesOf(op->getResult(0)));
  }

  // Sum over the last axis, and how many elements went into each.
  at::Tensor Reduce(mlir::Operation* op, bool mean) const {
    const at::Tensor x = values_.lookup(op->getOperand(0));
    const Axis axis = pref::axesOf(op->getOperand(0)).back();
    if (axis.isRow()) return mean ? x.sum() / std::max<int64_t>(1, num_rows_) : x.sum();
    const at::Tensor sum =
        at::zeros({num_rows_}, at::kDouble).index_add(0, rows_.at(RoleOf(axis)), x);
    return mean ? sum / counts_.at(RoleOf(axis)).clamp_min(1) : sum;
  }

  at::Tensor Compare(pref::CompareOp op) const {
    const at::Tensor a = Operand(op, 0), b = Operand(op, 1);
    const auto holds = [&] {
      switch (op.getPredicate()) {
        case pref::Predicate::Eq:
          return a.eq(b);
        case pref::Predicate::Ne:
          return a.ne(b);
        case pref::Predicate::Lt:
          return a.lt(b);
        case pref::Predicate::Le:
          return a.le(b);
        case pref::Predicate::Gt:
          return a.gt(b);
        default:
          return a.ge(b);
      }
    };
    return holds().to(at::kDouble);
  }

  at::Tensor Structural(mlir::Operation* op) const {
    return llvm::TypeSwitch<mlir::Operation*, at::Tensor>(op)
        .Case([&](pref::HyperOp hyper) {
          const auto given = call_.hyperparameters.find(hyper.getName().str());
          const double value =
              given == call_.hyperparameters.end() ? hyper.getDefaultNumber() : given->second;
          return at::scalar_tensor(value, at::kDouble);
        })
        .Case([&](pref::ConstantOp constant) {
          return at::scalar_tensor(constant.getNumber(), at::kDouble);
        })
        .Case([&](pref::LogProbOp read) {
          const at::Tensor logp = logp_.at(read.getDistribution().getName());
          return read.hasGradient() ? logp : logp.detach();
        })
        .Case([&](pref::CountOp count) {
          const Axis axis = count.getAxis().getValue();
          return axis.isRow() ? at::scalar_tensor(num_rows_, at::kDouble)
                              : counts_.at(RoleOf(axis)).to(at::kDouble);
        })
        .Case([&](pref::SumOp) { return Reduce(op, /*mean=*/false); })
        .Case([&](pref::MeanOp) { return Reduce(op, /*mean=*/true); })
        .Case([&](pref::BroadcastOp) { return Operand(op, 0).clone(); })
        .Case([&](pref::StopGradientOp) { return Operand(op, 0).detach(); })
        .Case([&](pref::CompareOp compare) { return Compare(compare); })
        .Case([&](pref::WhereOp) {
          return at::where(Operand(op, 0).ne(0), Operand(op, 1), Operand(op, 2));
        })
        .Case([&](pref::ClampOp) {
          return at::clamp(Operand(op, 0), Operand(op, 1), Operand(op, 2));
        })
        .Default([](mlir::Operation*) { return at::Tensor(); });
  }

  at::Tensor Evaluate(mlir::Operation* op) const {
    using F = at::Tensor (*)(const at::Tensor&);
    using G = at::Tensor (*)(const at::Tensor&, const at::Tensor&);
    static const auto& unary = *new std::map<std::string, F>{
        {"neg", [](const at::Tensor& x) { return x.neg(); }},
        {"abs", [](const at::Tensor& x) { return x.abs(); }},
        {"square", [](const at::Tensor& x) { return x.square(); }},
        {"sqrt", [](const at::Tensor& x) { return x.sqrt(); }},
        {"exp", [](const at::Tensor& x) { return x.exp(); }},
        {"log", [](const at::Tensor& x) { return x.log(); }},
        {"log1p", [](const at::Tensor& x) { return x.log1p(); }},
        {"expm1", [](const at::Tensor& x) { return x.expm1(); }},
        {"sigmoid", [](const at::Tensor& x) { return x.sigmoid(); }},
        {"log_sigmoid", [](const at::Tensor& x) { return at::log_sigmoid(x); }},
        {"softplus", [](const at::Tensor& x) { return at::log_sigmoid(x.neg()).neg(); }},
        {"log1mexp", [](const at::Tensor& x) { return x.expm1().neg().log(); }},
        {"relu", [](const at::Tensor& x) { return x.relu(); }},
        {"sign", [](const at::Tensor& x) { return x.sign(); }},
    };
    static const auto& binary = *new std::map<std::string, G>{
        {"add", [](const at::Tensor& a, const at::Tensor& b) { return a + b; }},
        {"sub", [](const at::Tensor& a, const at::Tensor& b) { return a - b; }},
        {"mul", [](const at::Tensor& a, const at::Tensor& b) { return a * b; }},
        {"div", [](const at::Tensor& a, const at::Tensor& b) { return a / b; }},
        {"min", [](const at::Tensor& a, const at::Tensor& b) { return at::minimum(a, b); }},
        {"max", [](const at::Tensor& a, const at::Tensor& b) { return at::maximum(a, b); }},
        {"pow", [](const at::Tensor& a, const at::Tensor& b) { return at::pow(a, b); }},
        {"logaddexp", [](const at::Tensor& a, const at::Tensor& b) { return at::logaddexp(a, b); }},
    };
    const std::string name = op->getName().stripDialect().str();
    if (const auto found = unary.find(name); found != unary.end())
      return found->second(Operand(op, 0));
    if (const auto found = binary.find(name); found != binary.end()) {
      return found->second(Operand(op, 0), Operand(op, 1));
    }
    return Structural(op);
  }

  const schedule::Signature& signature_;
  const Call& call_;
  int64_t num_rows_ = 0;
  std::map<std::string, at::Tensor> counts_,
      rows_;  // by response: tokens of each row [B], row of each token [M]
  std::map<std::string, at::Tensor> leaves_, logp_;
  llvm::DenseMap<mlir::Value, at::Tensor> values_;
};

}  // namespace

absl::StatusOr<pref::CallResult> RunTorch(pref::ObjectiveOp objective,
                                          const schedule::Signature& signature, const Call& call) {
  pref::CallResult result;
  ALIDADE_RETURN_IF_ERROR(FenceTorch("evaluating with LibTorch", [&]() -> absl::Status {
    Evaluator evaluator(signature, call);
    ALIDADE_RETURN_IF_ERROR(evaluator.Score());
    ALIDADE_RETURN_IF_ERROR(evaluator.Walk(objective));
    result = evaluator.Finish(objective);
    return absl::OkStatus();
  }));
  return result;
}

}  // namespace alidade::testing
