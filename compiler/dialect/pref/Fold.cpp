// Folding and canonicalisation: constants, identities, and broadcasts moved as late as possible, so
// that arithmetic happens on the fewest axes.

#include <cmath>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/dialect/pref/OpSupport.h"

namespace alidade::pref {

using mlir::OpFoldResult;
using mlir::Value;

static std::optional<double> number(mlir::Attribute attribute) {
  auto value = llvm::dyn_cast_or_null<mlir::FloatAttr>(attribute);
  if (!value) return std::nullopt;
  return value.getValueAsDouble();
}

// x where `op` equals x for all x; its type must be the result's.
static Value identity(mlir::Operation* op, llvm::ArrayRef<std::optional<double>> constants) {
  auto isConstant = [&](unsigned i, double value) {
    return constants[i] && *constants[i] == value;
  };
  return llvm::TypeSwitch<mlir::Operation*, Value>(op)
      .Case([&](AddOp add) -> Value {
        if (isConstant(1, 0)) return add.getLhs();
        return isConstant(0, 0) ? add.getRhs() : Value();
      })
      .Case([&](SubOp sub) { return isConstant(1, 0) ? sub.getLhs() : Value(); })
      .Case([&](MulOp mul) -> Value {
        if (isConstant(1, 1)) return mul.getLhs();
        return isConstant(0, 1) ? mul.getRhs() : Value();
      })
      .Case([&](DivOp div) { return isConstant(1, 1) ? div.getLhs() : Value(); })
      .Case([&](PowOp pow) { return isConstant(1, 1) ? pow.getLhs() : Value(); })
      .Case([&](NegOp neg) -> Value {
        auto inner = neg.getX().getDefiningOp<NegOp>();
        return inner ? inner.getX() : Value();
      })
      .Case([&](WhereOp where) -> Value {
        if (constants[0]) return *constants[0] != 0 ? where.getLhs() : where.getRhs();
        return where.getLhs() == where.getRhs() ? where.getLhs() : Value();
      })
      .Default(Value());
}

OpFoldResult foldElementwise(mlir::Operation* op, llvm::ArrayRef<mlir::Attribute> attributes) {
  llvm::SmallVector<std::optional<double>, 3> constants;
  for (mlir::Attribute attribute : attributes) constants.push_back(number(attribute));
  if (llvm::all_of(constants, [](const auto& c) { return c.has_value(); }) &&
      !llvm::isa<StopGradientOp>(op)) {
    llvm::SmallVector<double, 3> args;
    for (const auto& constant : constants) args.push_back(*constant);
    double value = llvm::cast<ElementwiseOpInterface>(op).evaluatePoint(args);
    // A constant is finite; inf and nan stay what they are at run time.
    if (std::isfinite(value))
      return mlir::FloatAttr::get(mlir::Float64Type::get(op->getContext()), value);
    return {};
  }
  Value same = identity(op, constants);
  if (same && same.getType() == op->getResult(0).getType()) return same;
  return {};
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValueAttr(); }

// Two broadcasts are one.
OpFoldResult BroadcastOp::fold(FoldAdaptor) {
  auto inner = getX().getDefiningOp<BroadcastOp>();
  if (!inner) return {};
  getXMutable().assign(inner.getX());
  return getResult();
}

namespace {

// op(broadcast(x), y) reads x directly. Where that leaves fewer axes than the result has, the
// broadcast follows.
struct BroadcastLast : mlir::OpInterfaceRewritePattern<ElementwiseOpInterface> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  mlir::LogicalResult matchAndRewrite(ElementwiseOpInterface op,
                                      mlir::PatternRewriter& rewriter) const override {
    llvm::SmallVector<Value> operands;
    bool changed = false;
    for (Value operand : op->getOperands()) {
      auto broadcast = operand.getDefiningOp<BroadcastOp>();
      operands.push_back(broadcast ? broadcast.getX() : operand);
      changed |= static_cast<bool>(broadcast);
    }
    if (!changed) return rewriter.notifyMatchFailure(op, "no operand is a broadcast");
    Value longest = operands.front();
    for (Value operand : operands)
      if (axesOf(operand).size() > axesOf(longest).size()) longest = operand;
    llvm::ArrayRef<Axis> axes = axesOf(op->getResult(0));
    mlir::OperationState state(op->getLoc(), op->getName(), operands, {longest.getType()},
                               op->getAttrs());
    Value value = rewriter.create(state)->getResult(0);
    if (axesOf(value).size() < axes.size())
      value =
          BroadcastOp::create(rewriter, op->getLoc(), value, AxesAttr::get(op->getContext(), axes));
    rewriter.replaceOp(op, value);
    return mlir::success();
  }
};

// Signs move outwards, where two of them meet and vanish: (-a) * b, a * (-b), (-a) / b, a / (-b)
// are -(a op b), and a factor of -1 is a sign.
template <typename Op>
struct SignOutwards : mlir::OpRewritePattern<Op> {
  using mlir::OpRewritePattern<Op>::OpRewritePattern;

  mlir::LogicalResult matchAndRewrite(Op op, mlir::PatternRewriter& rewriter) const override {
    Value a = op.getLhs(), b = op.getRhs();
    auto isMinusOne = [](Value value) {
      auto constant = value.getDefiningOp<ConstantOp>();
      return constant && constant.getNumber() == -1;
    };
    if (isMinusOne(b)) {
      rewriter.replaceOpWithNewOp<NegOp>(op, a);
      return mlir::success();
    }
    auto negA = a.getDefiningOp<NegOp>();
    auto negB = b.getDefiningOp<NegOp>();
    if (!negA && !negB) return rewriter.notifyMatchFailure(op, "no operand is a negation");
    Value product =
        Op::create(rewriter, op.getLoc(), negA ? negA.getX() : a, negB ? negB.getX() : b);
    if (negA && negB)
      rewriter.replaceOp(op, product);
    else
      rewriter.replaceOpWithNewOp<NegOp>(op, product);
    return mlir::success();
  }
};

// a + (-b) is a - b; a - (-b) is a + b.
template <typename Op, typename Opposite>
struct NegatedSecond : mlir::OpRewritePattern<Op> {
  using mlir::OpRewritePattern<Op>::OpRewritePattern;

  mlir::LogicalResult matchAndRewrite(Op op, mlir::PatternRewriter& rewriter) const override {
    auto neg = op.getRhs().template getDefiningOp<NegOp>();
    if (!neg) return rewriter.notifyMatchFailure(op, "the second operand is not a negation");
    rewriter.replaceOpWithNewOp<Opposite>(op, op.getLhs(), neg.getX());
    return mlir::success();
  }
};

}  // namespace

void PrefDialect::getCanonicalizationPatterns(mlir::RewritePatternSet& patterns) const {
  patterns.add<BroadcastLast>(patterns.getContext());
  patterns.add<SignOutwards<MulOp>, SignOutwards<DivOp>>(patterns.getContext());
  patterns.add<NegatedSecond<AddOp, SubOp>, NegatedSecond<SubOp, AddOp>>(patterns.getContext());
}

// sum over token of a broadcast is a product with the count.
void SumOp::getCanonicalizationPatterns(mlir::RewritePatternSet& patterns, mlir::MLIRContext*) {
  patterns.add(+[](SumOp op, mlir::PatternRewriter& rewriter) -> mlir::LogicalResult {
    auto broadcast = op.getX().getDefiningOp<BroadcastOp>();
    llvm::ArrayRef<Axis> axes = axesOf(op.getX());
    if (op.getRanks() || !broadcast || axesOf(broadcast.getX()).size() + 1 != axes.size())
      return rewriter.notifyMatchFailure(
          op, "the operand is not a broadcast over the reduced axis alone");
    Value count =
        CountOp::create(rewriter, op.getLoc(), AxisAttr::get(op.getContext(), axes.back()));
    rewriter.replaceOpWithNewOp<MulOp>(op, broadcast.getX(), count);
    return mlir::success();
  });
}

}  // namespace alidade::pref
