#include "compiler/conversion/Emitter.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

namespace alidade::pref {
namespace {

// `element`, or a vector of it of the shape of `shaped`.
Type withShapeOf(Type shaped, Type element) {
  if (auto vector = dyn_cast<VectorType>(shaped))
    return VectorType::get(vector.getShape(), element);
  return element;
}

}  // namespace

Type Emitter::i1() { return builder.getI1Type(); }
Type Emitter::i32() { return builder.getI32Type(); }
Type Emitter::i64() { return builder.getI64Type(); }
Type Emitter::f32() { return builder.getF32Type(); }
Type Emitter::f64() { return builder.getF64Type(); }
Type Emitter::pointer() { return LLVM::LLVMPointerType::get(builder.getContext()); }

Value Emitter::constant(Type type, double value) {
  TypedAttr attribute = builder.getFloatAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    attribute = DenseElementsAttr::get(vector, Attribute(attribute));
  return arith::ConstantOp::create(builder, loc, attribute);
}

Value Emitter::constantInt(Type type, int64_t value) {
  TypedAttr attribute = builder.getIntegerAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    attribute = DenseElementsAttr::get(vector, Attribute(attribute));
  return arith::ConstantOp::create(builder, loc, attribute);
}

Value Emitter::index(int64_t value) { return constantInt(i64(), value); }
Value Emitter::like(Value model, double value) { return constant(model.getType(), value); }
Value Emitter::likeInt(Value model, int64_t value) { return constantInt(model.getType(), value); }

Value Emitter::splat(Value scalar, int64_t lanes) {
  return vector::BroadcastOp::create(builder, loc, VectorType::get({lanes}, scalar.getType()),
                                     scalar);
}

Value Emitter::add(Value a, Value b) {
  if (isa<FloatType>(getElementTypeOrSelf(a))) return arith::AddFOp::create(builder, loc, a, b);
  return arith::AddIOp::create(builder, loc, a, b);
}

Value Emitter::sub(Value a, Value b) {
  if (isa<FloatType>(getElementTypeOrSelf(a))) return arith::SubFOp::create(builder, loc, a, b);
  return arith::SubIOp::create(builder, loc, a, b);
}

Value Emitter::mul(Value a, Value b) {
  if (isa<FloatType>(getElementTypeOrSelf(a))) return arith::MulFOp::create(builder, loc, a, b);
  return arith::MulIOp::create(builder, loc, a, b);
}

Value Emitter::div(Value a, Value b) { return arith::DivFOp::create(builder, loc, a, b); }
Value Emitter::neg(Value a) { return arith::NegFOp::create(builder, loc, a); }
Value Emitter::abs(Value a) { return math::AbsFOp::create(builder, loc, a); }
Value Emitter::sqrt(Value a) { return math::SqrtOp::create(builder, loc, a); }
Value Emitter::fma(Value a, Value b, Value c) { return math::FmaOp::create(builder, loc, a, b, c); }

Value Emitter::greater(Value a, Value b) {
  return select(compare(arith::CmpFPredicate::OGT, a, b), a, b);
}

Value Emitter::horner(Value x, ArrayRef<double> coefficients) {
  Value sum = like(x, coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    sum = fma(sum, x, like(x, coefficient));
  return sum;
}

Value Emitter::compare(arith::CmpFPredicate predicate, Value a, Value b) {
  return arith::CmpFOp::create(builder, loc, predicate, a, b);
}

Value Emitter::compareInt(arith::CmpIPredicate predicate, Value a, Value b) {
  return arith::CmpIOp::create(builder, loc, predicate, a, b);
}

Value Emitter::select(Value condition, Value a, Value b) {
  return arith::SelectOp::create(builder, loc, condition, a, b);
}

Value Emitter::shiftLeft(Value a, int64_t bits) {
  return arith::ShLIOp::create(builder, loc, a, likeInt(a, bits));
}
Value Emitter::shiftRight(Value a, int64_t bits) {
  return arith::ShRSIOp::create(builder, loc, a, likeInt(a, bits));
}
Value Emitter::shiftRightLogical(Value a, int64_t bits) {
  return arith::ShRUIOp::create(builder, loc, a, likeInt(a, bits));
}
Value Emitter::bitAnd(Value a, Value b) { return arith::AndIOp::create(builder, loc, a, b); }
Value Emitter::bitOr(Value a, Value b) { return arith::OrIOp::create(builder, loc, a, b); }
Value Emitter::bitXor(Value a, Value b) { return arith::XOrIOp::create(builder, loc, a, b); }
Value Emitter::remainder(Value a, Value b) { return arith::RemSIOp::create(builder, loc, a, b); }

Value Emitter::bitsToFloat(Value a) {
  Type type = getElementTypeOrSelf(a).isInteger(64) ? f64() : f32();
  return arith::BitcastOp::create(builder, loc, withShapeOf(a.getType(), type), a);
}

Value Emitter::floatToBits(Value a) {
  Type type = getElementTypeOrSelf(a).isF64() ? i64() : i32();
  return arith::BitcastOp::create(builder, loc, withShapeOf(a.getType(), type), a);
}

Value Emitter::extend(Value a) {
  return arith::ExtFOp::create(builder, loc, withShapeOf(a.getType(), f64()), a);
}
Value Emitter::truncate(Value a) {
  return arith::TruncFOp::create(builder, loc, withShapeOf(a.getType(), f32()), a);
}
Value Emitter::intToFloat(Value a, Type type) {
  return arith::SIToFPOp::create(builder, loc, type, a);
}

Value Emitter::floatToInt(Value a) { return arith::FPToSIOp::create(builder, loc, i64(), a); }

Value Emitter::address(Value base, Value index, Type element) {
  return LLVM::GEPOp::create(builder, loc, pointer(), element, base, ValueRange{index});
}

Value Emitter::load(Type type, Value address, unsigned alignment) {
  return LLVM::LoadOp::create(builder, loc, type, address, alignment);
}

void Emitter::store(Value value, Value address, unsigned alignment) {
  LLVM::StoreOp::create(builder, loc, value, address, alignment);
}

Value Emitter::isSet(Value pointer) {
  Value null = LLVM::ZeroOp::create(builder, loc, pointer.getType());
  return LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ne, pointer, null);
}

void Emitter::call(Value function, ValueRange arguments) {
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(builder.getContext()),
                                          llvm::to_vector(arguments.getTypes()));
  SmallVector<Value> operands = {function};
  llvm::append_range(operands, arguments);
  LLVM::CallOp::create(builder, loc, type, operands);
}

SmallVector<Value> Emitter::loop(Value begin, Value end, Value step, ValueRange carried,
                                 Body body) {
  auto loop = scf::ForOp::create(builder, loc, begin, end, step, carried,
                                 [&](OpBuilder&, Location, Value index, ValueRange values) {
                                   SmallVector<Value> next = body(index, values);
                                   scf::YieldOp::create(builder, loc, next);
                                 });
  return SmallVector<Value>(loop.getResults());
}

SmallVector<Value> Emitter::branch(Value condition, TypeRange types, Branch then,
                                   Branch otherwise) {
  auto op = scf::IfOp::create(builder, loc, types, condition, /*addThenBlock=*/true,
                              /*addElseBlock=*/static_cast<bool>(otherwise));
  OpBuilder::InsertionGuard guard(builder);
  auto fill = [&](Block* block, Branch values) {
    // A block without results is born with its terminator.
    if (!block->empty()) {
      builder.setInsertionPoint(&block->back());
      values();
      return;
    }
    builder.setInsertionPointToEnd(block);
    scf::YieldOp::create(builder, loc, values());
  };
  fill(op.thenBlock(), then);
  if (otherwise) fill(op.elseBlock(), otherwise);
  return SmallVector<Value>(op.getResults());
}

}  // namespace alidade::pref
