#include "compiler/testing/torch_evaluator.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/tensor/fence.h"
#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/testing/torch_points.h"
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

// What a call gives, as LibTorch tensors.
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
      const bool provided = call_.inputs.count(name + ".logp") != 0;
      const std::string leaf_name = name + (provided ? ".logp" : ".hidden");
      at::Tensor& leaf = leaves_[leaf_name];
      leaf = Reals(call_.inputs.at(leaf_name)).set_requires_grad(distribution.requires_grad);
      if (provided) {
        logp_[name] = leaf;
        continue;
      }
      labels_[name] = at::tensor(call_.inputs.at(name + ".labels").integers, at::kLong);
      logits_[name] = at::mm(leaf, leaves_.at(distribution.model + ".head").t());
      logp_[name] = Pick(at::log_softmax(logits_[name], -1), labels_[name]);
    }
    return Layout();
  }

  absl::Status Walk(pref::ObjectiveOp objective) {
    for (mlir::Operation& op : objective.getBody().front()) {
      if (auto update = mlir::dyn_cast<pref::UpdateOp>(op))
        new_state_[update.getName().str()] = values_.lookup(update.getX()).detach();
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
    for (const auto& [name, value] : new_state_) result.outputs["state." + name] = ToArray(value);
    for (const pref::Read& read : pref::readsOf(objective))
      result.outputs["logp." + read.name] = ToArray(values_.lookup(read.first()->getResult(0)));
    for (const auto& [name, leaf] : leaves_) {
      if (!leaf.requires_grad()) continue;
      result.outputs["grad." + name] =
          ToArray(leaf.grad().defined() ? leaf.grad() : at::zeros_like(leaf));
    }
    return result;
  }

 private:
  static at::Tensor Pick(const at::Tensor& of_tokens, const at::Tensor& indices) {
    return of_tokens.gather(1, indices.unsqueeze(1)).squeeze(1);
  }

  // The points of every axis of the signature, parents before children.
  absl::Status Layout() {
    for (const schedule::Axis& axis : signature_.axes) {
      if (axis.kind == "pair") {
        pairs_ = std::make_unique<MemberPairs>(points_.at("member"));
        points_.emplace(axis.Name(), PointSet(pairs_->bounds));
        continue;
      }
      std::string key = axis.Name() + ".offsets";
      for (const schedule::Distribution& distribution : signature_.distributions) {
        if (signature_.axes[distribution.axis].Name() == axis.Name())
          key = distribution.Name() + ".offsets";
      }
      const auto offsets = call_.inputs.find(key);
      if (offsets == call_.inputs.end())
        return absl::NotFoundError(absl::StrCat(key, ": expected a tensor"));
      points_.emplace(axis.Name(), PointSet(offsets->second.integers));
      if (axis.parent < 0) num_rows_ = points_.at(axis.Name()).counts.numel();
    }
    if (num_rows_ == 0)
      num_rows_ =
          call_.inputs.at(signature_.distributions[0].Name() + ".offsets").integers.size() - 1;
    points_.emplace("row", PointSet({0, num_rows_}));
    return absl::OkStatus();
  }

  const PointSet& PointsOf(const Axis& axis) const { return points_.at(pref::toString(axis)); }
  const PointSet& InnermostOf(mlir::Value value) const {
    return PointsOf(pref::axesOf(value).back());
  }

  // `value` with `from` axes at every point of `to`, of which they are a prefix.
  at::Tensor Lift(at::Tensor value, llvm::ArrayRef<Axis> from, llvm::ArrayRef<Axis> to) const {
    for (const Axis& axis : to.drop_front(from.size())) {
      const PointSet& points = PointsOf(axis);
      value =
          value.dim() == 0 ? value.expand({points.size}) : value.index_select(0, points.parents);
    }
    return value;
  }

  at::Tensor Given(mlir::Operation* op, unsigned i) const {
    return values_.lookup(op->getOperand(i));
  }
  at::Tensor Operand(mlir::Operation* op, unsigned i) const {
    return Lift(Given(op, i), pref::axesOf(op->getOperand(i)), pref::axesOf(op->getResult(0)));
  }
  at::Tensor Sum(const at::Tensor& x, const PointSet& points, bool row) const {
    if (row) return x.sum();
    return at::zeros({points.counts.numel()}, at::kDouble).index_add(0, points.parents, x);
  }
  // Sum over the innermost axis of `like`, which x has too.
  at::Tensor SumOver(const at::Tensor& x, mlir::Value like) const {
    return Sum(x, InnermostOf(like), pref::axesOf(like).back().isRow());
  }
  at::Tensor CountOf(const Axis& axis) const {
    const at::Tensor counts = PointsOf(axis).counts.to(at::kDouble);
    return axis.isRow() ? counts[0] : counts;
  }
  at::Tensor MeanOver(const at::Tensor& x, mlir::Value like) const {
    return SumOver(x, like) / CountOf(pref::axesOf(like).back()).clamp_min(1);
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

  // The logits of a distribution; only the read one's gradient is wanted.
  at::Tensor Read(pref::VocabularyOpInterface read) const {
    const std::string name = read.getDistribution().getName(), op = read.getReadName().str();
    const auto wanted = [&](const at::Tensor& x) { return read.hasGradient() ? x : x.detach(); };
    if (op == "logprob") return wanted(logp_.at(name));
    const at::Tensor logits = wanted(logits_.at(name));
    const auto other = [&] { return logits_.at(read.getPartner().getName()).detach(); };
    const auto index = [&] { return values_.lookup(read.getIndex()).detach().to(at::kLong); };
    const at::Tensor logp = at::log_softmax(logits, -1);
    if (op == "logprob_at") return Pick(logp, index());
    if (op == "logit") return Pick(logits, labels_.at(name));
    if (op == "logit_at") return Pick(logits, index());
    if (op == "argmax") return logits.argmax(1).to(at::kDouble);
    if (op == "entropy") return -(logp.exp() * logp).sum(1);
    if (op == "collision") return (2 * logp).logsumexp(1).detach();
    if (op == "logprob_mix") {
      const at::Tensor g = values_.lookup(read.getScale());
      return Pick(at::log_softmax(g * logits - (g - 1) * other(), -1), labels_.at(name));
    }
    const at::Tensor partner = at::log_softmax(other(), -1);
    if (op == "kl_to") return (logp.exp() * (logp - partner)).sum(1);
    if (op == "kl_from") return (partner.exp() * (partner - logp)).sum(1);
    return at::Tensor();
  }

  // Constants, data, and what counts points.
  at::Tensor Leaf(mlir::Operation* op) const {
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
        .Case([&](pref::InputOp input) { return Reals(call_.inputs.at(input.getName().str())); })
        .Case([&](pref::StateOp state) {
          const auto given = call_.inputs.find(state.getName().str());
          return given == call_.inputs.end()
                     ? at::scalar_tensor(state.getDefaultNumber(), at::kDouble)
                     : Reals(given->second);
        })
        .Case([&](pref::CountOp count) { return CountOf(count.getAxis().getValue()); })
        .Case([&](pref::PositionOp position) {
          return PointsOf(position.getAxis().getValue()).places.to(at::kDouble);
        })
        .Case([&](pref::PairIndexOp index) {
          const at::Tensor& side = IsFirst(index) ? pairs_->first : pairs_->second;
          return points_.at("member").places.index_select(0, side).to(at::kDouble);
        })
        .Case([&](pref::UniformOp uniform) {
          return UniformAt(Given(op, 0).item<double>(), InnermostOf(uniform.getResult()).size);
        })
        .Default([](mlir::Operation*) { return at::Tensor(); });
  }

  template <typename Op>
  static bool IsFirst(Op op) {
    return op.getSide() == pref::PairSide::First;
  }

  // Element-wise with more than two operands, reductions, and what moves values between points.
  at::Tensor Structural(mlir::Operation* op) const {
    return llvm::TypeSwitch<mlir::Operation*, at::Tensor>(op)
        .Case([&](pref::SumOp) { return SumOver(Given(op, 0), op->getOperand(0)); })
        .Case([&](pref::MeanOp) { return MeanOver(Given(op, 0), op->getOperand(0)); })
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
    if (auto read = mlir::dyn_cast<pref::VocabularyOpInterface>(op)) return Read(read);
    const at::Tensor leaf = Leaf(op);
    return leaf.defined() ? leaf : Structural(op);
  }

  const schedule::Signature& signature_;
  const Call& call_;
  int64_t num_rows_ = 0;
  std::map<std::string, PointSet> points_;  // by axis, and "row"
  std::unique_ptr<MemberPairs> pairs_;      // where there is an axis of pairs
  std::map<std::string, at::Tensor> leaves_, labels_, logits_, logp_;
  std::map<std::string, at::Tensor> new_state_;
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
