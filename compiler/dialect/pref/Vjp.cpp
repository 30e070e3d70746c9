// Pullbacks of the operations whose definition does not state one.

#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/dialect/pref/OpSupport.h"
#include "compiler/dialect/pref/TermBuilder.h"

namespace alidade::pref {

using mlir::OpBuilder;
using mlir::Value;
using Active = llvm::ArrayRef<bool>;
using Pulled = llvm::MutableArrayRef<Value>;

bool CompareOp::isValueOnly() { return true; }
bool SignOp::isValueOnly() { return true; }

// Value-only: pref-differentiate reports a gradient that arrives here before it would ask for the
// pullback.
void CompareOp::buildVjp(OpBuilder&, Value, Active, Pulled) {}

void WhereOp::buildVjp(OpBuilder& builder, Value cotangent, Active active, Pulled pulled) {
  TermBuilder t(builder, getLoc());
  if (active[1]) pulled[1] = t.where(getCondition(), cotangent, t.constant(0));
  if (active[2]) pulled[2] = t.where(getCondition(), t.constant(0), cotangent);
}

void ClampOp::buildVjp(OpBuilder& builder, Value cotangent, Active active, Pulled pulled) {
  TermBuilder t(builder, getLoc());
  Value x = getX(), low = getLow(), high = getHigh();
  auto both = [&](Value first, Value second) { return t.mul(cotangent, t.mul(first, second)); };
  if (active[0])
    pulled[0] = both(t.compare(Predicate::Ge, x, low), t.compare(Predicate::Le, x, high));
  if (active[1])
    pulled[1] = both(t.compare(Predicate::Lt, x, low), t.compare(Predicate::Le, low, high));
  if (active[2]) pulled[2] = t.mul(cotangent, t.compare(Predicate::Gt, t.max(x, low), high));
}

// No operands.
void HyperOp::buildVjp(OpBuilder&, Value, Active, Pulled) {}
void ConstantOp::buildVjp(OpBuilder&, Value, Active, Pulled) {}
void CountOp::buildVjp(OpBuilder&, Value, Active, Pulled) {}

// What other ranks make of a cotangent is not known here.
static llvm::StringRef whyNotAcross(bool ranks) {
  return ranks ? "(C3) no gradient passes across ranks" : "";
}
llvm::StringRef SumOp::whyNoGradient(unsigned) { return whyNotAcross(getRanks()); }
llvm::StringRef MeanOp::whyNoGradient(unsigned) { return whyNotAcross(getRanks()); }

bool SumOp::crossesRanks() { return getRanks(); }
bool MeanOp::crossesRanks() { return getRanks(); }

void SumOp::buildVjp(OpBuilder& builder, Value cotangent, Active active, Pulled pulled) {
  TermBuilder t(builder, getLoc());
  if (active[0]) pulled[0] = t.broadcast(cotangent, axesOf(getX()));
}

void MeanOp::buildVjp(OpBuilder& builder, Value cotangent, Active active, Pulled pulled) {
  TermBuilder t(builder, getLoc());
  if (!active[0]) return;
  Value count = t.max(t.count(axesOf(getX()).back()), t.constant(1));
  pulled[0] = t.broadcast(t.div(cotangent, count), axesOf(getX()));
}

void BroadcastOp::buildVjp(OpBuilder& builder, Value cotangent, Active active, Pulled pulled) {
  TermBuilder t(builder, getLoc());
  if (active[0]) pulled[0] = t.reduceTo(cotangent, axesOf(getX()));
}

}  // namespace alidade::pref
