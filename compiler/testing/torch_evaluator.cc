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
  // An operand at the points of the axes of another.
  at::Tensor OperandLike(mlir::Operation* op, unsigned i, mlir::Value like) const {
    return Lift(Given(op, i), pref::axesOf(op->getOperand(i)), pref::axesOf(like));
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
  // Groups' results as a value: one number where the groups are those of the rows.
  at::Tensor Reduced(const at::Tensor& per_group, const Axis& axis) const {
    return axis.isRow() ? per_group[0] : per_group;
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
        .Case([&](pref::ReduceMaxOp) {
          const Axis axis = pref::axesOf(op->getOperand(0)).back();
          return Reduced(ReduceGroups(Given(op, 0).detach(), PointsOf(axis),
                                      [](const at::Tensor& x) {
                                        return x.numel() == 0
                                                   ? at::scalar_tensor(-HUGE_VAL, at::kDouble)
                                                   : x.max();
                                      }),
                         axis);
        })
        .Case([&](pref::BroadcastOp) { return Operand(op, 0).clone(); })
        .Case([&](pref::StopGradientOp) { return Operand(op, 0).detach(); })
        .Case([&](pref::CompareOp compare) { return Compare(compare); })
        .Case([&](pref::WhereOp) {
          return at::where(Operand(op, 0).ne(0), Operand(op, 1), Operand(op, 2));
        })
        .Case([&](pref::ClampOp) {
          return at::clamp(Operand(op, 0), Operand(op, 1), Operand(op, 2));
        })
        .Case([&](pref::SortOp sort) {
          const at::Tensor order = values_.lookup(sort.getOrder());
          return Given(op, 0).index_select(0, SortedOrder(order, InnermostOf(sort.getX())));
        })
        .Case([&](pref::UnsortOp unsort) {
          const at::Tensor order = SortedOrder(Given(op, 1), InnermostOf(unsort.getX()));
          return Given(op, 0).index_select(0, order.argsort());
        })
        .Case([&](pref::ScanOp scan) {
          const PointSet& points = InnermostOf(scan.getX());
          // The decay of each group: that of its first point.
          const at::Tensor decay = OperandLike(op, 1, scan.getX()).detach();
          const at::Tensor first = points.offsets.slice(0, 0, -1).clamp_max(points.size - 1);
          return Scan(Given(op, 0), decay.index_select(0, first), points, scan.getReverse());
        })
        .Case([&](pref::SegmentSumOp sum) {
          const PointSet& segments = InnermostOf(sum.getResult());
          const PointSet& tokens = InnermostOf(sum.getX());
          const SegmentPlaces at = FindSegments(Given(op, 1), tokens.parents, segments);
          return at::zeros({segments.size}, at::kDouble)
              .index_add(0, at.index, Given(op, 0) * at.inside.to(at::kDouble));
        })
        .Case([&](pref::SegmentGatherOp gather) {
          const PointSet& tokens = InnermostOf(gather.getResult());
          const SegmentPlaces at =
              FindSegments(Given(op, 1), tokens.parents, InnermostOf(gather.getX()));
          return Given(op, 0).index_select(0, at.index) * at.inside.to(at::kDouble);
        })
        .Case([&](pref::PairGatherOp gather) {
          return Given(op, 0).index_select(0, IsFirst(gather) ? pairs_->first : pairs_->second);
        })
        .Case([&](pref::PairScatterOp scatter) {
          return at::zeros({points_.at("member").size}, at::kDouble)
              .index_add(0, IsFirst(scatter) ? pairs_->first : pairs_->second, Given(op, 0));
        })
        .Default([&](mlir::Operation* other) { return Composite(other); });
  }

  // By their definitions, not by what they expand to.
  at::Tensor Composite(mlir::Operation* op) const {
    return llvm::TypeSwitch<mlir::Operation*, at::Tensor>(op)
        .Case([&](pref::WeightedSumOp sum) {
          const at::Tensor total = SumOver(Given(op, 0) * Given(op, 1), sum.getX());
          if (!sum.getNormalized()) return total;
          const at::Tensor weight = SumOver(Given(op, 1), sum.getX());
          return total / at::where(weight.eq(0), at::ones_like(weight), weight);
        })
        .Case([&](pref::SumFirstOp sum) { return PartialSum(op, sum.getX(), /*first=*/true); })
        .Case([&](pref::SumAfterOp sum) { return PartialSum(op, sum.getX(), /*first=*/false); })
        .Case([&](pref::ScatterAtOp scatter) {
          const at::Tensor places = InnermostOf(scatter.getResult()).places.to(at::kDouble);
          return Operand(op, 0) * places.eq(Operand(op, 1).detach()).to(at::kDouble);
        })
        .Case([&](pref::StdOp std) {
          const int64_t missing = std.getUnbiased() ? 1 : 0;
          const Axis axis = pref::axesOf(std.getX()).back();
          return Reduced(
              ReduceGroups(Given(op, 0), PointsOf(axis),
                           [&](const at::Tensor& x) { return Variance(x, missing).sqrt(); }),
              axis);
        })
        .Case([&](pref::LeaveOneOutOp other) {
          return MapGroups(Given(op, 0), InnermostOf(other.getX()), [](const at::Tensor& x) {
            return (x.sum() - x) / std::max<int64_t>(1, x.numel() - 1);
          });
        })
        .Case([&](pref::WhitenOp whiten) {
          const at::Tensor eps = Given(op, 1);
          return MapGroups(Given(op, 0), InnermostOf(whiten.getX()), [&](const at::Tensor& x) {
            return (x - x.mean()) / (Variance(x, 1) + eps).sqrt();
          });
        })
        .Case([&](pref::QuantileOp quantile) { return Quantile(quantile); })
        .Case([&](pref::RandomSubsetOp) {
          const at::Tensor weight = Given(op, 0).detach();
          const at::Tensor keys = -UniformAt(Given(op, 2).item<double>(), num_rows_).log() / weight;
          const int64_t wanted = std::floor(Given(op, 1).item<double>() * num_rows_ + 0.5);
          const at::Tensor ranks = SortedOrder(keys, points_.at("row")).argsort();
          return ranks.lt(wanted).to(at::kDouble);
        })
        .Default([](mlir::Operation*) { return at::Tensor(); });
  }

  // Sum of squared distances to the mean, by count - missing.
  static at::Tensor Variance(const at::Tensor& x, int64_t missing) {
    return (x - x.mean()).square().sum() / std::max<int64_t>(1, x.numel() - missing);
  }

  at::Tensor PartialSum(mlir::Operation* op, mlir::Value x, bool first) const {
    const at::Tensor in_first =
        InnermostOf(x).places.to(at::kDouble).lt(OperandLike(op, 1, x).detach());
    const at::Tensor taken = first ? in_first : in_first.logical_not();
    return SumOver(Given(op, 0) * taken.to(at::kDouble), x);
  }

  at::Tensor Quantile(pref::QuantileOp op) const {
    const Axis axis = pref::axesOf(op.getX()).back();
    const at::Tensor q = Operand(op, 1).detach().clamp(0, 1).reshape({-1});
    int64_t group = 0;
    return Reduced(ReduceGroups(Given(op, 0).detach(), PointsOf(axis),
                                [&](const at::Tensor& x) {
                                  const at::Tensor at = q[group++];
                                  return x.numel() == 0 ? at::zeros({}, at::kDouble)
                                                        : at::quantile(x, at.item<double>());
                                }),
                   axis);
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
